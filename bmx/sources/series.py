"""From single images to series with a geometry: sort, split, find the voxel grid."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from bmx.sources.header import Header
from bmx.types import Affine, IntVolume

_SAME_POSITION_MM = 0.1
_AXIAL = 0.8
"""Least component of the image axes along L and P (37 degrees) for slices to count as axial."""
_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])

Vector = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Series:
    """Slices of one image, sorted from Inferior to Superior, no position twice."""

    headers: tuple[Header, ...]

    @property
    def first(self) -> Header:
        """Header of the lowest slice."""
        return self.headers[0]

    @cached_property
    def heights(self) -> Vector:
        """Positions along the slice normal, mm, growing."""
        return np.array([_height(header) for header in self.headers])

    @cached_property
    def step_mm(self) -> float:
        """Distance of neighbouring slices, from their positions; NaN for a single one."""
        return float(np.median(np.diff(self.heights))) if len(self.headers) > 1 else float("nan")

    @cached_property
    def indices(self) -> npt.NDArray[np.intp]:
        """Place of each slice on a grid that begins at the lowest and has no gaps."""
        if len(self.headers) == 1:
            return np.zeros(1, np.intp)
        places: npt.NDArray[np.intp] = np.rint((self.heights - self.heights[0]) / self.step_mm).astype(np.intp)
        return places

    @property
    def span(self) -> int:
        """Slices between the lowest and the highest, both counted, gaps too."""
        return int(self.indices[-1]) + 1

    @property
    def is_axial(self) -> bool:
        """Whether rows run along Left-Right and columns along Anterior-Posterior, more or less."""
        return abs(self.first.row_direction[0]) > _AXIAL and abs(self.first.column_direction[1]) > _AXIAL

    @cached_property
    def affine(self) -> Affine:
        """Voxel index (x, y, z, 1) of `volume` to RAS+ millimetres, (3, 4).

        Spacing along z comes from the positions, obliqueness is kept. Needs two slices at least.
        """
        low, high = np.array(self.headers[0].position), np.array(self.headers[-1].position)
        between_rows, between_columns = self.first.spacing_mm
        step_x = np.array(self.first.row_direction) * between_columns
        step_y = np.array(self.first.column_direction) * between_rows
        offset = low
        if self._flips_x:
            offset, step_x = offset + (self.first.columns - 1) * step_x, -step_x
        if self._flips_y:
            offset, step_y = offset + (self.first.rows - 1) * step_y, -step_y
        step_z = (high - low) / self.indices[-1]
        lps = np.column_stack([step_x, step_y, step_z, offset])
        return np.asarray(lps * _LPS_TO_RAS[:, None] + 0.0, dtype=np.float64)  # + 0.0 takes the sign from -0.0

    def volume(self, read: Callable[[Header], IntVolume], out: IntVolume, *, start: int = 0) -> None:
        """Read the pixels into `out`, (z, y, x): z towards Superior, y Posterior, x Left.

        Voxels are re-ordered, never resampled; slices that are missing are left as they were.
        The lowest slice goes to index `start`.
        """
        for index, header in zip(self.indices, self.headers, strict=True):
            out[start + index] = self.turned(read(header))

    def turned(self, image: IntVolume) -> IntVolume:
        """Give an image, (y, x) as its file has it, y towards Posterior and x towards Left."""
        x, y = (slice(None, None, -1 if flips else 1) for flips in (self._flips_x, self._flips_y))
        return image[y, x]

    @property
    def _flips_x(self) -> bool:
        return self.first.row_direction[0] < 0

    @property
    def _flips_y(self) -> bool:
        return self.first.column_direction[1] < 0


def group_series(headers: Iterable[Header]) -> list[Series]:
    """Sort images into series: by SeriesInstanceUID, split where a position repeats.

    One UID may hold both echoes, or an acquisition that was repeated. Images of one UID that differ
    in size or orientation are separated too. In the order of series number, then time.
    """
    by_uid: dict[tuple[object, ...], list[Header]] = defaultdict(list)
    for header in headers:
        key = (header.series_uid, header.rows, header.columns, _rounded(header.row_direction, header.column_direction))
        by_uid[key].append(header)
    series = [Series(tuple(part)) for group in by_uid.values() for part in _split(sorted(group, key=_height))]
    return sorted(series, key=lambda one: (one.first.series_number, one.first.acquired, one.first.echo_time_ms or 0))


@lru_cache(maxsize=64)
def _rounded(row: tuple[float, ...], column: tuple[float, ...]) -> tuple[float, ...]:
    """Directions that are equal but for noise; thousands of images of an exam have the same."""
    return tuple(round(cosine, 3) for cosine in (*row, *column))


def _split(headers: Sequence[Header]) -> list[list[Header]]:
    """Split images at repeating positions, by each tag in turn that leaves fewer repeats.

    One doubled file must not keep a tag from telling two contrasts apart, or they would be mixed in one image. A tag
    that differs from slice to slice tells nothing apart: one of its groups must hold half of a whole layer.
    """
    if not (repeats := _repeats(headers)):
        return [list(headers)]
    for key in (_echo_time, _image_type, _description, _acquisition, _acquired):
        groups: dict[object, list[Header]] = defaultdict(list)
        for header in headers:
            groups[key(header)].append(header)
        half = (len(headers) - repeats) / 2
        if sum(map(_repeats, groups.values())) < repeats and max(map(len, groups.values())) >= half:
            return [part for group in groups.values() for part in _split(group)]
    # Nothing tells them apart: first come, first served, by instance number.
    layers: list[list[Header]] = []
    for header in sorted(headers, key=lambda one: (one.instance_number, one.where)):
        for layer in layers:
            if all(abs(_height(header) - _height(other)) > _SAME_POSITION_MM for other in layer):
                layer.append(header)
                break
        else:
            layers.append([header])
    return [sorted(layer, key=_height) for layer in layers]


def _repeats(headers: Sequence[Header]) -> int:
    """How many of these images, sorted by height, lie where the one before lies."""
    heights = np.array([_height(header) for header in headers])
    return int((np.diff(heights) <= _SAME_POSITION_MM).sum())


def _height(header: Header) -> float:
    """Position along the slice normal, pointing towards the head for axial slices, mm."""
    # Thousands of times for each exam: with arrays this took longer than reading the headers.
    (a, b, c), (d, e, f), (x, y, z) = header.row_direction, header.column_direction, header.position
    normal_x, normal_y, normal_z = b * f - c * e, c * d - a * f, a * e - b * d
    return (normal_x * x + normal_y * y + normal_z * z) * (-1 if normal_z < 0 else 1)


def _echo_time(header: Header) -> object:
    return header.echo_time_ms


def _image_type(header: Header) -> object:
    return header.image_type


def _description(header: Header) -> object:
    return header.description


def _acquisition(header: Header) -> object:
    return header.acquisition_number


def _acquired(header: Header) -> object:
    return header.acquired
