"""Folders of DICOM files: one exam, or one folder `EID_20201_I_0` for each participant, as archives unpack to.

Any depth, any file names, a local disk or any URL. The name of the folder alone says who it is.
"""

from __future__ import annotations

import hashlib
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Self

from bmx.acquisition import UKB_FIELD
from bmx.errors import SourceError
from bmx.sources.dicom_tags import header_or_reason, looks_like_dicom, read_pixels
from bmx.sources.header import Header
from bmx.sources.manifest import MANIFESTS, check_manifests
from bmx.sources.places import address_of, files_below, one_each, open_place, split_stem, walk
from bmx.sources.tag_reader import GaveUp, scan
from bmx.types import IntVolume

_HEAD = 8192
"""Bytes that hold the header of nearly every file."""
_AT_ONCE = 512
"""Heads to ask for together: object stores answer many questions in the time of one."""


class DicomFolders:
    """All folders `EID_20201_I_0` of one imaging visit below a folder."""

    def __init__(self, url: str, *, instance: int = 2) -> None:
        self.url = str(url).rstrip("/")
        self.instance = instance

    def list_exams(self) -> dict[int, str]:
        """EID -> folder, sorted by EID; looks into subfolders, but not into exams.

        Raises
        ------
        SourceError
            If there is no such folder, or a participant has two.
        """
        fs, root = open_place(self.url)
        found = [(*name, address_of(fs, root))] if (name := split_stem(PurePosixPath(root).name)) else []
        if not found:
            for folder, subfolders, _ in walk(fs, root):
                for subfolder in list(subfolders):
                    if name := split_stem(subfolder):
                        found.append((*name, address_of(fs, f"{folder.rstrip('/')}/{subfolder}")))
                        subfolders.remove(subfolder)
        what = f"folders of DICOM files called EID_{UKB_FIELD}_{self.instance}_0"
        return one_each(found, instance=self.instance, what=what, url=self.url)

    def open_exam(self, where: str) -> FolderExam:
        """Open one folder; SourceError if it holds no DICOM image."""
        return FolderExam(where)


class FolderExam:
    """All DICOM images below one folder, whatever it is called."""

    def __init__(self, where: str | Path) -> None:
        self.where = str(where)
        self._fs, self._root = open_place(self.where)
        paths = files_below(self._fs, self._root)
        self._names = sorted(str(PurePosixPath(path).relative_to(self._root)) for path in paths)
        self.headers: list[Header] = []
        self._fetched: dict[str, bytes | Exception] = {}
        self.rejected: dict[str, str] = {}
        manifests = [name for name in self._names if PurePosixPath(name).name in MANIFESTS]
        files = [name for name in self._names if name not in manifests]
        for start in range(0, len(files), _AT_ONCE):
            self._read_headers(files[start : start + _AT_ONCE])
        if not self.headers:
            raise SourceError(f"expected DICOM images below {where}, found none among {len(self._names)} files")
        present = [PurePosixPath(header.where).name for header in self.headers]
        self.irregularities = check_manifests([self._fs.cat_file(self._path(name)) for name in manifests], present)

    def pixels(self, header: Header) -> IntVolume:
        """Read one image, (y, x) uint16; all files of its series are fetched together and kept until another's."""
        if header.where not in self._fetched:
            names = [other.where for other in self.headers if other.series_uid == header.series_uid]
            self._fetched = dict(zip(names, self._fetch(names, end=None), strict=True))
        content = self._fetched[header.where]
        if isinstance(content, Exception):
            raise content
        return read_pixels(content, header)

    def digest(self) -> str:
        """SHA-256 digest of the names and contents of all files."""
        digest = hashlib.sha256()
        for name in self._names:
            digest.update(name.encode() + b"\0")
            digest.update(self._fs.cat_file(self._path(name)))
        return digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._fetched.clear()

    def _read_headers(self, names: list[str]) -> None:
        for name, head in zip(names, self._fetch(names, end=_HEAD), strict=True):
            # Object stores refuse a range of an empty file; anything worse is raised by reading the whole.
            if isinstance(head, Exception) or (looks_like_dicom(head) and isinstance(scan(head, name), GaveUp)):
                head = self._fs.cat_file(self._path(name))
            found = header_or_reason(head, name)
            if isinstance(found, str):
                self.rejected[name] = found
            else:
                self.headers.append(found)

    def _fetch(self, names: list[str], *, end: int | None) -> list[bytes | Exception]:
        """Give the beginnings of several files; what went wrong in place of those that can't be had."""
        count = len(names)
        found: list[bytes | Exception] = self._fs.cat_ranges(
            [self._path(name) for name in names], [0] * count, [end] * count, on_error="return"
        )
        return found

    def _path(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"
