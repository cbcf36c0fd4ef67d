"""The paper's femoral regions, cut out of a mask of the whole bone by its geometry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from bmx.core.femur_axes import Shaft, Side, depth_inside, find_head, find_shaft, image_ends, neck_end
from bmx.core.geometry import check_placed, crop_affine, to_world, voxel_size
from bmx.core.medullary_canal import find_canal
from bmx.core.morphology import bounding_box
from bmx.errors import did_you_mean
from bmx.types import Affine, Mask


@dataclass(frozen=True, slots=True)
class FemurCut:
    """How a femur is cut, and how far inside the bone a region begins.

    The depths are those at which the paper's volumes come out of bones of true size (DOMAIN 4).
    """

    head_depth_mm: float = 7.0
    """From the surface of the head to the region."""
    hip_depth_mm: float = 7.3
    """From the surface of the bone to the region."""
    canal_depth_mm: float = 2.6
    """From the wall of the medullary canal to the region."""
    canal_share: float = 0.46
    """Radius of the canal near its narrowest, relative to the shaft's: used where no image shows the canal."""
    gap_mm: float = 1.5
    """Between head and total hip."""
    hip_length: float = 1.5
    """From the meeting of the axes of neck and shaft down to the lower end of the lesser trochanter, in radii of the
    head."""
    diaphysis_mm: float = 45.0
    """Length of the diaphysis, around the narrowest section."""


_ALIKE = 1.1
"""Sections up to so much larger than the smallest count as narrowest: an area is known to a few percent."""
_SMOOTH_MM = 15.0
_KNOB = 0.8
"""Radius of the ball that rolls through the hip and doesn't fit into the lesser trochanter, relative to the shaft's."""


def cut_femur(
    mask: Mask, affine: Affine, side: Side, *, signal: npt.NDArray[Any] | None = None, cut: FemurCut | None = None
) -> Mapping[str, Mask]:
    """Femoral head, total hip and diaphysis (their inner marrow) of one femur.

    - **femoral_head**: the largest sphere inside the medial end of the proximal third, fitted to the bone's surface.
    - **total_hip**: neck, and the part between the trochanters, from the head to the lower end of the lesser
      trochanter. The knob of the lesser trochanter itself doesn't belong to it.
    - **femoral_diaphysis**: 45 mm around the narrowest section of the medullary canal, if there is an image in which
      that is seen; otherwise around the narrowest section of the bone or, where the shaft is alike over a long way,
      around the middle of that, with a canal of a usual width.

    A region is given only where it can be known: not the head if the image ends within it, nor then the total hip,
    which begins at the head; not the total hip if the image ends above the lesser trochanter; not the diaphysis if the
    narrowest section may lie outside the image. The image is the array: stitch slabs before, rather than cut each.

    On 24 simulated femora (12 bodies, 2.2 × 2.2 × 3.5 mm) Dice is 0.99 for the head, 0.93 for the hip and, with an
    image, 0.95 for the diaphysis. Without one it is 0.66: where a canal is narrowest can't be told from outside to
    better than a centimetre or two. Real lesser trochanters vary more than simulated ones.

    Parameters
    ----------
    mask : (z, y, x) bool, the whole bone of one femur, or as much of it as was imaged; z runs along the body
    affine : (3, 4) float64
    side : "left" or "right", of the body
    signal : (z, y, x) any real dtype, arbitrary units, in which marrow is bright: fat + water, or in-phase
    cut : FemurCut

    Returns
    -------
    Region name -> (z, y, x) bool. Regions that can't be had are missing, so that an empty mapping is possible.

    Raises
    ------
    ValueError
        The mask isn't a volume, the signal is on another grid, the affine isn't finite, or the side is unknown or the
        other one.

    Examples
    --------
    >>> cut_femur(np.zeros((9, 9, 9), bool), np.eye(3, 4), "left")
    {}

    References
    ----------
    Morris et al. 2024, section 2.6, for what the regions are.
    """
    _check(mask, affine, side, signal)
    cut = cut or FemurCut()
    box = bounding_box(mask)
    if box is None:
        return {}
    # The ends along z stay as they are: they say where the image ends. Elsewhere a margin lies outside the bone.
    inside = (slice(None), *box[1:])
    bone = np.pad(_largest_part(mask[inside]), ((0, 0), (1, 1), (1, 1)))
    here = crop_affine(affine, (slice(0, None), *box[1:]))
    here[:, 3] -= here[:, 0] + here[:, 1]
    given: dict[str, Mask] = {}
    image = None if signal is None else np.pad(signal[inside], ((0, 0), (1, 1), (1, 1)))
    for name, part in _parts(bone, here, side, image, cut).items():
        if part.any():
            given[name] = np.zeros(mask.shape, np.bool_)
            given[name][inside] = part[:, 1:-1, 1:-1]
    return given


def _parts(bone: Mask, affine: Affine, side: Side, signal: npt.NDArray[Any] | None, cut: FemurCut) -> dict[str, Mask]:
    """Regions of a femur in a crop around it."""
    depth = depth_inside(bone, affine)
    shaft = find_shaft(bone, affine)
    head = find_head(bone, affine, depth, side, shaft)
    other: Side = "right" if side == "left" else "left"
    if head is None and shaft is not None and find_head(bone, affine, depth, other, shaft) is not None:
        raise ValueError(
            f"the head of this femur lies on the {side} of its shaft, expected the {other} for side={side!r}, towards "
            f"the middle of the body; give side={other!r}, or check the affine and the labels of the sides"
        )
    places = to_world(affine, np.moveaxis(np.indices(bone.shape), 0, -1))
    parts: dict[str, Mask] = {}
    if head is not None:
        from_head = np.linalg.norm(places - head.centre, axis=-1) - head.radius
        parts["femoral_head"] = bone & (from_head < -cut.head_depth_mm)
        if shaft is not None:
            low = float(neck_end(bone, affine, head, shaft)[2]) - cut.hip_length * head.radius
            if low > image_ends(bone.shape, affine)[0]:
                smooth = _without_knobs(bone, affine, _KNOB * shaft.radius)
                deep = depth_inside(smooth, affine) > cut.hip_depth_mm
                parts["total_hip"] = _largest_part(deep & (from_head > cut.gap_mm) & (places[..., 2] > low))
    if shaft is not None:
        canal = None if signal is None else find_canal(bone, affine, depth, signal, shaft)
        if canal is None:
            middle = _narrowest(shaft, affine, image_ends(bone.shape, affine))
            marrow = depth > shaft.radius * (1 - cut.canal_share) + cut.canal_depth_mm
        else:
            middle = canal.narrowest()
            marrow = bone & canal.inside(bone.shape, affine, depth_mm=cut.canal_depth_mm)
        half = cut.diaphysis_mm / 2
        if middle is not None and shaft.low < middle - half and middle + half < shaft.high:
            parts["femoral_diaphysis"] = marrow & (np.abs(places[..., 2] - middle) < half)
    return parts


def _narrowest(shaft: Shaft, affine: Affine, ends: tuple[float, float]) -> float | None:
    """Height of the middle of the narrowest stretch of the shaft, mm; None if that reaches an end of the image."""
    step = voxel_size(affine)[2]
    area = ndimage.uniform_filter1d(shaft.areas, max(1, round(_SMOOTH_MM / step)), mode="nearest")
    narrow = shaft.heights[area <= _ALIKE * area.min()]
    low, high = float(narrow.min()), float(narrow.max())
    if low - 1.5 * step < ends[0] or high + 1.5 * step > ends[1]:
        return None
    return (low + high) / 2


def _without_knobs(bone: Mask, affine: Affine, radius: float) -> Mask:
    """What a ball can reach from within: an opening by distances, the same in millimetres along every axis."""
    centres = depth_inside(bone, affine) >= radius
    if not centres.any():
        return bone
    x, y, z = voxel_size(affine)
    to_centre = ndimage.distance_transform_edt(~centres, sampling=(z, y, x))
    return np.asarray(bone & (to_centre <= radius + 0.25 * (x + y)), np.bool_)


def _largest_part(mask: Mask) -> Mask:
    """The largest of the parts that touch at faces: crumbs of a segmentation have no geometry."""
    parts, found = ndimage.label(mask)
    if found < 2:
        return mask
    size = np.bincount(parts.ravel())
    size[0] = 0
    return np.asarray(parts == size.argmax(), np.bool_)


def _check(mask: Mask, affine: Affine, side: str, signal: npt.NDArray[Any] | None) -> None:
    check_placed(mask, affine, "a femur")
    if signal is not None and signal.shape != mask.shape:
        raise ValueError(
            f"a signal must lie on the mask's grid, expected shape {mask.shape}, found {signal.shape}; "
            "resample one of them"
        )
    if side not in ("left", "right"):
        raise ValueError(f"no side is called {side!r}; {did_you_mean(str(side), ('left', 'right'))}")
