from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.sources import tag_template
from bmx.sources.tag_reader import GaveUp, Scan, scan
from bmx.sources.tag_template import HeaderReader
from tests.hostile import good_files
from tests.hostile_files import MUTATORS, changed, raw_value, written

GOOD = [content for which in (0, 1) for content in good_files(which).values()]


def trained() -> HeaderReader:
    """A reader that has seen one slice of each series."""
    reader = HeaderReader()
    for content in GOOD[:: 5 if len(GOOD) > 20 else 3]:
        reader.scan(content, "a.dcm")
    return reader


@settings(max_examples=50)
@given(st.permutations(range(len(GOOD))))
def test_header_reader__reads_files_in_any_order_as_one_by_one(order: list[int]) -> None:
    """Members of an archive are in the order of their names, which say nothing."""
    reader = HeaderReader()
    for which in order:
        assert reader.scan(GOOD[which], f"{which}.dcm") == scan(GOOD[which], f"{which}.dcm")


@settings(max_examples=300)
@given(st.sampled_from(sorted(MUTATORS)), st.integers(0, 2**32), st.sampled_from(range(len(GOOD))))
@pytest.mark.filterwarnings("ignore::UserWarning:pydicom")  # it makes some of the mutated files
def test_header_reader__is_not_fooled_by_damage(kind: str, seed: int, which: int) -> None:
    """A file that is like another one but for a single bit isn't like it."""
    mutated = MUTATORS[kind](GOOD[which], np.random.default_rng(seed))
    for head in (None, 2048):
        assert trained().scan(mutated[:head], "a.dcm") == scan(mutated[:head], "a.dcm")


def test_header_reader__is_not_fooled_by_any_single_bit() -> None:
    """Every bit of a header, one after the other."""
    reader, content = trained(), GOOD[0]
    whole = scan(content, "a.dcm")
    assert isinstance(whole, Scan)
    for place in range(whole.pixel_start):
        damaged = content[:place] + bytes([content[place] ^ 1 << place % 8]) + content[place + 1 : 2048]
        assert reader.scan(damaged, "a.dcm") == scan(damaged, "a.dcm")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (lambda content: raw_value(content, 0x00200032, b"nan\\0\\0 "), GaveUp.UNUSUAL),
        (lambda content: content[:1000], GaveUp.CUT),
        (lambda content: changed(content, Rows=100), None),
        (lambda content: changed(content, SeriesDescription="other"), None),
    ],
    ids=["position", "cut", "rows", "description"],
)
def test_header_reader__sees_what_differs(change: Callable[[bytes], bytes], expected: GaveUp | None) -> None:
    """Of a file that comes after a like one."""
    found = trained().scan(change(GOOD[0]), "a.dcm")
    assert found == scan(change(GOOD[0]), "a.dcm")
    assert expected is None or found is expected


def test_header_reader__reads_most_files_by_what_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise it would be right, and slow."""
    calls = []

    def counted(content: bytes, where: str) -> Scan | GaveUp:
        calls.append(where)
        return scan(content, where)

    monkeypatch.setattr(tag_template, "scan", counted)
    reader = HeaderReader()
    files = [changed(GOOD[0], InstanceNumber=i, ImagePositionPatient=[0, 0, i]) for i in range(10, 60)]
    found = [reader.scan(content, f"{i}") for i, content in enumerate(files)]
    assert len(calls) <= 2
    assert [one.header.instance_number for one in found if isinstance(one, Scan)] == list(range(10, 60))
    assert [one.header.position[2] for one in found if isinstance(one, Scan)] == list(range(10, 60))


def test_header_reader__lets_private_elements_differ() -> None:
    """Scanners keep kilobytes of their own in each file."""
    files = []
    for i in range(3):
        data = pydicom.dcmread(io.BytesIO(GOOD[0]))
        data.add_new(0x00290010, "LO", "A SCANNER")
        data.add_new(0x00291010, "OB", bytes([i] * 3000))
        files.append(written(data))
    reader = HeaderReader()
    assert len({reader.scan(content, "a.dcm").header for content in files}) == 1  # type: ignore[union-attr]
