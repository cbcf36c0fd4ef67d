"""Erase participants from files that are no store: pictures, logs, tables and exported images."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Collection
from pathlib import PurePosixPath
from typing import NamedTuple

import fsspec

from bmx.store.packed import NotReadError, is_packed, unpack_without

logger = logging.getLogger(__name__)

_PICTURES = {".png", ".jpg", ".jpeg", ".gif", ".tif", ".tiff", ".webp", ".svg", ".pdf"}
_TEXT = {"", ".txt", ".log", ".out", ".err", ".csv", ".tsv", ".md", ".html", ".json"}
_ONE_PERSON = re.compile(r"(?<!\d)\d{7}(?!\d)")
"""An EID in the name of a file: it shows that participant."""


class Traces(NamedTuple):
    """What was found below a folder."""

    changed: int
    """Files that were changed or removed."""
    unread: tuple[str, ...]
    """Files that were left as they are, since they are compressed in a way that isn't read."""


def erase_traces(folder: str, eids: Collection[int], *, keep: Callable[[str], bool] = lambda name: False) -> Traces:
    """Erase participants from all files below a folder.

    | file | is |
    |---|---|
    | with one of their EIDs in its name, or the number as eight bytes in its content | removed |
    | a picture whose name names nobody | removed: it may show anybody, and can be drawn again |
    | text with one of their EIDs, also gzipped | written again without the lines, in JSON without the numbers |
    | a Parquet table with one of their EIDs | written again without the rows |
    | anything else with one of their EIDs in it | removed |

    What else is compressed (zip, xlsx, bzip2, xz, zstd) is not looked into, but for its name, and is given back.

    Parameters
    ----------
    folder : path or URL; nothing happens if there is none
    eids : whom to erase
    keep : names relative to the folder (`records/000000.npz`) that are left alone
    """
    fs, root = fsspec.core.url_to_fs(folder)
    fs.invalidate_cache()
    if not fs.exists(root):
        return Traces(0, ())
    changed, unread = 0, []
    for path in sorted(fs.find(root)):
        name = path.strip("/").removeprefix(root.strip("/")).strip("/")
        if keep(name):
            continue
        if not _must_go(name, eids):
            content: bytes = fs.cat_file(path)
            try:
                rest = without_participants(name, content, eids)
            except NotReadError:
                unread.append(path)
                continue
            if rest is not None:
                if rest != content:
                    fs.pipe_file(path, rest)
                    changed += 1
                continue
        logger.info("removing %s", "a file named after a participant" if _names(name, eids) else path)
        fs.rm_file(path)
        changed += 1
    return Traces(changed, tuple(unread))


def erase_pictures_beside(place: str, eids: Collection[int]) -> int:
    """Remove pictures and exported images that are named after these participants and lie beside a store."""
    fs, root = fsspec.core.url_to_fs(place)
    folder = root.rstrip("/").rpartition("/")[0]
    fs.invalidate_cache()
    found = [path for path in fs.ls(folder, detail=False) if _names(path.rpartition("/")[2], eids) and fs.isfile(path)]
    gone = [path for path in found if _suffix(path) in _PICTURES or path.endswith((".nii.gz", ".nii"))]
    for path in gone:
        fs.rm_file(path)
    return len(gone)


def without_participants(name: str, content: bytes, eids: Collection[int]) -> bytes | None:
    r"""What is left of a file; None if it must go.

    Raises
    ------
    NotReadError
        If it is compressed, neither gzip nor Parquet, and names nobody in what can be seen.

    Examples
    --------
    >>> without_participants("convert.log", b"1234567: cut\n7654321: fine\n", [1234567])
    b'7654321: fine\n'
    >>> without_participants("a.json", b'{"slow": [1234567, 7654321]}', [1234567])
    b'{"slow": [null, 7654321]}'
    """
    gone = set(eids)
    if is_packed(content):
        return unpack_without(name, content, gone, without=without_participants)
    if any(number.to_bytes(8, order) in content for number in gone for order in ("little", "big")):
        return None
    if not _mentions(content, gone):
        return content
    if _suffix(name) not in _TEXT or b"\0" in content:
        return None
    if _suffix(name) == ".json":
        return _null(content, gone)
    return b"".join(line for line in content.splitlines(keepends=True) if not _mentions(line, gone))


def _null(content: bytes, gone: Collection[int]) -> bytes | None:
    """JSON with null in place of these numbers; None if that is no JSON any more."""
    rest = re.sub(rb"\d+", lambda match: b"null" if int(match[0]) in gone else match[0], content)
    try:
        json.loads(rest)
    except ValueError:
        return None
    return rest


def _must_go(name: str, eids: Collection[int]) -> bool:
    is_picture = _suffix(name) in _PICTURES
    return _names(name, eids) or (is_picture and not _ONE_PERSON.search(name.rpartition("/")[2]))


def _names(name: str, eids: Collection[int]) -> bool:
    return any(int(number) in eids for number in re.findall(r"\d+", name))


def _mentions(content: bytes, eids: Collection[int]) -> bool:
    return any(int(number) in eids for number in re.findall(rb"\d{1,18}", content))


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()
