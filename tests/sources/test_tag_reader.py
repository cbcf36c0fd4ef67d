from __future__ import annotations

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from bmx.sources.dicom_tags import header_by_pydicom, read_pixels
from bmx.sources.tag_reader import GaveUp, Scan, scan
from tests.hostile import good_files
from tests.hostile_files import MUTATORS, changed, raw_value, written

# pydicom says which guesses it made about damaged files; here that is its job.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

GOOD = [content for which in (0, 1) for content in good_files(which).values()]

BEGINNINGS = [b"", b"\0" * 128 + b"DICM", b"\x08\0\x05\0CS", b"\x08\0\x08\0\2\0\0\0"]


def check(content: bytes, *, head: int | None = None) -> Scan | GaveUp:
    """Oracle: pydicom. Whatever the reader claims to have read must be what pydicom reads from the whole file."""
    found = scan(content[:head], "a.dcm")
    if isinstance(found, Scan):
        assert header_by_pydicom(content, "a.dcm") == found.header
        if found.is_plain and found.pixel_start + found.pixel_bytes == len(content):
            count = found.header.rows * found.header.columns
            plain = np.frombuffer(content, "<u2", count, found.pixel_start)
            np.testing.assert_array_equal(read_pixels(content, found.header).ravel(), plain)
    return found


def with_sequences(data: Dataset, *, undefined: bool) -> None:
    """Nested sequences, an empty one, and a private one."""
    deep, item = Dataset(), Dataset()
    deep.Modality = "MR"
    item.ReferencedSOPInstanceUID = "1.2.3"
    item.PurposeOfReferenceCodeSequence = Sequence([deep, deep])
    data.ReferencedImageSequence = Sequence([item, Dataset()])
    data.SourceImageSequence = Sequence([])
    for one in (data["ReferencedImageSequence"], data["SourceImageSequence"], item["PurposeOfReferenceCodeSequence"]):
        one.is_undefined_length = undefined
    item.is_undefined_length_sequence_item = deep.is_undefined_length_sequence_item = undefined
    data.add_new(0x00290010, "LO", "A SCANNER")
    data.add_new(0x00291010, "OB", b"\1\2" * 3000)


@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("meta", [False, True])
@pytest.mark.parametrize("sequences", [None, False, True])
def test_scan__reads_every_ordinary_file_itself(implicit: bool, meta: bool, sequences: bool | None) -> None:
    """If it left these to pydicom, everything would be right, and five times as slow."""
    data = pydicom.dcmread(io.BytesIO(GOOD[0]))
    if sequences is not None:
        with_sequences(data, undefined=sequences)
    content = written(data, implicit=implicit, meta=meta)
    found = check(content)
    assert isinstance(found, Scan)
    assert found.is_plain
    assert found.pixel_start + found.pixel_bytes == len(content)
    assert found.header == scan(GOOD[0], "a.dcm").header  # type: ignore[union-attr]


def test_scan__reads_every_file_of_a_simulated_exam_from_its_first_bytes() -> None:
    """Members of an archive are inflated no further than their header."""
    for content in GOOD:
        assert isinstance(check(content, head=4096), Scan)


def test_scan__asks_for_more_until_the_pixels_begin() -> None:
    """Headers of scanners may be as long as their images; half of one must not pass for a whole."""
    whole = scan(GOOD[0], "a.dcm")
    assert isinstance(whole, Scan)
    begun = 132 + 12  # before that, it isn't even clear whether there is a preamble
    assert not any(isinstance(scan(GOOD[0][:head], "a.dcm"), Scan) for head in range(begun))
    for head in range(begun, whole.pixel_start):
        assert scan(GOOD[0][:head], "a.dcm") is GaveUp.CUT
    assert scan(GOOD[0][: whole.pixel_start], "a.dcm") == whole


@pytest.mark.parametrize(
    ("tag", "value"),
    [
        (0x00200032, b"nan\\0\\0 "), (0x00200032, b"1\\2\\3\\4 "), (0x00280030, b"1e999\\1 "), (0x00180081, b"1e300 "),
        (0x00200011, b"1.0 "), (0x00200011, b"99999999999 "), (0x00200011, b""), (0x00080008, b""),
        (0x0008103E, b"a\\b "), (0x0008103E, b"\xe4\xe4"), (0x0008103E, b"\x1b$B123 "), (0x0020000E, b"1.2.x "),
        (0x00280010, b"\1\0\1\0"), (0x0008103E, b"A" * 2000),
    ],
)  # fmt: skip
def test_scan__leaves_unusual_values_to_pydicom(tag: int, value: bytes) -> None:
    """What a value means that isn't written plainly is one library's business, not two's."""
    assert check(raw_value(GOOD[0], tag, value)) is GaveUp.UNUSUAL


@pytest.mark.parametrize(
    "spoil",
    [
        lambda content: changed(content, SpecificCharacterSet="ISO_IR 13"),
        lambda content: changed(content, SeriesInstanceUID=None),
        lambda content: written(pydicom.dcmread(io.BytesIO(content)), big=True),
        lambda content: content.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2\0\0\0", 1),
        lambda content: content.replace(b"\x28\x00\x11\x00US", b"\x28\x00\x0f\x00US", 1),
        lambda content: content.replace(b"\x28\x00\x10\x00US", b"\x28\x00\x10\x00SS", 1),
    ],
    ids=["character set", "no series", "big-endian", "wrong syntax", "out of order", "wrong kind"],
)
def test_scan__leaves_unusual_files_to_pydicom(spoil: Callable[[bytes], bytes]) -> None:
    """Each of these once tempted a fast reader to guess."""
    assert check(spoil(GOOD[0])) is GaveUp.UNUSUAL


def test_scan__believes_the_length_where_a_file_names_a_compression_that_it_does_not_use() -> None:
    """Seen in archives: JPEG in the meta information, plain pixels in the file."""
    found = check(GOOD[0].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.", 1))
    assert isinstance(found, Scan)
    assert found.is_plain


def test_scan__calls_no_image_plain_that_has_no_pixels() -> None:
    """Found by fuzzing: no rows and no bytes agree with each other; pydicom gives nothing then."""
    emptied = changed(GOOD[0], Rows=0, PixelData=b"")
    assert getattr(check(emptied), "is_plain", False) is False


@settings(max_examples=300)
@given(
    st.binary(max_size=600), st.sampled_from([b"", b"\0" * 128 + b"DICM", b"\x08\0\x05\0CS", b"\x08\0\x08\0\2\0\0\0"])
)
def test_scan__never_raises_on_random_bytes(noise: bytes, begin: bytes) -> None:
    """It never guesses, and it never fails."""
    assert check(begin + noise) in tuple(GaveUp)


@settings(max_examples=300)
@given(st.sampled_from(sorted(MUTATORS)), st.integers(0, 2**32), st.sampled_from(range(len(GOOD))))
def test_scan__agrees_with_pydicom_on_damaged_files(kind: str, seed: int, which: int) -> None:
    """The property that the fast way stands on; hypothesis keeps what ever broke it."""
    mutated = MUTATORS[kind](GOOD[which], np.random.default_rng(seed))
    for head in (None, 4096):
        check(mutated, head=head)


@pytest.mark.slow
def test_scan__agrees_with_pydicom_for_a_minute() -> None:
    """Fuzzing: noise, and good files with one to three kinds of damage; each is read within a second."""
    seed = 20_201  # what may land must not be a matter of luck; another number searches elsewhere
    rng = np.random.default_rng(seed)
    read, end = 0, time.monotonic() + 60
    while time.monotonic() < end:
        content = _mutated(rng)
        begin = time.process_time()
        scan(content, "a.dcm")
        assert time.process_time() - begin < 1, f"seed {seed}"
        try:
            read += isinstance(check(content, head=None if rng.random() < 0.5 else 4096), Scan)
        except Exception as exc:
            exc.add_note(f"seed {seed}; the file began with {content[:2000]!r}")
            raise
    assert read > 100, "the fuzzer makes nothing that can be read: it tests nothing"


def _mutated(rng: np.random.Generator) -> bytes:
    content: bytes = GOOD[int(rng.integers(len(GOOD)))]
    for _ in range(int(rng.integers(1, 4))):
        mutate: Callable[..., Any] = MUTATORS[str(rng.choice(sorted(MUTATORS)))]
        try:
            content = mutate(content, rng)
        except Exception:  # noqa: BLE001 - pydicom can't edit what was damaged before
            break
    return content
