"""A mask on its image, in one slice, with everything needed to read it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from bmx.core.geometry import end_letters, voxel_size
from bmx.types import Affine, Mask

Plane = Literal["axial", "coronal"]

_AXES: dict[Plane, tuple[int, int, int]] = {"axial": (0, 1, 2), "coronal": (1, 0, 2)}
"""Array axes (of z, y, x) that a plane cuts, shows upright and shows across."""

_OUTLINE = [withStroke(linewidth=2.5, foreground="black")]


@dataclass(frozen=True, slots=True)
class View:
    """How a region is shown."""

    plane: Plane
    width: float
    """Of the window, mm."""
    height: float
    """Of the window, mm."""
    scale_bar: float
    """mm"""


VIEWS: dict[str, View] = {
    "spine": View("coronal", 240, 190, scale_bar=50),
    "femoral_head": View("axial", 180, 142, scale_bar=30),
    "total_hip": View("coronal", 180, 142, scale_bar=30),
    "femoral_diaphysis": View("axial", 180, 142, scale_bar=30),
}


def draw_overlay(
    axes: Axes,
    image: npt.NDArray[np.floating],
    mask: Mask,
    affine: Affine,
    *,
    view: View,
    colour: str,
    filled: bool = True,
    limits: tuple[float, float] | None = None,
    colour_map: str = "gray",
) -> None:
    """Draw the slice that cuts most of a mask, with the mask's outline, body sides and a scale bar.

    Millimetres are equal in both directions; axial slices are seen from the feet, coronal ones from
    the front, so that the patient's left is on the right.

    Parameters
    ----------
    axes : matplotlib Axes
    image : (z, y, x) float, any unit; NaN is shown as the background
    mask : (z, y, x) bool; the window is centred on it. If it is empty, on the image.
    affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ mm
    view : View
    colour : matplotlib colour of the mask
    filled : tint the inside of the mask, too
    limits : values at the two ends of the colour map; by default 0 and the 99.5th percentile in the window
    colour_map : matplotlib's name of it
    """
    cut, up, across = _AXES[view.plane]
    index = int(np.argmax(mask.sum(axis=(up, across)))) if mask.any() else image.shape[cut] // 2
    picture, inside = (np.take(volume, index, axis=cut) for volume in (image, mask))  # both (up, across)
    size = voxel_size(affine)[::-1]
    rows, columns = picture.shape
    middle = np.argwhere(inside).mean(axis=0) if inside.any() else np.array([rows, columns]) / 2
    window = [
        _window(middle[0] * size[up], view.height, rows * size[up]),
        _window(middle[1] * size[across], view.width, columns * size[across]),
    ]
    # Pixel edges in mm; rows go up in a coronal slice (towards Superior), down in an axial one (towards Posterior).
    bottom, top = window[0] if view.plane == "coronal" else window[0][::-1]
    extent = (0.0, columns * size[across], 0.0, rows * size[up])
    seen = picture[_inside(window[0], size[up]), _inside(window[1], size[across])]
    low, high = limits or (0.0, float(np.percentile(seen, 99.5)) or 1.0)
    axes.imshow(picture, cmap=colour_map, vmin=low, vmax=high, extent=extent, origin="lower", interpolation="bilinear")
    if inside.any():
        y, x = (np.arange(count) * step + step / 2 for count, step in ((rows, size[up]), (columns, size[across])))
        if filled:
            axes.contourf(x, y, inside, levels=[0.5, 1.5], colors=[colour], alpha=0.4)
        axes.contour(x, y, inside, levels=[0.5], colors=[colour], linewidths=1.6)
    axes.set(xlim=window[1], ylim=(bottom, top), xticks=[], yticks=[], aspect="equal", facecolor="black")
    for spine in axes.spines.values():
        spine.set_visible(False)
    _write_sides(axes, affine, view)
    _draw_scale_bar(axes, view)


def _window(middle: float, length: float, available: float) -> tuple[float, float]:
    """A stretch of `length` around `middle`, moved or cut so that it stays in the image."""
    length = min(length, available)
    start = min(max(middle - length / 2, 0), available - length)
    return start, start + length


def _inside(window: tuple[float, float], size: float) -> slice:
    return slice(int(window[0] / size), int(np.ceil(window[1] / size)))


def _write_sides(axes: Axes, affine: Affine, view: View) -> None:
    """Letters of the body's sides at the four edges."""
    x, y, z = end_letters(affine)
    bottom, top = z if view.plane == "coronal" else y[::-1]
    for letter, place, ha, va in (
        (x[0], (0.02, 0.5), "left", "center"),
        (x[1], (0.98, 0.5), "right", "center"),
        (top, (0.5, 0.98), "center", "top"),
        (bottom, (0.5, 0.02), "center", "bottom"),
    ):
        axes.text(
            *place, letter, ha=ha, va=va, color="white", fontsize=11, transform=axes.transAxes, path_effects=_OUTLINE
        )


def _draw_scale_bar(axes: Axes, view: View) -> None:
    """A white bar of known length in the lower left corner."""
    (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    x, y = left + 0.05 * (right - left), bottom + 0.06 * (top - bottom)
    axes.plot(
        [x, x + view.scale_bar], [y, y], color="white", linewidth=2.5, path_effects=_OUTLINE, solid_capstyle="butt"
    )
    axes.text(
        x + view.scale_bar / 2, y + 0.02 * (top - bottom), f"{view.scale_bar:.0f} mm", color="white", fontsize=9.5,
        ha="center", va="bottom", path_effects=_OUTLINE,
    )  # fmt: skip
