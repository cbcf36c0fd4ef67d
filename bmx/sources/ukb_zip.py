"""UK Biobank field 20201: a folder of `EID_20201_I_0.zip`, on a disk or behind a URL.

The file name alone says who it is: names inside the files are pseudonyms.
"""

from __future__ import annotations

import hashlib
import logging
import re
import zipfile
import zlib
from pathlib import PurePosixPath
from types import TracebackType
from typing import Self

import fsspec

from bmx.acquisition import UKB_FIELD
from bmx.errors import SourceError
from bmx.sources.dicom_tags import PIXEL_DATA_TAG, read_header, read_pixels
from bmx.sources.header import Header
from bmx.types import IntVolume

logger = logging.getLogger(__name__)

_NAME = re.compile(rf"(?P<eid>\d+)_{UKB_FIELD}_(?P<instance>\d+)_\d+\.zip")
_MANIFESTS = ("manifest.csv", "manifest.cvs")
_HEAD = 4096
"""Bytes to read at a time until the header of a file is complete."""

_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError)
"""What zipfile raises on a damaged, truncated, exotically compressed or encrypted archive."""


class UkbZips:
    """All archives of one imaging visit below a folder."""

    def __init__(self, url: str, *, instance: int = 2) -> None:
        self.url = str(url).rstrip("/")
        self.instance = instance

    def list_exams(self) -> dict[int, str]:
        """EID -> path, sorted by EID; looks into subfolders.

        Raises
        ------
        SourceError
            If the folder is missing or holds no such zip, or a participant has two.
        """
        fs, root = fsspec.core.url_to_fs(self.url)
        if not fs.exists(root):
            raise SourceError(f"there is nothing at {self.url}; expected a folder of EID_{UKB_FIELD}_I_0.zip files")
        paths = [root] if fs.isfile(root) else fs.find(root)
        if fs.isfile(root) and not _NAME.fullmatch(PurePosixPath(root).name):
            raise SourceError(
                f"{self.url} is a file that isn't called EID_{UKB_FIELD}_I_0.zip; give the folder that holds such zips"
            )
        found: dict[int, str] = {}
        other_instances = 0
        for path in sorted(paths):
            match = _NAME.fullmatch(PurePosixPath(path).name)
            if match is None:
                continue
            if int(match["instance"]) != self.instance:
                other_instances += 1
                continue
            eid = int(match["eid"])
            if eid in found:
                raise SourceError(
                    f"participant {eid} has two archives of instance {self.instance}: {found[eid]} and {path}; "
                    "keep one of them"
                )
            found[eid] = _address(fs, path)
        if not found:
            hint = f" ({other_instances} of other instances)" if other_instances else ""
            raise SourceError(
                f"expected zips called EID_{UKB_FIELD}_{self.instance}_0.zip below {self.url}, found none{hint}; "
                "check the folder and the instance"
            )
        return dict(sorted(found.items()))

    def open_exam(self, where: str) -> ZipExam:
        """Open one archive; SourceError if it isn't a zip."""
        return ZipExam(where)


class ZipExam:
    """One archive, read in memory: nothing is unpacked to disk."""

    def __init__(self, where: str) -> None:
        self.where = where
        fs, path = fsspec.core.url_to_fs(where)
        self._file = fs.open(path, "rb")
        try:
            self._zip = zipfile.ZipFile(self._file)
            self._names = [info.filename for info in self._zip.infolist() if not info.is_dir()]
            self.headers = [header for name in self._names if (header := self._header(name)) is not None]
            self.rejected: dict[str, str] = {}
            self.irregularities = self._check_manifest()
        except _BROKEN as exc:
            self._file.close()
            raise SourceError(
                f"expected a zip archive, found {self._size(fs, path)} bytes that aren't one ({exc})"
            ) from exc

    def pixels(self, header: Header) -> IntVolume:
        """Read one image, (y, x) uint16."""
        try:
            content = self._zip.read(header.where)
        except _BROKEN as exc:
            raise SourceError(f"{header.where} in the archive is damaged ({exc})") from exc
        return read_pixels(content, header)

    def digest(self) -> str:
        """BLAKE2 digest of the archive."""
        self._file.seek(0)
        digest = hashlib.blake2b(digest_size=16)
        while block := self._file.read(1 << 20):
            digest.update(block)
        return digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()
        self._file.close()

    def _header(self, name: str) -> Header | None:
        """Inflate no more of a member than its header; a damaged member counts as a missing slice."""
        try:
            with self._zip.open(name) as member:
                head = member.read(_HEAD)
                while PIXEL_DATA_TAG not in head and (more := member.read(_HEAD)):
                    head += more
        except _BROKEN as exc:
            logger.info("%s: %s is damaged (%s)", self.where, name, exc)
            return None
        return read_header(head, name)

    def _check_manifest(self) -> list[str]:
        """Never needed; but where it disagrees with what is there, that is worth knowing."""
        manifests = [name for name in self._names if PurePosixPath(name).name in _MANIFESTS]
        if not manifests:
            return ["manifest_missing"]
        listed: set[str] = set()
        for manifest in manifests:
            # Dates hold unquoted commas, so the columns after them shift; the first one is safe.
            rows = self._zip.read(manifest).decode(errors="replace").splitlines()[1:]
            listed |= {row.split(",", 1)[0].strip().strip('"') for row in rows if row.strip()}
        present = {PurePosixPath(header.where).name for header in self.headers}
        return [] if listed == present else ["manifest_mismatch"]

    @staticmethod
    def _size(fs: fsspec.AbstractFileSystem, path: str) -> int:
        return int(fs.size(path))


def _address(fs: fsspec.AbstractFileSystem, path: str) -> str:
    """Plain path on a local disk, URL elsewhere."""
    return path if "file" in _protocols(fs) else str(fs.unstrip_protocol(path))


def _protocols(fs: fsspec.AbstractFileSystem) -> tuple[str, ...]:
    return (fs.protocol,) if isinstance(fs.protocol, str) else tuple(fs.protocol)
