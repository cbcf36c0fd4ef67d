from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import combinations
from random import Random

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bmx.acquisition import CONTRASTS, PIXEL_MM, SLABS, ContrastName, slab_top_mm
from bmx.ingest.identify import Identified, identify
from bmx.sources.header import Header
from bmx.types import IntVolume
from tests.headers import ALL, exam, header


def tops(found: Identified) -> dict[int, float]:
    """Where the slabs lie that were chosen."""
    return {slab: round(images.station.top_mm, 1) for slab, images in found.slabs.items()}


def expected_tops(slabs: Iterable[int], top: float = 900.0) -> dict[int, float]:
    return {slab: round(top - slab_top_mm(slab), 1) for slab in slabs}


CLEAN = exam()


def test_identify__finds_all_slabs_of_a_clean_exam() -> None:
    """Everything used, nothing flagged."""
    found = identify(CLEAN, contrasts=ALL)
    assert tops(found) == expected_tops(SLABS)
    assert all(images.flags == () and images.problem == "" for images in found.slabs.values())
    assert len(found.lines) == 24
    assert all(line.used for line in found.lines)
    assert {line.reason for line in found.lines if line.slab == 2 and line.contrast == "fat"} == {
        "image type says fat; size and position say slab 2"
    }


@settings(max_examples=10)
@given(st.permutations(range(1, 25)))
def test_identify__does_not_need_series_numbers(numbers: list[int]) -> None:
    """Numbers shift when an exam is restarted; that is where the first study lost most of its participants."""
    number = dict(zip(dict.fromkeys(one.series_uid for one in CLEAN), numbers, strict=True))
    shuffled = [replace(one, series_number=number[one.series_uid]) for one in CLEAN]
    found = identify(shuffled, contrasts=ALL)
    assert tops(found) == expected_tops(SLABS)
    for slab, images in found.slabs.items():
        assert images.flags == ()
        assert {name: series.first.series_uid for name, series in images.station.channels.items()} == {
            name: header(slab, name).series_uid for name in ALL
        }


@pytest.mark.parametrize("slabs", [some for n in range(1, 7) for some in combinations(SLABS, n)])
def test_identify__finds_whichever_slabs_there_are(slabs: tuple[int, ...]) -> None:
    """Sources may hold some slabs only; where position alone can't tell 2, 3 and 4, it says so."""
    found = identify(exam(slabs, ["fat", "water"]), contrasts=("fat", "water"))
    assert tops(found) == expected_tops(slabs)
    alone = set(slabs) in ({2}, {3}, {4}, {2, 3}, {3, 4})
    for images in found.slabs.values():
        assert images.flags == (("unexpected_position",) if alone else ())
    assert all(("series number, not position" in line.reason) == alone for line in found.lines)


def test_identify__takes_the_newest_of_two_complete_exams() -> None:
    """An exam that was repeated from the start has every series number twice, or numbers above 24."""
    found = identify([*exam(), *exam(top=905.0, run=1)], contrasts=ALL)
    assert tops(found) == expected_tops(SLABS, 905.0)
    assert all(images.flags == ("repeated_series",) for images in found.slabs.values())
    assert sum(line.used for line in found.lines) == 24
    rejected = [line.reason for line in found.lines if not line.used]
    assert rejected[4] == "a repeat of slab 2; a more complete or newer one is used"


@pytest.mark.parametrize("shift", [-250.0, -161.0, -121.5, -70.0, 95.0, 200.0])
def test_identify__takes_the_newer_of_two_whole_exams_at_other_landmarks(shift: float) -> None:
    """Though the numbers of the first are those of a clean exam, which was why nobody noticed that it was repeated."""
    found = identify([*exam(top=900.0 - shift), *exam(run=1)], contrasts=ALL)
    assert tops(found) == expected_tops(SLABS)
    used = {one.first.series_uid for images in found.slabs.values() for one in images.station.channels.values()}
    assert all(uid.startswith("1.") for uid in used)
    # Of those that look alike, one may lie where another one has its place.
    assert all("repeated_series" in found.slabs[slab].flags for slab in (1, 5, 6))


def test_identify__prefers_a_complete_repeat_to_a_newer_one() -> None:
    """The technician stopped the second attempt."""
    stopped = [one for one in exam([2], run=1) if one.series_number != 24 + 7]
    found = identify([*exam(), *stopped], contrasts=ALL)
    assert {series.first.acquired for series in found.slabs[2].station.channels.values()} == {"20200101090200"}
    assert found.slabs[2].flags == ("repeated_series",)
    assert found.slabs[3].flags == ()


@pytest.mark.parametrize("kept", [range(24, 44), range(1, 44)], ids=["half", "one lost"])
def test_identify__prefers_a_complete_slab_to_a_newer_one_that_was_cut_short(kept: range) -> None:
    """All four contrasts stopped at the same slice: the repeat lacks nothing of its own, and half of the slab."""
    short = [one for one in exam([2], run=1) if one.instance_number in kept]
    found = identify([*exam(), *short], contrasts=ALL)
    assert {series.first.acquired for series in found.slabs[2].station.channels.values()} == {"20200101090200"}
    assert (found.slabs[2].flags, found.slabs[2].problem) == (("repeated_series",), "")
    assert tops(found) == expected_tops(SLABS)


def test_identify__follows_an_exam_that_was_restarted_at_another_landmark() -> None:
    """Two slabs were acquired 120 mm too high, then everything again: series 1-8 are repeats, though far away."""
    found = identify([*exam([1, 2], top=1020.0), *exam(run=1)], contrasts=ALL)
    assert tops(found) == expected_tops(SLABS)
    unused = [line for line in found.lines if not line.used]
    assert {line.series.first.series_number for line in unused} == set(range(1, 9))
    assert {line.reason for line in unused} == {
        f"a repeat of slab {slab}; a more complete or newer one is used" for slab in (1, 2)
    }
    assert [found.slabs[slab].flags for slab in SLABS] == [("repeated_series",)] * 2 + [()] * 4


def test_identify__calls_nothing_a_repeat_that_could_be_another_slab() -> None:
    """Slabs 2, 3 and 4 look alike: of one far away, alone, nobody can say which of them it is."""
    found = identify([*exam([3], top=1500.0), *exam(run=1)], contrasts=ALL)
    assert tops(found) == expected_tops(SLABS)
    assert all(images.flags == () for images in found.slabs.values())
    unused = [line for line in found.lines if not line.used]
    assert {line.reason for line in unused} == {"its position fits no place in the chain of slabs"}


@pytest.mark.parametrize(
    ("lost", "problem"),
    [
        (lambda one: one.instance_number == 20 and "fat" in _name(one), "fat lacks 1 of 44 slices"),
        (lambda one: one.instance_number == 43 and "water" in _name(one), "water lacks 1 of 44 slices"),
        (lambda one: one.instance_number > 40, "41 of 44 slices"),
        (lambda one: "fat" in _name(one), "no fat image"),
    ],
    ids=["inside", "at the end of one", "at the end of all", "a contrast"],
)
def test_identify__says_what_a_slab_lacks(lost: object, problem: str) -> None:
    """Incomplete is not absent: what is there can still be measured."""
    found = identify(
        [one for one in CLEAN if one.rows != 174 or _slab(one) != 3 or not lost(one)], contrasts=("fat", "water")
    )
    assert set(found.slabs) == set(SLABS)
    assert found.slabs[3].problem == problem
    assert found.slabs[3].flags == (() if "image" in problem else ("missing_slices",))
    assert found.slabs[2].problem == ""


def _slab(one: Header) -> int:
    return (one.series_number - 1) // 4 + 1


def _name(one: Header) -> str:
    return ALL[(one.series_number - 1) % 4]


def test_identify__puts_channels_of_different_length_on_one_grid() -> None:
    """The lowest slice of fat is lost: water must not slip against it."""
    kept = [one for one in exam([2, 5]) if not (_slab(one) == 2 and _name(one) == "fat" and one.instance_number == 0)]
    station = identify(kept, contrasts=ALL).slabs[2].station
    assert {name: station.start(series) for name, series in station.channels.items()} == {
        "in_phase": 0, "opposed_phase": 0, "fat": 1, "water": 0,
    }  # fmt: skip
    assert station.affine[2, 3] == pytest.approx(header(2).position[2])


def changed(change: Callable[[Header], Header], *, slab: int, contrast: ContrastName) -> list[Header]:
    """A clean exam with one series changed."""
    return [change(one) if _slab(one) == slab and _name(one) == contrast else one for one in CLEAN]


def moved(one: Header, *, x: float = 0.0, y: float = 0.0, z: float = 0.0) -> Header:
    return replace(one, position=(one.position[0] + x, one.position[1] + y, one.position[2] + z))


@pytest.mark.parametrize("contrast", ALL)
@pytest.mark.parametrize("shift", [{"x": 30.0}, {"y": -15.0}, {"z": 15.0}, {"z": -31.5}, {"z": 80.0}, {"z": -80.0}])
@pytest.mark.parametrize("slab", [1, 3, 5])
def test_identify__recognises_a_wrong_origin(slab: int, contrast: ContrastName, shift: dict[str, float]) -> None:
    """The image is of the acquisition by time and size; the other three say where all four lie."""
    found = identify(changed(lambda one: moved(one, **shift), slab=slab, contrast=contrast), contrasts=ALL)
    assert tops(found) == expected_tops(SLABS)
    images = found.slabs[slab]
    assert (images.flags, images.problem) == (("wrong_origin",), "")
    assert all(found.slabs[other].flags == () for other in SLABS if other != slab)
    assert {images.station.start(series) for series in images.station.channels.values()} == {0}
    np.testing.assert_allclose(images.station.affine, identify(CLEAN, contrasts=ALL).slabs[slab].station.affine)
    (line,) = (line for line in found.lines if (line.slab, line.contrast) == (slab, contrast))
    assert line.used
    away = abs(sum(shift.values()))
    assert f"its origin is {away:.0f} mm away from that of the other images, which is used" in line.reason


def test_identify__never_mixes_images_of_different_acquisitions() -> None:
    """Another time, another place: the image is of somewhere else, and nothing says that its origin is wrong."""
    later = changed(lambda one: replace(moved(one, x=30), acquired="20200101150000"), slab=2, contrast="fat")
    found = identify(later, contrasts=("fat", "water"))
    assert found.slabs[2].problem == "no fat image"
    assert set(found.slabs[2].station.channels) == {"in_phase", "opposed_phase", "water"}


def test_identify__does_not_move_what_it_cannot_align() -> None:
    """With another number of slices, nobody knows which slice is which."""
    short = [
        one
        for one in changed(lambda one: moved(one, x=30), slab=2, contrast="fat")
        if not (_slab(one) == 2 and _name(one) == "fat" and one.instance_number > 40)
    ]
    assert identify(short, contrasts=("fat", "water")).slabs[2].problem == "no fat image"


def cut_down(one: Header, cut: int) -> Header:
    """With so many voxels fewer at each edge; what is left stays in its place."""
    inner = moved(one, x=cut * PIXEL_MM, y=cut * PIXEL_MM)
    return replace(inner, rows=one.rows - 2 * cut, columns=one.columns - 2 * cut)


@pytest.mark.parametrize("contrast", ["fat", "water"])
@pytest.mark.parametrize("cut", [2, 6])
def test_identify__puts_a_smaller_image_where_it_lies(contrast: ContrastName, cut: int) -> None:
    """Fat has a smaller field of view than water: what both show can be used."""
    found = identify(changed(lambda one: cut_down(one, cut), slab=4, contrast=contrast), contrasts=("fat", "water"))
    images = found.slabs[4]
    assert images.flags == ("unexpected_shape",)
    assert images.problem == f"{contrast} has {174 - 2 * cut} × {224 - 2 * cut} of 174 × 224 voxels"
    assert images.station.corner(images.station.channels[contrast]) == (cut, cut)
    out = np.zeros((46, 174, 224), np.uint16)
    images.station.read(contrast, lambda one: np.full((one.rows, one.columns), 7, np.uint16), out)
    z, y, x = np.nonzero(out)
    assert [(axis.min(), axis.max()) for axis in (z, y, x)] == [(0, 43), (cut, 173 - cut), (cut, 223 - cut)]


def test_identify__does_not_resample_a_smaller_image() -> None:
    """Half a voxel off the grid is another grid."""
    off = changed(lambda one: moved(cut_down(one, 2), x=PIXEL_MM / 2), slab=4, contrast="fat")
    found = identify(off, contrasts=("fat", "water"))
    assert found.slabs[4].problem == "no fat image"
    assert any("no slab of the protocol has 170 × 220 × 44" in line.reason for line in found.lines)


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from(ALL), st.sampled_from([0.0, 40.0]))
def test_identify__needs_no_order_names_or_numbers(seed: int, contrast: ContrastName, shift: float) -> None:
    """Members shuffled, files renamed, series and instances numbered anew: clean or with a wrong origin, the same."""
    random = Random(seed)
    headers = changed(lambda one: moved(one, z=shift), slab=3, contrast=contrast)
    numbers = {uid: random.randrange(-1, 10**6) for uid in {one.series_uid for one in headers}}
    anonymous = [
        replace(
            one,
            where=f"{random.getrandbits(64):x}",
            series_number=numbers[one.series_uid],
            instance_number=random.randrange(-1, 10**6),
        )
        for one in headers
    ]
    random.shuffle(anonymous)
    assert conclusions(identify(anonymous, contrasts=ALL)) == conclusions(identify(headers, contrasts=ALL))


def conclusions(found: Identified) -> tuple[object, object]:
    """Everything that matters, without names and numbers."""
    slabs = {
        number: (
            images.flags,
            images.problem,
            images.station.affine.tolist(),
            {
                name: [(one.series_uid, one.position) for one in series.headers]
                for name, series in images.station.channels.items()
            },
        )
        for number, images in found.slabs.items()
    }
    lines = {(one.series.first.series_uid, one.slab, one.contrast, one.used, one.reason) for one in found.lines}
    return slabs, lines


def test_identify__rejects_foreign_series_and_says_why() -> None:
    """Localisers and other protocols come in the same archive."""
    foreign = [
        replace(one, series_uid="9", series_number=99, description="localizer", image_type=(), echo_time_ms=80.0)
        for one in exam([2], ["fat"])[:3]
    ]
    small = [replace(one, series_uid="8", rows=256, columns=256) for one in exam([2], ["fat"])]
    coronal = [
        replace(
            one,
            series_uid="7",
            row_direction=(1.0, 0.0, 0.0),
            column_direction=(0.0, 0.0, -1.0),
            position=(0.0, i, 0.0),
        )
        for i, one in enumerate(exam([2], ["fat"]))
    ]
    found = identify([*CLEAN, *foreign, *small, *coronal], contrasts=ALL)
    assert tops(found) == expected_tops(SLABS)
    assert {line.reason for line in found.lines if not line.used} == {
        "neither image type, description nor echo time tells a Dixon contrast",
        "no slab of the protocol has 256 × 256 × 44 voxels with slices every 4.50 mm",
        "slices are not axial",
    }


def test_identify__accepts_an_exam_that_is_shifted_as_a_whole() -> None:
    """The landmark differs from person to person, and so does the overlap, a little."""
    for slab in SLABS:
        loose = [
            one if _slab(one) != slab else replace(one, position=(*one.position[:2], one.position[2] + 20))
            for one in CLEAN
        ]
        found = identify(loose, contrasts=ALL)
        assert set(found.slabs) == set(SLABS)
        assert found.slabs[slab].flags == ("unexpected_position",)
    assert tops(identify(exam(top=-300.0), contrasts=ALL)) == expected_tops(SLABS, -300.0)


def test_identify__reports_conflicting_labels() -> None:
    """The images are used as their image type says, and the slab is marked."""
    mislabelled = [
        replace(one, description="Dixon_noBH_W") if _slab(one) == 5 and _name(one) == "fat" else one for one in CLEAN
    ]
    found = identify(mislabelled, contrasts=ALL)
    assert found.slabs[5].flags == ("label_conflict",)
    assert set(found.slabs[5].station.channels) == set(ALL)


def test_identify__of_nothing_is_nothing() -> None:
    """An archive of reports."""
    assert identify([], contrasts=ALL) == Identified({}, ())


def test_identify__spacing_that_is_off_is_flagged() -> None:
    """The matrix is right but the field of view isn't: volumes in millilitres would change."""
    wide = [replace(one, spacing_mm=(2.4, 2.4)) if _slab(one) == 5 else one for one in CLEAN]
    found = identify(wide, contrasts=ALL)
    assert found.slabs[5].flags == ("unexpected_spacing",)
    np.testing.assert_allclose(found.slabs[5].station.affine[0, 0], -2.4)


def test_identify__rejects_a_slab_that_the_store_has_no_room_for() -> None:
    """Slab 1 has no margin: a 65th slice would be written beyond the end of its axis."""
    long = [replace(one, series_uid="9") for one in (header(1, "fat", index) for index in range(65))]
    found = identify(long, contrasts=("fat",))
    assert found.slabs == {}
    assert found.lines[0].reason.startswith("no slab of the protocol has 168 × 224 × 65 voxels")


PARTS = st.tuples(
    st.sampled_from(list(SLABS)),
    st.sampled_from(ALL),
    st.sampled_from(ALL),
    st.integers(-40, 40),
    st.integers(1, 80),
    st.integers(1, 3),
    st.integers(0, 2),
    st.sampled_from([0, 0, 0, 1, 5, 30]),
    st.sampled_from([0.0, 0.0, 0.0, PIXEL_MM, 12.0, 40.0]),
)


@settings(max_examples=60)
@given(st.lists(PARTS, max_size=12))
@example(
    [
        (2, "water", "opposed_phase", 0, 44, 1, 0, 0, 0.0), (2, "fat", "fat", 1, 43, 1, 0, 0, 0.0),
        (2, "opposed_phase", "in_phase", 0, 44, 1, 0, 0, 40.0), (2, "water", "water", -1, 44, 1, 0, 0, 0.0),
    ]
)  # fmt: skip
@example(
    [
        (2, "opposed_phase", "opposed_phase", 0, 44, 1, 0, 0, 0.0), (2, "fat", "fat", 0, 20, 1, 0, 0, 0.0),
        (2, "water", "fat", 0, 44, 1, 0, 5, 0.0), (2, "in_phase", "in_phase", 0, 44, 1, 0, 5, 0.0),
    ]
)  # fmt: skip
def test_identify__gives_only_what_the_store_has_room_for(
    parts: list[tuple[int, ContrastName, ContrastName, int, int, int, int, int, float]],
) -> None:
    """Whatever is in an archive: no crash, no slab longer than its axis, every series accounted for once.

    The examples broke it: what a moved image was aligned with is dropped; a contested image is smaller.
    """
    headers = [
        moved(
            replace(
                cut_down(header(slab, contrast, first + index, run=run), cut),
                series_uid=str(number),
                series_number=number,
                description=f"Dixon_noBH_{CONTRASTS[described].suffix}",
            ),
            x=shift,
        )
        for number, (slab, contrast, described, first, count, stride, run, cut, shift) in enumerate(parts)
        for index in range(0, count, stride)
    ]
    found = identify(headers, contrasts=ALL, pixels=noise)
    assert len(found.lines) == len(parts)
    assert sum(len(line.series.headers) for line in found.lines) == len(headers)
    assert all(line.reason for line in found.lines)
    for slab, images in found.slabs.items():
        station = images.station
        assert station.slices <= SLABS[slab].stored_slices
        assert np.isfinite(station.affine).all()
        for name, series in station.channels.items():
            assert 0 <= station.start(series) <= station.slices - series.span
            volume = np.zeros(SLABS[slab].stored_shape, np.uint16)
            station.read(name, noise, volume)
            read = len(series.headers) * series.first.rows * series.first.columns
            assert np.count_nonzero(volume) == read


def noise(one: Header) -> IntVolume:
    """Images of no meaning, nowhere zero."""
    return np.random.default_rng(one.instance_number % 7 + 7).integers(1, 99, (one.rows, one.columns), np.uint16)
