"""A NIfTI file as bmx wants it: axes re-ordered to x Left, y Posterior, z Superior, never resampled.

nibabel reads headers, scaling and voxels; this module adds what it leaves to its callers: files behind
URLs, headers without voxels, and a refusal of files that don't say where they lie.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import nibabel as nib
import numpy as np
import numpy.typing as npt
from nibabel.spatialimages import HeaderDataError

from bmx.errors import SourceError
from bmx.sources.places import open_place
from bmx.types import Affine

_GZIP = b"\x1f\x8b"
_HEAD = 4096
"""Bytes to fetch for a header; 540 are needed, compressed or not."""
_CLASSES: dict[int, Any] = {348: nib.Nifti1Image, 540: nib.Nifti2Image}
"""By the size of their headers, which every NIfTI file begins with."""
_MAX_BYTES = 1 << 28
"""More voxels than this are no slab: a header that claims so is damaged, or meant to exhaust memory."""
_LPS = ("L", "P", "S")
_DAMAGE = (HeaderDataError, ValueError, OverflowError, TypeError)
"""What nibabel and NumPy raise at headers that make no sense (found by fuzzing)."""


@dataclass(frozen=True, eq=False)
class NiftiImage:
    """One file: its header at once, its voxels when asked for."""

    where: str
    """Path or URL."""
    stored_shape: tuple[int, int, int]
    """As the file has its axes."""
    stored_affine: npt.NDArray[np.float64]
    """(4, 4) index on the axes of the file to RAS+ millimetres."""
    description: str
    """The free text of the header, `descrip`."""
    bytes_needed: int
    """Of the file, uncompressed, up to the last voxel."""

    @classmethod
    def open(cls, where: str) -> Self:
        """Read the header.

        Raises
        ------
        SourceError
            If it is no NIfTI file of one volume, or doesn't say where its voxels lie.
        """
        fs, path = open_place(where)
        head = fs.cat_file(path, start=0, end=_HEAD)
        if head.startswith(_GZIP):
            try:
                head = zlib.decompressobj(wbits=31).decompress(head, _HEAD)
            except zlib.error as exc:
                raise SourceError(f"{where}: expected a NIfTI file, found damaged gzip data ({exc})") from exc
        try:
            with np.errstate(all="ignore"):  # what overflows is refused below
                return cls._from_header(_header(head, where), where)
        except _DAMAGE as exc:
            raise SourceError(f"{where}: the NIfTI header is damaged ({exc})") from exc

    @classmethod
    def _from_header(cls, header: Any, where: str) -> Self:
        shape = tuple(map(int, header.get_data_shape()))
        if len(shape) < 3 or any(size != 1 for size in shape[3:]) or min(shape) < 1:
            raise SourceError(f"{where}: expected one volume of three axes, found {_times(shape)}")
        dtype = header.get_data_dtype()
        if dtype.kind not in "iuf":
            raise SourceError(f"{where}: expected numbers as voxels, found {dtype}")
        needed = int(header["vox_offset"]) + math.prod(shape) * dtype.itemsize
        if needed > _MAX_BYTES:
            raise SourceError(f"{where}: expected a slab, found {_times(shape)} voxels of {dtype}")
        description = bytes(header["descrip"].item()).rstrip(b"\0").decode(errors="replace")
        return cls(where, (shape[0], shape[1], shape[2]), _affine(header, where), description, needed)

    @cached_property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x (towards Left), y (Posterior) and z (Superior)."""
        x, y, z = (self.stored_shape[int(np.flatnonzero(self._order[:, 0] == axis)[0])] for axis in range(3))
        return x, y, z

    @cached_property
    def affine(self) -> Affine:
        """(3, 4) voxel index (x, y, z, 1), axes as in `shape`, to RAS+ millimetres."""
        turned = self.stored_affine @ nib.orientations.inv_ornt_aff(self._order, self.stored_shape)
        return np.asarray(turned[:3] + 0.0, dtype=np.float64)  # + 0.0 takes the sign from -0.0

    def volume(self) -> npt.NDArray[Any]:
        """Read the voxels, (z, y, x), scaled as the header says.

        Raises
        ------
        SourceError
            If the file is damaged or cut short.
        """
        fs, path = open_place(self.where)
        content = fs.cat_file(path)
        if content.startswith(_GZIP):
            content = self._unzipped(content)
        if len(content) < self.bytes_needed:
            raise SourceError(
                f"{self.where}: expected {self.bytes_needed} bytes, found {len(content)}: it is cut short"
            )
        try:
            with np.errstate(all="ignore"):
                image = _CLASSES[_header_size(content)].from_bytes(content)
                values = np.asarray(image.dataobj).reshape(self.stored_shape)
        except _DAMAGE as exc:
            raise SourceError(f"{self.where}: the NIfTI file is damaged ({exc})") from exc
        turned = nib.orientations.apply_orientation(values, self._order)
        return np.ascontiguousarray(turned.transpose(2, 1, 0))

    @cached_property
    def _order(self) -> npt.NDArray[np.float64]:
        """Which axis each stored one becomes, and whether it is turned round, as nibabel writes it."""
        found = nib.orientations.io_orientation(self.stored_affine)
        order: npt.NDArray[np.float64] = nib.orientations.ornt_transform(found, nib.orientations.axcodes2ornt(_LPS))
        return order

    def _unzipped(self, content: bytes) -> bytes:
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
                inflated = file.read(self.bytes_needed)
                file.read(1)  # to the end, where the check sum stands
        except (gzip.BadGzipFile, EOFError, zlib.error) as exc:
            raise SourceError(f"{self.where}: the gzip data are damaged ({exc})") from exc
        return inflated


def _header(head: bytes, where: str) -> Any:
    """Give nibabel's header of one file."""
    size = _header_size(head)
    if size not in _CLASSES or len(head) < size:
        raise SourceError(f"{where}: expected a NIfTI file, found {len(head)} bytes that don't begin like one")
    return _CLASSES[size].header_class.from_fileobj(io.BytesIO(head))


def _header_size(content: bytes) -> int:
    """Its first number, in whichever order of bytes makes sense."""
    sizes = (int.from_bytes(content[:4], order) for order in ("little", "big"))
    return next((size for size in sizes if size in _CLASSES), 0)


def _affine(header: Any, where: str) -> npt.NDArray[np.float64]:
    """Place of the voxels, from the sform where there is one, else from the qform, as nibabel does."""
    if not int(header["sform_code"]) and not int(header["qform_code"]):
        raise SourceError(f"{where}: expected a place in space, but sform_code and qform_code are both 0")
    affine = np.asarray(header.get_best_affine(), np.float64)
    if not np.isfinite(affine).all() or np.isnan(nib.orientations.io_orientation(affine)).any():
        raise SourceError(f"{where}: expected an affine that can be inverted, found {affine[:3].tolist()}")
    return affine


def _times(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
