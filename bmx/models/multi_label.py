"""The paper's regions from one model that labels many bones: each volume is labelled once, whatever is asked of it."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bmx.core.femur_parts import FemurCut, cut_femur
from bmx.core.geometry import centroid, voxel_volume
from bmx.core.vertebral_bodies import vertebral_marrow
from bmx.errors import ModelError
from bmx.models.base import Drawing, RegionModel, Side
from bmx.models.digests import digest_of
from bmx.models.label_tables import FEMORAL, LabelTable, get_table
from bmx.types import Affine, IntVolume, Mask

Labels = npt.NDArray[np.unsignedinteger[Any]]
"""(z, y, x), 0 is anything else."""

_KEPT = 4
"""Volumes whose answers a process keeps: one for each of a few threads. The regions of a slab are drawn in a row."""
_SURE_ML = 20.0
"""Two femora of at least this volume are no specks, and their places tell left from right."""


class LabelModel(Protocol):
    """Gives labels for a volume. Small, as it travels to the workers: what is large is loaded there."""

    @property
    def name(self) -> str:
        """For messages."""

    @property
    def digest(self) -> str:
        """Of whatever decides the labels."""

    @property
    def simulated(self) -> bool:
        """Trained on simulated anatomy."""

    def label(self, fat: IntVolume, water: IntVolume, affine: Affine) -> Labels:
        """Labels of one volume, on its grid; see `bmx.models.base.RegionModel.draw` for what it is given."""


def from_labels(
    model: LabelModel, *, labels: str | LabelTable | Mapping[str, int], cut: FemurCut | None = None
) -> dict[str, RegionModel]:
    """Models of all regions that the labels of one model give.

    Parameters
    ----------
    model : LabelModel
    labels : name of one of `LABEL_TABLES`, a `LabelTable`, or region -> label
    cut : how regions are cut out of a femur

    Returns
    -------
    Region -> model, for `bmx.segment(slabs, models=...)`.
    """
    table = get_table(labels)
    return {region: LabelledRegion(model, region, table, cut or FemurCut()) for region in table.drawn()}


@dataclass(frozen=True, slots=True)
class LabelledRegion:
    """One region, as the labels of a model give it; see `bmx.models.base.RegionModel`."""

    model: LabelModel
    region: str
    table: LabelTable
    cut: FemurCut

    @property
    def digest(self) -> str:
        """Of the model, the table, and how bones are cut."""
        return digest_of(self.model.digest, self.region, self.table, self.cut)

    @property
    def simulated(self) -> bool:
        """Trained on simulated anatomy: refused on images of people unless asked for."""
        return self.model.simulated

    @property
    def sure(self) -> float:
        """Unknown: labels don't say how sure they are."""
        return float("nan")

    def draw(self, fat: IntVolume, water: IntVolume, affine: Affine, *, side: Side = "left") -> Drawing:
        """Draw the region in one volume. Labels say nothing of how sure they are: confidence is NaN.

        Raises
        ------
        ModelError
            If the model's left femur lies on the right: it was shown another orientation than it has learned.
        """
        mask = np.zeros(fat.shape, np.uint8)
        if fat.any() or water.any():
            labels = _labels_of(self.model, fat, water, affine)
            own = self.table.label_of(self.region, side)
            if own is not None:
                mask[labels == own] = 1
            elif self.region == "spine":
                bones = np.isin(labels, self.table.vertebrae)
                mask[vertebral_marrow(bones, affine, arches=self.table.arches)] = 1
            else:
                mask[self._part_of_femur(labels, fat, water, affine, side)] = 1
        return Drawing(mask, float("nan"))

    def _part_of_femur(self, labels: Labels, fat: IntVolume, water: IntVolume, affine: Affine, side: Side) -> Mask:
        """Voxels of the region."""
        assert self.region in FEMORAL
        assert self.table.femora is not None
        left, right = (labels == label for label in self.table.femora)
        _check_sides(left, right, affine, self.model.name)
        signal = fat.astype(np.float32) + water.astype(np.float32)
        try:
            parts = cut_femur(left if side == "left" else right, affine, side, signal=signal, cut=self.cut)
        except ValueError as exc:
            raise ModelError(f"the femur that the model {self.model.name} drew can't be cut: {exc}") from exc
        return parts.get(self.region, np.zeros(labels.shape, np.bool_))


def _check_sides(left: Mask, right: Mask, affine: Affine, name: str) -> None:
    """Refuse labels whose left lies on the right: a flipped axis draws everybody's other leg, and nobody notices."""
    least = _SURE_ML / voxel_volume(affine)
    if left.sum() < least or right.sum() < least:
        return
    left_x, right_x = centroid(left, affine)[0], centroid(right, affine)[0]
    if left_x > right_x:
        raise ModelError(
            f"the model {name} has its left femur {left_x - right_x:.0f} mm to the right of the right one: it was "
            "shown the slab in another orientation than it has learned, or the affine of this slab is wrong. "
            "Give the model's own orientation="
        )


_answers: OrderedDict[tuple[str, bytes], tuple[LabelModel, Labels]] = OrderedDict()
_lock = threading.Lock()


def _labels_of(model: LabelModel, fat: IntVolume, water: IntVolume, affine: Affine) -> Labels:
    """What the model answers, from the last few answers of this process if it is among them."""
    seen = hashlib.blake2b(digest_size=16)
    arrays: tuple[npt.NDArray[Any], ...] = (fat, water, affine)
    for array in arrays:
        seen.update(str(array.shape).encode())
        seen.update(array.tobytes())
    key = (model.digest, seen.digest())
    with _lock:
        kept = _answers.get(key)
        # In a notebook a function is changed more often than its version: only the very same one has answered already.
        if kept is not None and kept[0] == model:
            _answers.move_to_end(key)
            return kept[1]
    labels = model.label(fat, water, affine)
    if labels.shape != fat.shape:
        raise ModelError(f"the model {model.name} gave labels of shape {labels.shape}, expected {fat.shape}")
    with _lock:
        _answers[key] = model, labels
        while len(_answers) > _KEPT:
            _answers.popitem(last=False)
    return labels
