"""UK Biobank field 20201: a folder of `EID_20201_I_0.zip`, on a disk or behind a URL.

The file name alone says who it is: names inside the files are pseudonyms.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

import numpy as np

from bmx.acquisition import UKB_FIELD
from bmx.errors import SourceError
from bmx.sources.archive import Archive, read_archive
from bmx.sources.dicom_tags import header_or_reason, looks_like_dicom, read_pixels
from bmx.sources.header import Header
from bmx.sources.manifest import MANIFESTS, check_manifests
from bmx.sources.places import ZIP, address_of, files_below, one_each, open_place
from bmx.sources.plausible import implausible
from bmx.sources.tag_reader import GaveUp
from bmx.sources.tag_template import HeaderReader
from bmx.types import IntVolume

_HEAD = 2048
"""Bytes of a file to look at first; where headers are longer, the next files begin with what was needed."""
_LONGER = 4
"""How much more to look at when that wasn't enough."""


class UkbZips:
    """All archives of one imaging visit below a folder."""

    def __init__(self, url: str, *, instance: int = 2) -> None:
        self.url = str(url).rstrip("/")
        self.instance = instance

    def list_exams(self) -> dict[int, str]:
        """EID -> path, sorted by EID; looks into subfolders, and into those that are linked on a local disk.

        Raises
        ------
        SourceError
            If the folder is missing or holds no such zip, or a participant has two.
        """
        fs, root = open_place(self.url)
        if not fs.exists(root):
            raise SourceError(f"there is nothing at {self.url}; expected a folder of EID_{UKB_FIELD}_I_0.zip files")
        is_file = fs.isfile(root)
        if is_file and not ZIP.fullmatch(PurePosixPath(root).name):
            raise SourceError(
                f"{self.url} is a file that isn't called EID_{UKB_FIELD}_I_0.zip; give the folder that holds such zips"
            )
        paths = [root] if is_file else files_below(fs, root)
        named = [(path, ZIP.fullmatch(PurePosixPath(path).name)) for path in paths]
        found = [(int(match["eid"]), int(match["instance"]), address_of(fs, path)) for path, match in named if match]
        what = f"zips called EID_{UKB_FIELD}_{self.instance}_0.zip"
        return one_each(found, instance=self.instance, what=what, url=self.url)

    def open_exam(self, where: str) -> ZipExam:
        """Open one archive; SourceError if it isn't a zip."""
        return ZipExam(where)


class ZipExam:
    """One archive, read in memory: nothing is unpacked to disk.

    Parameters
    ----------
    where : path or URL
    content : its bytes, if they are at hand
    """

    def __init__(self, where: str, content: bytes | None = None) -> None:
        self.where = where
        self._archive = Archive(read_archive(where) if content is None else content)
        self._plain: dict[str, int] = {}
        """Where the pixels of a file begin that are as plain as pixels can be."""
        self._head = _HEAD
        self._reader = HeaderReader()
        self.headers: list[Header] = []
        self.rejected: dict[str, str] = dict(self._archive.rejected)
        manifests: list[bytes] = []
        for name in self._archive.members:
            found = self._examine(name) if _base(name) not in MANIFESTS else self._read_manifest(name)
            if isinstance(found, Header):
                self.headers.append(found)
            elif isinstance(found, bytes):
                manifests.append(found)
            else:
                self.rejected[name] = found
        self.irregularities = check_manifests(manifests, [_base(header.where) for header in self.headers])

    def pixels(self, header: Header) -> IntVolume:
        """Read one image, (y, x) uint16."""
        content = self._archive.read(header.where)
        start = self._plain.get(header.where)
        if start is None:
            return read_pixels(content, header)
        pixels = np.frombuffer(content, "<u2", header.rows * header.columns, start)
        return pixels.reshape(header.rows, header.columns).astype(np.uint16, copy=False)

    def digest(self) -> str:
        """SHA-256 digest of the archive."""
        return self._archive.digest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()

    def _examine(self, name: str) -> Header | str:
        """Inflate no more of a member than its header; a damaged member counts as a missing slice."""
        try:
            size = self._archive.members[name].size
            asked = self._head
            while True:
                head = self._archive.head(name, asked)
                found = self._reader.scan(head, name)
                if found is not GaveUp.CUT or len(head) >= size:
                    break
                asked *= _LONGER
            if isinstance(found, GaveUp):
                # Only pydicom's judgement needs all of it, and only if there is something to judge.
                return header_or_reason(self._archive.read(name) if looks_like_dicom(head) else head, name)
        except SourceError as exc:
            return str(exc)
        self._head = asked
        if found.is_plain and found.pixel_start + found.pixel_bytes == size:
            self._plain[name] = found.pixel_start
        return implausible(found.header) or found.header

    def _read_manifest(self, name: str) -> bytes | str:
        try:
            return self._archive.read(name)
        except SourceError as exc:
            return str(exc)


def _base(name: str) -> str:
    """The name of a member without folders."""
    return name.rpartition("/")[2]
