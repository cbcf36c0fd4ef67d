"""The task of `convert`: one partition of participants, from their archives into shards and a record."""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.acquisition import SLABS, ContrastName
from bmx.errors import SourceError
from bmx.ingest.earlier import find_earlier
from bmx.ingest.identify import identify
from bmx.ingest.options import ConvertOptions
from bmx.ingest.provenance import Row, series_columns, series_rows
from bmx.ingest.slab_rows import Opened, SlabRows, read_slab
from bmx.partitions.rescue import DIED
from bmx.partitions.work import WorkFolder
from bmx.sources.base import Source, is_simulated
from bmx.sources.find import source_of
from bmx.sources.places import is_there
from bmx.store.slabs import write_images
from bmx.store.withdrawal import REASON, is_tombstone
from bmx.types import IntVolume

logger = logging.getLogger(__name__)

UNKNOWN = -1
"""In the record: whether an exam is simulated can't be told."""


def encode_partition(work_url: str, index: int, *, only: int | None = None, without: Collection[int] = ()) -> None:
    """Write the images of one partition, then its record, then its marker.

    Exams are opened one after another: an open archive takes as much memory as its images. Participants that
    the partition holds already are taken from the store, since their archives may be gone (see `earlier`).
    An archive that is gone, or an archive or a slab that can't be read, is data: it gets a status and a reason.
    A disk that is full or away or a folder that may not be written raises, and stops the conversion.

    Parameters
    ----------
    work_url, index : the work folder, and which partition of its plan
    only : read this participant of the partition alone (counted from 0) and write nothing
    without : participants of the partition (counted from 0) whose archives killed their worker and aren't opened
    """
    work = WorkFolder(work_url)
    plan = work.read_plan()
    part, options = plan.partition(index), ConvertOptions.from_plan(plan)
    source = source_of(options.source, layout=options.layout, instance=options.instance)
    before = find_earlier(work, part, options.slabs)
    if only is None and not before.others:  # the worker that did it died before anybody knew
        work.write_marker(index, part.digest)
        return
    rows = before.others if only is None else [only]
    block = Block(options, rows, participants=len(part.eids)) if only is None else Block(options, [0])
    for place, row in enumerate(rows):
        with ExitStack() as stack:
            if row in without:
                one = Opened(None, None, DIED)
            elif is_tombstone(part.eids[row]):
                one = Opened(None, None, REASON, "withdrawn")
            else:
                one = open_exam(stack, source, options, part.eids[row], options.where[part.start + row])
            block.read(place, one)
    if only is not None:
        return
    record = before.joined(block.record([part.eids[row] for row in rows]))
    for number in options.slabs:
        before.fill(SLABS[number], images := block.images.pop(number))
        write_images(work.store_url, SLABS[number], images, start=part.start)
    work.write_record(index, record)
    work.write_marker(index, part.digest)


class Block:
    """What participants of one partition turn out to be, filled in one by one among those of an earlier call.

    Parameters
    ----------
    options : which images are kept
    rows : of those that are read in the images of all, growing
    participants : all of them, by default those that are read
    """

    def __init__(self, options: ConvertOptions, rows: Sequence[int], *, participants: int | None = None) -> None:
        everyone = len(rows) if participants is None else participants
        self.images: dict[int, dict[ContrastName, IntVolume]] = {
            number: {name: np.zeros((everyone, *SLABS[number].stored_shape), np.uint16) for name in options.contrasts}
            for number in options.slabs
        }
        self._places = rows
        self._rows = {number: SlabRows(len(rows)) for number in options.slabs}
        self._digests: list[str] = []
        self._simulated: list[int] = []
        self._series: list[list[Row]] = []
        self._physics = options.physics

    def read(self, row: int, one: Opened) -> None:
        """Take over everything of one exam, the next one of those that are read, so that it can be closed."""
        for number, images in self.images.items():
            volumes = {name: buffer[self._places[row]] for name, buffer in images.items()}
            read_slab(self._rows[number], row, one, SLABS[number], volumes, physics=self._physics)
        self._digests.append(one.exam.digest() if one.exam else "")
        self._simulated.append(is_simulated(one.exam) if one.exam and one.exam.headers else UNKNOWN)
        self._series.append(series_rows(one))

    def record(self, eids: Sequence[int]) -> dict[str, npt.NDArray[Any]]:
        """All small values, as the work folder keeps them."""
        record: dict[str, npt.NDArray[Any]] = {
            "source_digest": np.array(self._digests, np.str_),
            "simulated": np.array(self._simulated, np.int8),
            **series_columns(eids, self._series),
        }
        for number, rows in self._rows.items():
            record |= rows.record(SLABS[number])
        return record


def open_exam(stack: ExitStack, source: Source, options: ConvertOptions, eid: int, where: str) -> Opened:
    """Open one archive and say what it holds; what is gone or can't be read is a problem, not an error.

    Raises
    ------
    SourceError
        If the folder of all archives is gone, too: that is no participant's fault, and would cost them all.
    """
    try:
        exam = stack.enter_context(source.open_exam(where))
    except (SourceError, FileNotFoundError) as exc:
        if not is_there(options.source):
            raise SourceError(
                f"expected archives below {options.source}, found nothing there any more; make the folder "
                "reachable (is its disk mounted?) and call again, what is done stays done"
            ) from exc
        problem = str(exc) if isinstance(exc, SourceError) else f"there is nothing at {where}"
        logger.warning("participant %d: %s", eid, problem)
        return Opened(None, None, problem)
    if not exam.headers:
        return Opened(exam, None, "the archive holds no DICOM images")
    return Opened(exam, identify(exam.headers, contrasts=options.contrasts, pixels=exam.pixels))
