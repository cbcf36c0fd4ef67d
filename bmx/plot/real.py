"""One axial slice of an image that somebody else made, NIfTI or DICOM: to look at, not to measure."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import numpy.typing as npt

from bmx.core.geometry import voxel_size
from bmx.errors import SourceError
from bmx.sources.dicom_folder import FolderExam
from bmx.sources.series import group_series


@dataclass(frozen=True, slots=True)
class AxialSlice:
    """Seen from the feet, as radiologists see it."""

    pixels: npt.NDArray[np.float32]
    """(y, x) towards Posterior and Left, any unit."""
    pixel_mm: tuple[float, float]
    """Between rows, between columns."""


def read_middle_slice(place: str | Path) -> AxialSlice:
    """Read the middle one of those slices of an axial volume that aren't empty.

    Where the volume says it lies in the world is not looked at: files of one exam may contradict each other.

    Parameters
    ----------
    place : a NIfTI file, or a folder of DICOM files that hold one series

    Raises
    ------
    SourceError
        If nothing is there, a file can't be read, or a folder holds more than one image.
    """
    path = Path(place)
    if not path.exists():
        raise SourceError(f"there is no image at {path}; expected a NIfTI file or a folder of DICOM files")
    volume, size = _from_dicom(path) if path.is_dir() else _from_nifti(path)
    filled = np.flatnonzero(volume.min(axis=(1, 2)) < volume.max(axis=(1, 2)))
    if not len(filled):
        raise SourceError(f"all slices of {path} are empty")
    return AxialSlice(volume[filled[len(filled) // 2]], size)


def _from_nifti(path: Path) -> tuple[npt.NDArray[np.float32], tuple[float, float]]:
    """Volume (z, y, x) towards Superior, Posterior, Left, and its pixel."""
    try:
        image = nibabel.as_closest_canonical(nibabel.load(path))  # type: ignore[no-untyped-call]  # it has no types
        volume = np.asarray(image.dataobj, dtype=np.float32)
    except (OSError, EOFError, ValueError, nibabel.filebasedimages.ImageFileError) as exc:
        raise SourceError(f"{path} can't be read as NIfTI ({exc})") from exc
    if volume.ndim != 3:
        raise SourceError(f"{path} has {volume.ndim} dimensions, expected 3")
    across, upright = (float(length) for length in image.header.get_zooms()[:2])
    return np.transpose(volume)[:, ::-1, ::-1], (upright, across)


def _from_dicom(path: Path) -> tuple[npt.NDArray[np.float32], tuple[float, float]]:
    """As from NIfTI."""
    with FolderExam(path) as exam:
        found = group_series(exam.headers)
        if len(found) != 1 or not found[0].is_axial or len(found[0].headers) < 2:
            raise SourceError(f"{path} holds {len(found)} series of images, expected one axial one")
        (series,) = found
        volume = np.zeros((series.span, series.first.rows, series.first.columns), np.uint16)
        series.volume(exam.pixels, volume)
    across, upright, _ = (float(length) for length in voxel_size(series.affine))
    return volume.astype(np.float32), (upright, across)
