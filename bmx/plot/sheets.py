"""A flat cut through the body in world millimetres: sampled from slabs that an affine places, and drawn on black."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from scipy.ndimage import map_coordinates

from bmx.plot.style import REGION_COLOURS
from bmx.types import Affine

Picture = npt.NDArray[np.float32]

NIGHT, CHALK, DIM = "black", "#EEEEEE", "#9A9A9A"
"""Background, writing and small writing of figures that are mostly image."""

_SIDES = (("R", "L"), ("A", "P"), ("S", "I"))
"""Of the body along world x, y, z: where the coordinate is highest, and lowest."""

_OUTLINE = [withStroke(linewidth=2.5, foreground="black")]


@dataclass(frozen=True, slots=True)
class Sheet:
    """A rectangle perpendicular to one world axis, with a sample every millimetre.

    It is seen as radiologists see it: Right (or Anterior) at the left, Superior (or Anterior) at the top,
    so that both coordinates fall from the upper left corner on.
    """

    cut: int
    """World axis that it is perpendicular to: 0 sagittal, 1 coronal, 2 axial."""
    at: float
    """Where on that axis, mm."""
    across: tuple[float, float]
    """Lowest and highest coordinate shown from left to right, mm."""
    up: tuple[float, float]
    """Lowest and highest coordinate shown from bottom to top, mm."""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height, mm."""
        return self.across[1] - self.across[0], self.up[1] - self.up[0]

    @property
    def world_axes(self) -> tuple[int, int]:
        """World axes shown across and upright."""
        return ((1, 2), (0, 2), (0, 1))[self.cut]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of samples."""
        width, height = self.size
        return max(1, round(height)), max(1, round(width))

    def rows(self, low: float, high: float) -> slice:
        """Rows whose samples lie from `low` to `high`, mm."""
        (bottom, top), count = self.up, self.shape[0]
        first, stop = (round((top - end) / (top - bottom) * count) for end in (high, low))
        return slice(max(first, 0), max(stop, 0))

    def points(self) -> npt.NDArray[np.float64]:
        """World positions of the samples, (row, column, 3) RAS+ mm; the first is the upper left corner."""
        rows, columns = self.shape
        across, up = self.world_axes
        points = np.full((rows, columns, 3), self.at)
        points[..., across] = np.linspace(*self.across[::-1], 2 * columns + 1)[1::2]
        points[..., up] = np.linspace(*self.up[::-1], 2 * rows + 1)[1::2][:, None]
        return points


def sample(volume: npt.NDArray[np.generic], affine: Affine, points: npt.NDArray[np.float64]) -> Picture:
    """Values of a volume at world positions, interpolated linearly; 0 outside of its voxels.

    Parameters
    ----------
    volume : (z, y, x) any numbers
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm
    points : (..., 3) float64, RAS+ mm

    Returns
    -------
    (...) float32, unit of the volume.

    Examples
    --------
    >>> sample(np.arange(8).reshape(2, 2, 2), np.eye(3, 4), np.array([[0, 0, 0.5], [1, 1, 1], [3, 0, 0]]))
    array([2., 7., 0.], dtype=float32)
    """
    indices = ((points - affine[:, 3]) @ np.linalg.inv(affine[:, :3]).T)[..., ::-1]
    inside = ((indices >= -0.5) & (indices <= np.array(volume.shape) - 0.5)).all(axis=-1)
    found = np.zeros(points.shape[:-1], np.float32)
    found[inside] = map_coordinates(volume.astype(np.float32), indices[inside].T, order=1, mode="nearest")
    return found


def draw_sheet(
    axes: Axes,
    sheet: Sheet,
    picture: Picture,
    *,
    window: tuple[float, float],
    masks: Mapping[str, Picture] | None = None,
) -> None:
    """Draw a sampled sheet with outlines of masks; its millimetres are equal in both directions.

    Parameters
    ----------
    axes : matplotlib Axes
    sheet : Sheet
    picture : (row, column) float32 at its points
    window : what is black and what is white, in the picture's unit
    masks : by region, (row, column) float32 share of the region, 0-1
    """
    extent = (*sheet.across[::-1], *sheet.up)
    axes.imshow(picture, cmap="gray", vmin=window[0], vmax=window[1], extent=extent, origin="upper")
    across, up = (sheet.points()[..., axis] for axis in sheet.world_axes)
    for region, mask in (masks or {}).items():
        if (mask > 0.5).any() and min(mask.shape) > 1:
            axes.contour(across, up, mask, levels=[0.5], colors=[REGION_COLOURS.get(region, CHALK)], linewidths=1.0)
    axes.set(xlim=extent[:2], ylim=extent[2:], aspect="equal")
    darken(axes)


def darken(axes: Axes) -> None:
    """Leave nothing of the axes but their black ground."""
    axes.set(xticks=[], yticks=[], facecolor=NIGHT)
    axes.spines[:].set_visible(False)


def write_sides(axes: Axes, sheet: Sheet) -> None:
    """Letters of the body's sides at the edges: left and right, top and bottom."""
    (left, right), (top, bottom) = (_SIDES[axis] for axis in sheet.world_axes)
    for letter, x, y, ha, va in (
        (left, 0.015, 0.5, "left", "center"),
        (right, 0.985, 0.5, "right", "center"),
        (top, 0.5, 0.99, "center", "top"),
        (bottom, 0.5, 0.01, "center", "bottom"),
    ):
        axes.text(x, y, letter, ha=ha, va=va, color=CHALK, fontsize=10, transform=axes.transAxes, path_effects=_OUTLINE)


def draw_scale_bar(axes: Axes, length: float) -> None:
    """A white bar of so many millimetres in the lower left corner."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    inwards = np.sign(right - left)
    start, y = left + 0.04 * (right - left), bottom + 0.035 * (top - bottom)
    axes.plot(
        [start, start + inwards * length], [y, y], color=CHALK, linewidth=2.2, path_effects=_OUTLINE,
        solid_capstyle="butt",
    )  # fmt: skip
    axes.text(
        start + inwards * length / 2, y + 0.012 * (top - bottom), f"{length:.0f} mm", color=CHALK, fontsize=9,
        ha="center", va="bottom", path_effects=_OUTLINE,
    )  # fmt: skip
