"""A corpus of 520 archives that are damaged or made to harm: each ends as data with a reason."""

from __future__ import annotations

import signal
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import numpy as np
import pytest
import xarray as xr
from distributed import Client

from bmx.acquisition import CONTRASTS
from bmx.errors import SourceError
from bmx.ingest.conversion import convert
from bmx.ingest.identify import identify
from bmx.sources.archive import LARGEST_MEMBER, Archive, read_archive
from bmx.sources.base import Exam
from bmx.sources.dicom_tags import header_by_pydicom, read_pixels
from bmx.sources.plausible import implausible
from bmx.sources.ukb_zip import UkbZips
from bmx.variables import SLAB_STATUS
from tests.hostile import EACH, KINDS, hostile_zips

# pydicom says which guesses it made about damaged files; here that is its job.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SECONDS = 60
"""For one archive of a few kilobytes: only what hangs takes so long, however busy the machine is."""
MOST_BYTES = 6 * LARGEST_MEMBER
"""For one archive: the largest member, inflated, and what a general reader copies of it."""

KINDS_WITHOUT_EXAM = {"truncated"}
"""Without its list of members an archive is nothing; of all other kinds some are usable."""


@contextmanager
def watchdog(what: str) -> Iterator[None]:
    """Stop what hangs."""

    def bark(_number: int, _frame: FrameType | None) -> None:
        raise TimeoutError(f"{what} took more than {SECONDS} s")

    before = signal.signal(signal.SIGALRM, bark)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def little_memory(what: str) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < MOST_BYTES, f"{what} took {peak} bytes"


def read_whole(exam: Exam) -> int:
    """Read every slab and every image as far as possible; give the number of images."""
    found = identify(exam.headers, contrasts=tuple(CONTRASTS), pixels=exam.pixels)
    assert sum(len(line.series.headers) for line in found.lines) == len(exam.headers), "an image was lost"
    assert all(line.used or line.reason for line in found.lines)
    read, reasons = 0, list[str]()
    for header in exam.headers:
        try:
            image = exam.pixels(header)
        except SourceError as exc:
            reasons.append(str(exc))
            continue
        assert (image.shape, image.dtype) == ((header.rows, header.columns), np.uint16)
        read += 1
    assert all(".dcm" in reason for reason in reasons), "a reason that doesn't say which file"
    return read


def compare_with_pydicom(exam: Exam) -> None:
    """Oracle: whatever was read from an intact file is what pydicom reads from it."""
    archive = Archive(read_archive(exam.where))
    for header in exam.headers:
        try:
            content = archive.read(header.where)
        except SourceError:
            continue
        assert header_by_pydicom(content, header.where) == header
        try:
            expected = read_pixels(content, header)
        except SourceError:
            with pytest.raises(SourceError):
                exam.pixels(header)
            continue
        np.testing.assert_array_equal(exam.pixels(header), expected)
    for name in exam.rejected.keys() & archive.members.keys():
        try:
            judged = header_by_pydicom(archive.read(name), name)
        except SourceError:
            continue
        assert isinstance(judged, str) or implausible(judged), f"{name} is usable, but {exam.rejected[name]}"


@pytest.mark.parametrize("kind", KINDS)
def test_open_exam__ends_with_images_or_a_reason(kind: str, tmp_path: Path) -> None:
    """Never a crash, never a hang, never more memory than an exam takes; and no image lost that can be read."""
    path = tmp_path / "1000001_20201_2_0.zip"
    exams = images = 0
    refusals: list[str] = []
    for number, content in enumerate(hostile_zips(kind)):
        path.write_bytes(content)
        with watchdog(f"{kind} {number}"):
            try:
                with little_memory(f"{kind} {number}"), UkbZips(str(tmp_path)).open_exam(str(path)) as exam:
                    exams += 1
                    assert all(exam.rejected.values()), "a file without a reason"
                    images += read_whole(exam)
            except SourceError as exc:
                refusals.append(str(exc))
                continue
            with UkbZips(str(tmp_path)).open_exam(str(path)) as exam:
                compare_with_pydicom(exam)
    assert all("expected" in refusal and "found" in refusal for refusal in refusals)
    assert (exams > 0) == (images > 0) == (kind not in KINDS_WITHOUT_EXAM)
    assert list(tmp_path.iterdir()) == [path], "something was unpacked"


def test_hostile_zips__are_more_than_five_hundred_and_always_the_same() -> None:
    """Whoever finds one that breaks something must be able to make it again."""
    assert EACH * len(KINDS) >= 500
    for kind in ("flipped", "absurd_numbers"):
        assert list(hostile_zips(kind, count=3)) == list(hostile_zips(kind, count=3))


@pytest.mark.slow
def test_convert__accounts_for_every_hostile_archive(tmp_path: Path, threads: Client) -> None:
    """520 participants whose archives are all bad: each has a row, and what isn't complete has its reason."""
    folder = tmp_path / "dixon"
    folder.mkdir()
    contents = (content for kind in KINDS for content in hostile_zips(kind))
    for eid, content in enumerate(contents, start=1_000_000):
        (folder / f"{eid}_20201_2_0.zip").write_bytes(content)
    count = len(list(folder.iterdir()))
    convert(folder, tmp_path / "slabs.zarr", slabs=(2, 5), contrasts=("fat", "water"), client=threads)
    tree = xr.open_datatree(tmp_path / "slabs.zarr", engine="zarr")
    assert tree["participant"].values.tolist() == list(range(1_000_000, 1_000_000 + count))
    usable = np.zeros(count, bool)
    for name in ("slab_2", "slab_5"):
        status, reason = tree[name]["slab_status"].values, tree[name]["slab_reason"].values
        complete = status == SLAB_STATUS["complete"]
        assert all(reason[~complete]), "a slab that isn't complete without a reason"
        usable |= status == SLAB_STATUS["incomplete"]
    # Exams of five slices or three can't be complete, but most of them can be used.
    assert usable.mean() > 0.5
