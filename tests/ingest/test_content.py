from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bmx.acquisition import PIXEL_MM, SLABS, ContrastName
from bmx.core.dixon_signal import Echoes
from bmx.core.receiver import Receiver, dixon_images
from bmx.errors import SourceError
from bmx.ingest.content import Pixels
from bmx.ingest.identify import Identified, identify
from bmx.sources.header import Header
from bmx.types import IntVolume
from tests import exams
from tests.headers import ALL, exam

SLAB = 2
TOKEN = {"in_phase": "IN_PHASE", "opposed_phase": "OUT_PHASE", "fat": "FAT", "water": "WATER"}
SUFFIX = {"in_phase": "in", "opposed_phase": "opp", "fat": "F", "water": "W"}
Volumes = Mapping[ContrastName, IntVolume]


@pytest.fixture(scope="module")
def body() -> Volumes:
    """A trunk: a shell of fat, muscle inside, marrow in between, noise as in a real exam."""
    return trunk()


@pytest.fixture(scope="module")
def swapped_half() -> Volumes:
    """Fat and water exchanged on one side of the body: the shell contradicts itself."""
    images = trunk()
    left = np.arange(224) < 112
    fat, water = images["fat"], images["water"]
    return {**images, "fat": np.where(left, water, fat), "water": np.where(left, fat, water)}


def trunk() -> Volumes:
    rng = np.random.default_rng(0)
    grid = SLABS[SLAB]
    _, y, x = np.mgrid[-1:1:5j, -1 : 1 : grid.rows * 1j, -1 : 1 : grid.columns * 1j].astype(np.float32)
    radius = np.hypot(x / 0.8, y / 0.7)
    share = np.where(radius > 0.85, 0.95, 0.06).astype(np.float32)
    share[np.hypot(x - 0.3, y - 0.2) < 0.3] = 0.6  # nothing is symmetric
    inside = (radius < 1).astype(np.float32)
    water, fat = (1 - share) * inside, share * inside
    made = dixon_images(Echoes(water, water, fat, fat), Receiver(500, 0.02, 0.1), rng)
    return {name: np.repeat(volume, 9, axis=0)[: grid.slices] for name, volume in made.items()}


def pixels_of(images: Volumes) -> Callable[[Header], IntVolume]:
    """What the file of a header shows, whatever its tags say: its UID tells which image it is."""
    return lambda header: images[truth(header)][header.instance_number]


def truth(header: Header) -> ContrastName:
    return ALL[(int(header.series_uid.split(".")[-1]) - 1) % 4]


def labelled(types: Mapping[str, str] | None = None, descriptions: Mapping[str, str] | None = None) -> list[Header]:
    """An exam; images of one slab claim by type and description to be what these say, "" for nothing."""

    def change(one: Header) -> Header:
        if one.series_uid.split(".")[1] != str(SLAB):
            return one
        typed, described = ((names or {}).get(truth(one), truth(one)) for names in (types, descriptions))
        return replace(
            one,
            image_type=("DERIVED", TOKEN[typed]) if typed else ("DERIVED",),
            description=f"Dixon_noBH_{SUFFIX[described]}" if described else "",
        )

    return [change(one) for one in exam([1, SLAB, 3])]


def named(found: Identified) -> dict[str, str]:
    """Contrast in the store -> what the image is in truth."""
    return {name: truth(series.first) for name, series in found.slabs[SLAB].station.channels.items()}


def settle(headers: list[Header], pixels: Pixels | None) -> Identified:
    return identify(headers, contrasts=ALL, pixels=pixels)


RIGHT = {name: name for name in ALL}
EXCHANGED = {"fat": "water", "water": "fat"}
CYCLE = {"in_phase": "water", "water": "opposed_phase", "opposed_phase": "in_phase"}


@pytest.mark.parametrize(
    ("types", "descriptions"),
    [
        ({}, EXCHANGED),
        (EXCHANGED, {}),
        ({"in_phase": "water", "water": "in_phase"}, {}),
        ({}, {"in_phase": "opposed_phase", "opposed_phase": "in_phase"}),
        (CYCLE, {}),
        ({"water": "fat"}, {"water": "fat"}),
        ({"fat": "water"}, {"fat": "water"}),
        ({"opposed_phase": "in_phase"}, {"opposed_phase": "in_phase"}),
        ({"fat": "", "water": ""}, {"fat": "", "water": ""}),
        (dict.fromkeys(ALL, ""), dict.fromkeys(ALL, "")),
        (dict.fromkeys(ALL, "fat"), dict.fromkeys(ALL, "fat")),
    ],
    ids=[
        "descriptions exchanged", "types exchanged", "types of in and water exchanged",
        "descriptions of the echoes exchanged", "types of three exchanged in a ring", "water claims to be fat",
        "fat claims to be water", "both echoes claim to be in phase", "two without a label", "no labels",
        "everything claims to be fat",
    ],
)  # fmt: skip
def test_identify__names_contested_images_by_content(
    types: dict[str, str], descriptions: dict[str, str], body: Volumes
) -> None:
    """Whatever the tags say, physics names the echoes and the shell tells fat from water; the slab is flagged."""
    found = settle(labelled(types, descriptions), pixels_of(body))
    assert named(found) == RIGHT
    assert found.slabs[SLAB].flags == ("label_conflict",)
    assert found.slabs[SLAB].problem == ""
    assert found.slabs[1].flags == found.slabs[3].flags == ()
    reasons = {line.reason for line in found.lines if line.slab == SLAB}
    assert all("tell the echoes, the fat under the skin tells fat from water; size and" in one for one in reasons)
    assert all(line.used for line in found.lines)


def test_identify__names_a_smaller_image_by_content(body: Volumes) -> None:
    """Fat has a smaller field of view, and its tags contradict each other: what all four show is compared."""
    cut = 3
    shown = pixels_of(body)

    def cut_down(one: Header) -> Header:
        x, y, z = one.position
        place = (x + cut * PIXEL_MM, y + cut * PIXEL_MM, z)
        return replace(one, position=place, rows=one.rows - 2 * cut, columns=one.columns - 2 * cut)

    def pixels(one: Header) -> IntVolume:
        return shown(one)[cut:-cut, cut:-cut] if one.rows < SLABS[SLAB].rows else shown(one)

    headers = [
        cut_down(one) if truth(one) == "fat" and one.series_uid.split(".")[1] == str(SLAB) else one
        for one in labelled({}, EXCHANGED)
    ]
    found = settle(headers, pixels)
    assert named(found) == RIGHT
    assert set(found.slabs[SLAB].flags) == {"label_conflict", "unexpected_shape"}


def test_identify__compares_images_that_are_stored_mirrored(body: Volumes) -> None:
    """One image runs from left to right, the others from right to left: its voxels are compared where they lie."""
    shown = pixels_of(body)

    def mirrored(one: Header) -> Header:
        x, y, z = one.position
        return replace(one, position=(x + (one.columns - 1) * PIXEL_MM, y, z), row_direction=(-1.0, 0.0, 0.0))

    def pixels(one: Header) -> IntVolume:
        return shown(one)[:, ::-1] if one.row_direction[0] < 0 else shown(one)

    lopsided = [mirrored(one) if truth(one) == "fat" else one for one in labelled(CYCLE, {})]
    assert named(settle(lopsided, pixels)) == RIGHT


def test_identify__keeps_tags_where_the_shell_is_unclear(swapped_half: Volumes) -> None:
    """One side says this, the other that: image type decides, as it does without content."""
    found = settle(labelled({}, EXCHANGED), pixels_of(swapped_half))
    assert named(found) == RIGHT
    reasons = [line.reason for line in found.lines if (line.slab, line.contrast) == (SLAB, "fat")]
    assert reasons == [
        "image type says fat, description says water; in ≈ W + F and opposed ≈ |W - F| tell the echoes, "
        "tags tell fat from water; size and position say slab 2"
    ]


def test_identify__drops_what_nobody_can_name(swapped_half: Volumes) -> None:
    """Two images claim to be fat, and content can't tell: neither is taken for it."""
    found = settle(labelled({"water": "fat"}, {"water": "fat"}), pixels_of(swapped_half))
    assert named(found) == {"in_phase": "in_phase", "opposed_phase": "opposed_phase"}
    assert found.slabs[SLAB].problem == "no fat and no water image"
    assert found.slabs[SLAB].flags == ("label_conflict",)
    dropped = [line for line in found.lines if not line.used]
    assert [(line.slab, line.contrast) for line in dropped] == [(SLAB, None)] * 2
    assert {line.reason for line in dropped} == {"image type says fat, but that is contested and content isn't clear"}


def test_identify__loses_a_slab_of_which_nobody_can_name_an_image() -> None:
    """Four images claim to be fat, and none is looked at."""
    found = settle(labelled(dict.fromkeys(ALL, "fat"), dict.fromkeys(ALL, "fat")), None)
    assert set(found.slabs) == {1, 3}
    assert [line.reason for line in found.lines if not line.used] == [
        "image type says fat, but that is contested and content isn't clear"
    ] * 4


def test_identify__does_not_believe_images_that_obey_no_relation(body: Volumes) -> None:
    """In-phase of another person: whichever way they are named, physics fails, and tags are kept."""
    mixed = {**body, "in_phase": body["in_phase"][:, ::-1, ::-1] // 3}
    assert named(settle(labelled({}, EXCHANGED), pixels_of(mixed))) == RIGHT
    assert named(settle(labelled(EXCHANGED, {}), pixels_of(mixed))) == {**RIGHT, **EXCHANGED}


def test_identify__keeps_tags_if_pixels_are_damaged() -> None:
    """What can't be read can't decide."""

    def damaged(header: Header) -> IntVolume:
        raise SourceError(f"{header.where} is damaged")

    found = settle(labelled({}, EXCHANGED), damaged)
    assert named(found) == RIGHT
    assert found.slabs[SLAB].flags == ("label_conflict",)


def test_identify__reads_no_pixels_without_a_conflict() -> None:
    """Content costs time: a cohort has few conflicts."""

    def never(header: Header) -> Any:
        raise AssertionError("read without need")

    assert len(identify(exam(), contrasts=ALL, pixels=never).slabs) == len(SLABS)


def test_identify__takes_a_second_set_of_images_for_a_repeat() -> None:
    """Five images at one place and time are not a conflict: one of them was sent twice."""
    again = [replace(one, series_uid="9", where=f"{one.where}-again") for one in exam([SLAB], ["fat"])]
    found = identify([*exam(), *again], contrasts=ALL)
    assert found.slabs[SLAB].flags == ("repeated_series",)
    assert found.slabs[SLAB].problem == ""


def test_identify__keeps_tags_where_there_is_no_body() -> None:
    """A pattern has no skin: its echoes are known by physics, fat and water by what isn't contested."""
    found = settle(labelled({"fat": "in_phase", "in_phase": "fat"}, {}), pixels_of(exams.images(SLAB)))
    assert named(found) == RIGHT
    assert any("tags tell fat from water" in line.reason for line in found.lines)
