"""The small values of one slab, a row per participant, filled in while its images are read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.acquisition import CONTRASTS, ContrastName, Slab
from bmx.core.physics import is_violated, physics_residual
from bmx.errors import SourceError
from bmx.ingest.identify import Identified, SlabImages
from bmx.sources.base import Exam, why_refused
from bmx.sources.header import Header
from bmx.store.slabs import empty_affines
from bmx.types import FloatVolume, IntVolume
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, flag_bits

_MOST_DAMAGED = 0.5
"""Part of an image's slices that may be damaged; with more of them, it isn't worth having."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive of the partition, or why there is none to read."""

    exam: Exam | None
    found: Identified | None
    problem: str = ""
    status: str = "unreadable"
    """Of all slabs, if there is none to read."""


@dataclass(slots=True)
class SlabRows:
    """The small per-participant values of one slab, one row for each participant of the partition."""

    participants: int
    affine: npt.NDArray[np.float64] = field(init=False)
    native_slices: npt.NDArray[np.int16] = field(init=False)
    slab_status: npt.NDArray[np.uint8] = field(init=False)
    slab_flags: npt.NDArray[np.uint16] = field(init=False)
    slab_reason: list[str] = field(init=False)
    physics_residual: npt.NDArray[np.float32] = field(init=False)

    def __post_init__(self) -> None:
        rows = self.participants
        self.affine = empty_affines(rows)
        self.native_slices = np.zeros(rows, np.int16)
        self.slab_status = np.full(rows, SLAB_STATUS["absent"], np.uint8)
        self.slab_flags = np.zeros(rows, np.uint16)
        self.slab_reason = [""] * rows
        self.physics_residual = np.full((rows, 2), np.nan, np.float32)

    def record(self, slab: Slab) -> dict[str, npt.NDArray[Any]]:
        """As the work folder keeps them."""
        return {
            f"{slab.name}/affine": self.affine,
            f"{slab.name}/native_slices": self.native_slices,
            f"{slab.name}/slab_status": self.slab_status,
            f"{slab.name}/slab_flags": self.slab_flags,
            f"{slab.name}/slab_reason": np.array(self.slab_reason, np.str_),
            f"{slab.name}/physics_residual": self.physics_residual,
        }

    def conclude(self, row: int, status: str, reason: str, *flags: str) -> None:
        """Fill in what became of a slab."""
        self.slab_status[row], self.slab_reason[row] = SLAB_STATUS[status], reason
        self.slab_flags[row] = flag_bits(flags, SLAB_FLAGS)


def read_slab(
    rows: SlabRows, row: int, one: Opened, slab: Slab, volumes: Mapping[ContrastName, IntVolume], *, physics: bool
) -> None:
    """Fill in one row, and the volumes of its participant.

    Parameters
    ----------
    rows, row : changed in place
    one : the exam
    slab : which one
    volumes : contrast -> (z, y, x) uint16, zeros, filled in; they stay zero where nothing can be read
    physics : whether to check in = W + F and opposed = |W - F|, for which images may be read that aren't kept
    """
    if one.exam is not None and (refused := why_refused(one.exam, slab.number)):
        rows.conclude(row, "unreadable", refused, *one.exam.irregularities)
        return
    if one.exam is None or one.found is None:
        flags = ["archive_unreadable"] if one.status == "unreadable" else []
        rows.conclude(row, one.status, one.problem, *flags)
        return
    images = one.found.slabs.get(slab.number)
    if images is None:
        refusal = why_refused(one.exam, slab.number)
        reason = refusal or f"no series of the archive is slab {slab.number}"
        rows.conclude(row, "unreadable" if refusal else "absent", reason, *one.exam.irregularities)
        return
    noticed = {*images.flags, *one.exam.irregularities}
    damage = {name: _read(one.exam, images, name, volume) for name, volume in volumes.items()}
    for name, problems in damage.items():
        if problems and len(problems) > _MOST_DAMAGED * len(images.station.channels[name].headers):
            for volume in volumes.values():
                volume[:] = 0
            rows.conclude(row, "unreadable", _describe(images, name, problems), *noticed)
            return
    if physics and set(images.station.channels) == set(CONTRASTS):
        residual = rows.physics_residual[row] = _residual(one.exam, images, volumes)
        noticed |= {"physics_violated"} if is_violated(residual) else set()
    unread = [_describe(images, name, problems) for name, problems in damage.items() if problems]
    problem = "; ".join([images.problem, *unread] if images.problem else unread)
    noticed |= {"missing_slices"} if any(damage.values()) else set()
    rows.affine[row] = images.station.affine
    rows.native_slices[row] = images.station.slices
    rows.conclude(row, "incomplete" if problem else "complete", problem, *noticed)


def _describe(images: SlabImages, name: ContrastName, problems: list[str]) -> str:
    return f"{name} has {len(problems)} of {images.station.slices} slices that can't be read: {problems[0]}"


def _read(exam: Exam, images: SlabImages, name: ContrastName, volume: IntVolume) -> list[str]:
    """Read one image as far as it can be read; say what is wrong with the slices that can't, which stay zero."""
    problems: list[str] = []
    if name in images.station.channels:
        images.station.read(name, _tolerant(exam.pixels, problems), volume)
    return problems


def _tolerant(pixels: Callable[[Header], IntVolume], problems: list[str]) -> Callable[[Header], IntVolume]:
    def read(header: Header) -> IntVolume:
        try:
            return pixels(header)
        except SourceError as exc:
            problems.append(str(exc))
            return np.zeros((header.rows, header.columns), np.uint16)

    return read


def _residual(exam: Exam, images: SlabImages, volumes: Mapping[ContrastName, IntVolume]) -> FloatVolume:
    """The physics of four images, of which those that aren't kept are read for this alone."""
    whole = dict(volumes)
    shape = next(iter(volumes.values())).shape
    for name in images.station.channels.keys() - volumes.keys():
        whole[name] = np.zeros(shape, np.uint16)
        _read(exam, images, name, whole[name])
    return physics_residual(**whole)
