"""Bodies, contrasts, grids and artefacts drawn far beyond what is realistic, as a dataset that needs no files.

A network that has seen everything takes a real image for one more variation (domain randomisation). Nothing
here is meant to look like a person.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from scipy import ndimage
from torch import Tensor
from torch.utils.data import Dataset

from bmx.core.receiver import smooth_field
from bmx.regions import REGIONS
from bmx.simulation.anatomy.body import Anatomy, draw_anatomy
from bmx.simulation.anatomy.spine import bend
from bmx.simulation.bodies import paint_body
from bmx.simulation.labels import LABELS
from bmx.simulation.marrow_masks import known_structures
from bmx.simulation.painting.canvas import Canvas
from bmx.simulation.painting.random_palette import RandomPalette
from bmx.types import FloatVolume


class Example(NamedTuple):
    """One drawn image and what is in it."""

    volume: Tensor
    """(1, z, y, x) float32: median near 0, spread near 1."""
    labels: Tensor
    """(z, y, x) int64: numbers of `bmx.simulation.labels.LABELS`."""


@dataclass(frozen=True, slots=True)
class View:
    """What part of the body is looked at, and how finely. z runs to Superior, y to Posterior, x to Left."""

    shape: tuple[int, int, int]
    """(z, y, x) voxels."""
    spacing_mm: tuple[float, float, float]
    """Along z, y, x, of the tensor that comes out."""
    around: str = "L3"
    """A name of `LABELS` near whose place the middle lies."""
    roam_mm: float = 30.0
    """How far from it the middle may lie."""
    turn_deg: float = 12.0
    """Largest rotation about each axis."""


class RandomisedBodies(Dataset[Example]):
    """Images of random bodies on demand.

    Item `i` depends on `seed` and `i` alone, so that any number of loader processes gives the same examples,
    and no two items share a body.
    """

    def __init__(self, view: View, n: int, seed: int) -> None:
        self.view, self.n, self.seed = view, n, seed

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, index: int) -> Example:
        if not 0 <= index < self.n:
            raise IndexError(index)
        rng = np.random.default_rng([self.seed, index])
        anatomy = draw_strange_body(rng)
        painted, labels, spacing = _paint(anatomy, self.view, rng)
        volume, labels = _resample(painted, labels, spacing, self.view, rng)
        seen = standardise(degrade(volume, rng))
        return Example(torch.from_numpy(seen)[None], torch.from_numpy(labels.astype(np.int64)))


def draw_strange_body(rng: np.random.Generator) -> Anatomy:
    """A body of any size, fatness, age and marrow, perhaps with a bent spine or a broken vertebra."""
    person: dict[str, Any] = {
        "eid": 0, "sex": str(rng.choice(["Male", "Female"])), "age": float(rng.uniform(20, 90)),
        "height": float(rng.uniform(145, 205)), "bmi": float(rng.uniform(16, 42)),
        **{f"bmff_{region}": float(rng.uniform(5, 97)) for region in REGIONS},
    }  # fmt: skip
    anatomy = draw_anatomy(person, rng)
    vertebrae = tuple(
        replace(
            vertebra, front=float(rng.uniform(0.75, 1.1)), height=vertebra.height * float(rng.uniform(0.92, 1.08)),
            radius_x=vertebra.radius_x * float(rng.uniform(0.93, 1.08)),
            radius_y=vertebra.radius_y * float(rng.uniform(0.93, 1.15)), marbling=float(rng.uniform(0, 12)),
        )
        for vertebra in anatomy.spine.vertebrae
    )  # fmt: skip
    discs = tuple(disc * float(rng.uniform(0.7, 1.25)) for disc in anatomy.spine.disc_heights)
    # Bending stacks the vertebrae anew, with the sizes that they have now.
    spine = bend(replace(anatomy.spine, vertebrae=vertebrae, disc_heights=discs), abs(rng.normal(0, 7)), rng)
    return replace(anatomy, spine=spine)


def middle_of(anatomy: Anatomy, name: str) -> npt.NDArray[np.float64]:
    """Place of a structure of `LABELS`, (x, y, z) mm."""
    left, right = anatomy.femora
    places: Mapping[str, Any] = {vertebra.name: vertebra.centre for vertebra in anatomy.spine.vertebrae} | {
        "sacrum": anatomy.spine.promontory,
        **{f"{region}_{side}": femur.head if region == "femoral_head" else femur.neck_end
           for side, femur in (("left", left), ("right", right)) for region in ("femoral_head", "total_hip")},
        **{f"femoral_diaphysis_{side}": (femur.neck_end[0], femur.neck_end[1], femur.isthmus_z)
           for side, femur in (("left", left), ("right", right))},
    }  # fmt: skip
    assert set(places) == set(LABELS)
    return np.asarray(places[name], float)


def _paint(
    anatomy: Anatomy, view: View, rng: np.random.Generator
) -> tuple[FloatVolume, npt.NDArray[np.uint8], tuple[float, float, float]]:
    """The body on a grid of random spacing that is large enough to be turned in."""
    spacing = tuple(step * float(rng.uniform(0.8, 1.3)) for step in view.spacing_mm)
    reach = [count * step * 1.15 + 12 for count, step in zip(view.shape, view.spacing_mm, strict=True)]
    shape = tuple(int(np.ceil(length / step)) for length, step in zip(reach, spacing, strict=True))
    centre = middle_of(anatomy, view.around) + rng.uniform(-1, 1, 3) * view.roam_mm * np.array([0.35, 1, 1])
    (dz, dy, dx), (nz, ny, nx) = spacing, shape
    affine = np.array(
        [
            [-dx, 0, 0, centre[0] + dx * (nx - 1) / 2],
            [0, -dy, 0, centre[1] + dy * (ny - 1) / 2],
            [0, 0, dz, centre[2] - dz * (nz - 1) / 2],
        ]
    )
    fine = (1 + (dz > 2.5), 1 + (dy > 2.5), 1 + (dx > 2.5))
    canvas = Canvas((nz, ny, nx), affine, RandomPalette(rng), fine=fine)
    paint_body(canvas, anatomy, float(rng.normal(0, 10)))
    labels, _ = known_structures(canvas, anatomy)
    return canvas.finish()[0], labels, (dz, dy, dx)


def _resample(
    volume: FloatVolume, labels: npt.NDArray[np.uint8], spacing: tuple[float, float, float], view: View,
    rng: np.random.Generator,
) -> tuple[FloatVolume, npt.NDArray[np.uint8]]:  # fmt: skip
    """Turn, stretch and warp onto the grid of the view."""
    angles = np.deg2rad(rng.uniform(-1, 1, 3) * view.turn_deg)
    turn = np.eye(3)
    for axis, angle in enumerate(angles):
        one, other = (k for k in range(3) if k != axis)
        step = np.eye(3)
        step[one, one] = step[other, other] = np.cos(angle)
        step[one, other], step[other, one] = -np.sin(angle), np.sin(angle)
        turn = turn @ step
    stretch = np.diag(rng.uniform(0.9, 1.1, 3))
    # Voxel of the view -> mm from its middle -> mm in the body -> voxel of what was painted.
    scale = np.diag(1 / np.array(spacing)) @ turn @ stretch @ np.diag(view.spacing_mm)
    middle, target = (np.array(volume.shape) - 1) / 2, (np.array(view.shape) - 1) / 2
    index = np.indices(view.shape, dtype=np.float32).reshape(3, -1) - target[:, None].astype(np.float32)
    at = (scale.astype(np.float32) @ index).reshape(3, *view.shape) + middle[:, None, None, None].astype(np.float32)
    for axis, voxel_mm in enumerate(spacing):
        at[axis] += np.float32(rng.uniform(0, 3.0) / voxel_mm) * smooth_field(view.shape, rng, (4, 4, 4))
    if rng.random() < 0.5:
        at[2] = at[2, :, :, ::-1]  # left and right look alike
    return (
        ndimage.map_coordinates(volume, at, order=1, mode="constant", cval=0.0),
        ndimage.map_coordinates(labels, at, order=0, mode="constant", cval=0),
    )


def degrade(volume: FloatVolume, rng: np.random.Generator) -> FloatVolume:
    """Blur, sensitivity of coils, gamma, noise, and sometimes a black band; bright tissue comes out near 1."""
    blurred = ndimage.gaussian_filter(volume, rng.uniform(0, 0.9, 3) * (rng.random() < 0.7))
    slope = [np.linspace(-1, 1, length, dtype=np.float32) * np.float32(rng.normal(0, 0.5)) for length in volume.shape]
    # A surface coil is ten times as sensitive to what lies on it.
    falloff = slope[0][:, None, None] + np.float32(1.2) * slope[1][:, None] + np.float32(0.5) * slope[2]
    sensitive = np.exp(np.float32(rng.uniform(0, 0.4)) * smooth_field(volume.shape, rng) + falloff)
    seen: FloatVolume = np.abs(blurred * sensitive)
    seen /= max(float(np.percentile(seen, 99)), 1e-6)
    seen = seen ** np.float32(np.exp(rng.normal(0, 0.25)))
    noise = np.float32(rng.uniform(0, 0.03))
    seen = np.hypot(
        seen + noise * rng.standard_normal(seen.shape, dtype=np.float32),
        noise * rng.standard_normal(seen.shape, dtype=np.float32),
    )
    if rng.random() < 0.2:
        _black_out(seen, rng)
    return seen


def standardise(volume: FloatVolume) -> FloatVolume:
    """Median 0 and a spread of 1, whatever the scanner's units: what a trained network must be given too."""
    low, middle, high = np.percentile(volume, [5, 50, 95])
    return ((volume - np.float32(middle)) / np.float32(max(high - low, 1e-6))).astype(np.float32)


def _black_out(volume: FloatVolume, rng: np.random.Generator) -> None:
    """Saturate a band, in place: what scanners do to keep moving tissue from smearing over the rest."""
    axis = int(rng.integers(2))
    length = volume.shape[axis]
    width = int(length * rng.uniform(0.1, 0.35))
    band = slice(0, width) if rng.random() < 0.5 else slice(length - width, length)
    volume[(band,) if axis == 0 else (slice(None), band)] *= np.float32(rng.uniform(0, 0.3))
