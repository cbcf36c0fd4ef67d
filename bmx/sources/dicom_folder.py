"""Any folder of DICOM files, taken as one exam."""

from __future__ import annotations

import hashlib
from pathlib import Path
from types import TracebackType
from typing import Self

from bmx.errors import SourceError
from bmx.sources.dicom_tags import read_header, read_pixels
from bmx.sources.header import Header
from bmx.types import IntVolume


class FolderExam:
    """All DICOM images below one local folder."""

    def __init__(self, where: str | Path) -> None:
        self.where = str(where)
        self._root = Path(where)
        self._paths = sorted(path for path in self._root.rglob("*") if path.is_file())
        self.headers = [header for path in self._paths if (header := self._header(path)) is not None]
        self.rejected: dict[str, str] = {}
        self.irregularities: list[str] = []
        if not self.headers:
            raise SourceError(f"expected DICOM images below {where}, found none among {len(self._paths)} files")

    def pixels(self, header: Header) -> IntVolume:
        """Read one image, (y, x) uint16."""
        return read_pixels((self._root / header.where).read_bytes(), header)

    def digest(self) -> str:
        """BLAKE2 digest of the names and contents of all files."""
        digest = hashlib.blake2b(digest_size=16)
        for path in self._paths:
            digest.update(str(path.relative_to(self._root)).encode() + b"\0")
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is kept open."""

    def _header(self, path: Path) -> Header | None:
        return read_header(path.read_bytes(), str(path.relative_to(self._root)))
