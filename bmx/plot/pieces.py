"""A piece of a body in one axial slice, cut out by where its tissue is: a trunk without the arms, one leg."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from scipy.ndimage import binary_fill_holes, label

from bmx.acquisition import ContrastName
from bmx.core.geometry import voxel_size
from bmx.errors import SourceError
from bmx.plot.real import AxialSlice, read_middle_slice
from bmx.plot.sheets import Sheet, draw_sheet, write_sides
from bmx.plot.stations import Station
from bmx.types import Mask

_BODY = 0.1
"""Share of the brightest tissue from which a pixel belongs to the body."""

_WAIST = 0.6
"""Two legs touch where tissue is at most so tall, compared with the tallest place."""


@dataclass(frozen=True, slots=True)
class Piece:
    """All contrasts of one slice, and the box that is looked at."""

    slices: Mapping[ContrastName, AxialSlice]
    middle: tuple[float, float]
    """Of the box, down and to the right from the upper left corner of the slice, mm."""
    size: tuple[float, float]
    """Height and width of the box, mm."""


def real_piece(files: Mapping[ContrastName, str | Path]) -> Piece:
    """The largest piece in the middle slice of somebody else's images.

    Raises
    ------
    SourceError
        If a file can't be read, or the contrasts have different grids.
    """
    slices = {contrast: read_middle_slice(place) for contrast, place in files.items()}
    if len(grids := {one.pixels.shape for one in slices.values()}) > 1:
        raise SourceError(f"the contrasts of one image must have one grid, found {grids} in {list(files.values())}")
    return _cut(slices, None)


def simulated_piece(station: Station, voxel: tuple[int, int, int], contrasts: tuple[ContrastName, ...]) -> Piece:
    """The piece around a voxel (z, y, x), in its slice."""
    across, upright, _ = (float(length) for length in voxel_size(station.affine))
    slices = {
        contrast: AxialSlice(station.images[contrast][voxel[0]].astype(np.float32), (upright, across))
        for contrast in contrasts
    }
    return _cut(slices, voxel[1:])


def draw_piece(axes: Axes, piece: Piece, contrast: ContrastName, size: tuple[float, float]) -> None:
    """Draw one contrast in a box of `size` (height, width; mm) about the piece, from its 1st to its 99th percentile."""
    pixels, pixel_mm = piece.slices[contrast].pixels, piece.slices[contrast].pixel_mm
    height, width = (count * length for count, length in zip(pixels.shape, pixel_mm, strict=True))
    rows, columns = (
        slice(max(int((middle - length / 2) / step), 0), int((middle + length / 2) / step) + 1)
        for middle, length, step in zip(piece.middle, size, pixel_mm, strict=True)
    )
    black, white = np.percentile(pixels[rows, columns], [1, 99])
    # Coordinates fall to the right and downwards, as on every sheet.
    sheet = Sheet(2, 0.0, across=(-width, 0), up=(-height, 0))
    draw_sheet(axes, sheet, pixels, window=(float(black), max(float(white), float(black) + 1e-6)))
    (down, right), (tall, wide) = piece.middle, size
    axes.set(xlim=(wide / 2 - right, -wide / 2 - right), ylim=(-tall / 2 - down, tall / 2 - down))
    write_sides(axes, sheet)


def _cut(slices: Mapping[ContrastName, AxialSlice], around: tuple[int, int] | None) -> Piece:
    """Find the connected tissue around a pixel (y, x), or the largest one."""
    first = next(iter(slices.values()))
    body = np.zeros(first.pixels.shape, np.bool_)
    for one in slices.values():
        body |= one.pixels > _BODY * np.percentile(one.pixels, 99.5)
    pieces, count = label(binary_fill_holes(body))
    if not count:
        raise SourceError("no tissue can be told from the background of an image, all of it is alike")
    sizes = np.bincount(pieces.ravel())[1:]
    number = pieces[around] if around is not None and pieces[around] else np.argmax(sizes) + 1
    chosen = pieces == number
    if around is not None:
        chosen &= _same_leg(chosen, around[1])
    places, (upright, across) = np.argwhere(chosen), first.pixel_mm
    (top, left), (bottom, right) = places.min(axis=0), places.max(axis=0) + 1
    return Piece(
        slices,
        middle=((top + bottom) / 2 * upright, (left + right) / 2 * across),
        size=((bottom - top) * upright, (right - left) * across),
    )


def _same_leg(body: Mask, column: int) -> Mask:
    """Columns on the same side as `column` of a waist between two legs that touch, (x,); all if there is none."""
    tall = body.sum(axis=0)
    left, right = np.flatnonzero(tall)[[0, -1]]
    third = (right - left) // 3
    waist = left + third + int(np.argmin(tall[left + third : right - third + 1]))
    columns = np.arange(len(tall))
    if tall[waist] > _WAIST * tall.max():
        return np.full(len(tall), True)
    return np.asarray(columns > waist if column > waist else columns < waist)
