"""The task of `convert`: one partition of participants, from their archives into shards and a record."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.acquisition import CONTRASTS, SLABS, ContrastName, Slab
from bmx.core.physics import physics_residual
from bmx.errors import SourceError
from bmx.ingest.identify import Identified, SlabImages, identify
from bmx.ingest.options import ConvertOptions
from bmx.ingest.provenance import series_columns
from bmx.partitions.plan import Partition
from bmx.partitions.work import WorkFolder
from bmx.sources.base import Exam, Source, is_simulated
from bmx.sources.find import source_of
from bmx.store.slabs import empty_affines, write_images
from bmx.types import IntVolume
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, flag_bits

logger = logging.getLogger(__name__)

UNKNOWN = -1
"""In the record: whether an exam is simulated can't be told."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An archive of the partition, or why there is none to read."""

    exam: Exam | None
    found: Identified | None
    problem: str = ""


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


def encode_partition(work_url: str, index: int) -> None:
    """Write the images of one partition, then its record, then its marker.

    Slab by slab, so that memory holds the shards of one slab and no more (`bytes_per_participant`).
    An archive or a slab that can't be read is data: it gets a status and a reason. A disk that is
    full or a folder that may not be written raises, and stops the conversion.
    """
    work = WorkFolder(work_url)
    plan = work.read_plan()
    part, options = plan.partition(index), ConvertOptions.from_plan(plan)
    source = source_of(options.source, layout=options.layout, instance=options.instance)
    with ExitStack() as stack:
        opened = [
            _open(stack, source, options, eid, where)
            for eid, where in zip(part.eids, options.where[part.start : part.stop], strict=True)
        ]
        record = _participant_rows(opened, part)
        for number in options.slabs:
            record |= _write_slab(work.store_url, part, opened, SLABS[number], options.contrasts).record(SLABS[number])
    work.write_record(index, record)
    work.write_marker(index, part.digest)


BYTES_AT_REST = 200_000_000
"""Bytes that a worker process takes before it has read a voxel: interpreter, libraries, Dask."""


def bytes_per_participant(slabs: Sequence[int], contrasts: Sequence[ContrastName]) -> tuple[int, int]:
    """Bytes that one participant takes at most: in one shard, and in the memory of a task.

    A task holds one slab's shards of all contrasts, and the copies that Zarr makes of one of them while
    it is written: two volumes on top are an upper limit, measured with one, two and four contrasts.

    Examples
    --------
    >>> bytes_per_participant([2, 5], ["fat", "water"])
    (5370624, 21482496)
    """
    largest = max(2 * int(np.prod(SLABS[number].stored_shape)) for number in slabs)
    return largest, largest * (len(contrasts) + 2)


def _open(stack: ExitStack, source: Source, options: ConvertOptions, eid: int, where: str) -> Opened:
    try:
        exam = stack.enter_context(source.open_exam(where))
    except SourceError as exc:
        logger.warning("participant %d: %s", eid, exc)
        return Opened(None, None, str(exc))
    if not exam.headers:
        return Opened(exam, None, "the archive holds no DICOM images")
    return Opened(exam, identify(exam.headers, contrasts=options.contrasts))


def _participant_rows(opened: Sequence[Opened], part: Partition) -> dict[str, npt.NDArray[Any]]:
    """What is recorded once per participant or once per series."""
    digests = [one.exam.digest() if one.exam else "" for one in opened]
    simulated = [is_simulated(one.exam) if one.exam and one.exam.headers else UNKNOWN for one in opened]
    return {
        "source_digest": np.array(digests, np.str_),
        "simulated": np.array(simulated, np.int8),
        **series_columns(part.eids, [one.found for one in opened]),
    }


def _write_slab(
    store_url: str, part: Partition, opened: Sequence[Opened], slab: Slab, contrasts: Sequence[ContrastName]
) -> SlabRows:
    """Read one slab of all participants and write its shards."""
    shape = (len(opened), *slab.stored_shape)
    buffers = {contrast: np.zeros(shape, np.uint16) for contrast in contrasts}
    rows = SlabRows(len(opened))
    for row, one in enumerate(opened):
        volumes = {contrast: buffer[row] for contrast, buffer in buffers.items()}
        _read_slab(rows, row, one, slab, volumes)
    write_images(store_url, slab, buffers, start=part.start)
    return rows


def _read_slab(rows: SlabRows, row: int, one: Opened, slab: Slab, volumes: dict[ContrastName, IntVolume]) -> None:
    """Fill in one row, and the volumes of its participant."""
    if one.exam is None or one.found is None:
        rows.slab_status[row], rows.slab_reason[row] = SLAB_STATUS["unreadable"], one.problem
        return
    images = one.found.slabs.get(slab.number)
    if images is None:
        rows.slab_flags[row] = flag_bits(one.exam.irregularities, SLAB_FLAGS)
        rows.slab_reason[row] = f"no series of the archive is slab {slab.number}"
        return
    rows.slab_flags[row] = flag_bits([*images.flags, *one.exam.irregularities], SLAB_FLAGS)
    try:
        _read_volumes(one.exam, images, volumes)
    except SourceError as exc:
        for volume in volumes.values():
            volume[:] = 0
        rows.slab_status[row], rows.slab_reason[row] = SLAB_STATUS["unreadable"], str(exc)
        return
    rows.affine[row] = images.station.affine
    rows.native_slices[row] = images.station.slices
    rows.slab_status[row] = SLAB_STATUS["incomplete" if images.problem else "complete"]
    rows.slab_reason[row] = images.problem
    if set(volumes) == set(CONTRASTS) == set(images.station.channels):
        rows.physics_residual[row] = physics_residual(**volumes)


def _read_volumes(exam: Exam, images: SlabImages, volumes: dict[ContrastName, IntVolume]) -> None:
    for contrast, volume in volumes.items():
        series = images.station.channels.get(contrast)
        if series is not None:
            series.volume(exam.pixels, volume, start=images.station.start(series))
