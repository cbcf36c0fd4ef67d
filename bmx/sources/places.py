"""How exams are called and where they lie: names, addresses, one exam for each participant."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

import fsspec
from fsspec.implementations.local import LocalFileSystem

from bmx._optional import require_for
from bmx.acquisition import UKB_FIELD
from bmx.errors import SourceError

STEM = rf"(?P<eid>\d+)_{UKB_FIELD}_(?P<instance>\d+)_\d+"
"""Pattern of `EID_20201_I_0`: who, and at which imaging visit. No file says this anywhere else."""

ZIP = re.compile(rf"{STEM}\.(?i:zip)")
"""Name of an archive."""

_STEM = re.compile(STEM)

_SHOWN = 3
"""Names to show of what was found."""


def open_place(url: str) -> tuple[fsspec.AbstractFileSystem, str]:
    """Give the file system behind a path or URL, and the path on it.

    Credentials and endpoint of an object store come from where its own tools look for them
    (`AWS_ACCESS_KEY_ID`, `AWS_ENDPOINT_URL`, `~/.aws/config` …).

    Raises
    ------
    BmxError
        If the kind of URL needs a package that isn't installed.
    """
    require_for(url)
    fs, path = fsspec.core.url_to_fs(url)
    return fs, str(path)


def is_there(url: str) -> bool:
    """Whether a file, or a folder with anything in it, is reachable; a disk that isn't mounted leaves an empty one."""
    fs, path = open_place(url)
    fs.invalidate_cache()
    if isinstance(fs, LocalFileSystem) and Path(path).is_dir():
        return any(Path(path).iterdir())
    return bool(fs.exists(path))


def walk(fs: fsspec.AbstractFileSystem, root: str) -> Iterator[tuple[str, list[str], list[str]]]:
    """Give each folder from the top down, the names of its subfolders and of its files.

    A name that is taken out of the subfolders is not descended into. On a local disk links to folders are followed,
    as archives are often spread over several disks; no folder is given twice, so that a loop of links has an end.
    """
    if not isinstance(fs, LocalFileSystem):
        yield from fs.walk(root)
        return
    seen: set[str] = set()
    for folder, subfolders, files in os.walk(root, followlinks=True):
        if (real := os.path.realpath(folder)) in seen:
            subfolders.clear()
            continue
        seen.add(real)
        links = {name for name in subfolders if Path(folder, name).is_symlink()}
        # The folder itself before a link to it: its address holds if the link is removed.
        subfolders[:] = [*sorted(set(subfolders) - links), *sorted(links)]
        yield folder, subfolders, files


def files_below(fs: fsspec.AbstractFileSystem, root: str) -> list[str]:
    """Paths of all files below a folder, sorted; links to folders are followed as in `walk`."""
    if not isinstance(fs, LocalFileSystem):
        return list(fs.find(root))  # in one question to an object store
    return sorted(f"{folder.rstrip('/')}/{name}" for folder, _, files in walk(fs, root) for name in files)


def address_of(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """Plain path on a local disk, URL elsewhere."""
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
    return path if "file" in protocols else str(fs.unstrip_protocol(path))


def split_stem(name: str) -> tuple[int, int] | None:
    """EID and imaging visit of a name that is `EID_20201_I_0` and nothing more.

    Examples
    --------
    >>> split_stem("1000001_20201_2_0"), split_stem("1000001_20201_2_0.zip")
    ((1000001, 2), None)
    """
    match = _STEM.fullmatch(name)
    return (int(match["eid"]), int(match["instance"])) if match else None


def some_of(names: Iterable[str]) -> str:
    """The first names, for a message.

    Examples
    --------
    >>> some_of(["d.zip", "c.zip", "b.zip", "a.zip"])
    'a.zip, b.zip, c.zip, …'
    """
    ordered = sorted(names)
    return ", ".join(ordered[:_SHOWN]) + (", …" if len(ordered) > _SHOWN else "")


def one_each(found: Iterable[tuple[int, int, str]], *, instance: int, what: str, url: str) -> dict[int, str]:
    """Keep the exams of one visit, by EID.

    Parameters
    ----------
    found : EID, imaging visit, address
    instance : the visit to keep
    what : how these exams are kept, for the message
    url : where they were looked for

    Raises
    ------
    SourceError
        If there is none, or a participant has two.
    """
    exams: dict[int, str] = {}
    others = 0
    for eid, visit, where in sorted(found):
        if visit != instance:
            others += 1
            continue
        if eid in exams:
            raise SourceError(
                f"participant {eid} has two exams of instance {instance}: {exams[eid]} and {where}; keep one of them"
            )
        exams[eid] = where
    if not exams:
        hint = f" ({others} of other instances)" if others else ""
        raise SourceError(f"expected {what} below {url}, found none{hint}; check the folder and the instance")
    return exams
