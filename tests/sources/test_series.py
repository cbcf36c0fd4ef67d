from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmx.sources.header import Header
from bmx.sources.series import group_series
from bmx.types import IntVolume

ROWS, COLUMNS = 4, 5


def header(z: float = 0.0, **tags: object) -> Header:
    """One slice of a made-up axial series."""
    plain = Header(
        where=f"{z}", series_uid="1.1", study_uid="1", series_number=1, acquisition_number=1, instance_number=1,
        description="", image_type=(), echo_time_ms=None, field_strength_t=1.5, acquired="", comments="",
        rows=ROWS, columns=COLUMNS, spacing_mm=(2.0, 3.0), position=(-10.0, -20.0, z),
        row_direction=(1.0, 0.0, 0.0), column_direction=(0.0, 1.0, 0.0),
    )  # fmt: skip
    return replace(plain, **tags)


def pixels(one: Header) -> IntVolume:
    """A slice that knows its height, row and column."""
    y, x = np.mgrid[: one.rows, : one.columns]
    return (1000 + 10 * one.position[2] + 100 * y + x).astype(np.uint16)


@given(st.permutations([header(z=4.5 * i) for i in range(6)]))
def test_group_series__does_not_depend_on_the_order_of_files(shuffled: list[Header]) -> None:
    """Names of files are UIDs; nothing may be read from their order."""
    (series,) = group_series(shuffled)
    assert [one.position[2] for one in series.headers] == [4.5 * i for i in range(6)]
    assert (series.step_mm, series.span) == (4.5, 6)


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("echo_time_ms", (2.39, 4.77)),
        ("image_type", (("FAT",), ("WATER",))),
        ("description", ("Dixon_noBH_F", "Dixon_noBH_W")),
        ("acquisition_number", (1, 2)),
        ("acquired", ("20200101", "20200102")),
        ("instance_number", (1, 2)),
    ],
)
def test_group_series__splits_where_a_position_repeats(tag: str, values: tuple[object, object]) -> None:
    """One UID for both echoes, or for a repeat, is seen in real data."""
    found = group_series([header(z=z, **{tag: value}) for z in (0.0, 5.0, 10.0) for value in values])
    assert [[getattr(one, tag) for one in series.headers] for series in found] == [[value] * 3 for value in values]
    assert all(series.span == 3 for series in found)


@pytest.mark.parametrize(
    ("tag", "values"),
    [
        ("echo_time_ms", (2.39, 4.77)),
        ("image_type", (("FAT",), ("WATER",))),
        ("description", ("Dixon_noBH_F", "Dixon_noBH_W")),
    ],
)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1, max_size=3, unique=True), st.randoms())
def test_group_series__never_mixes_contrasts_because_a_file_is_doubled(
    tag: str, values: tuple[object, object], doubled: list[tuple[int, bool]], random: Random
) -> None:
    """Both echoes in one UID, and a copy of some files: all slices of a contrast are together, the copies apart."""
    one = {
        (z, second): header(z=5.0 * z, instance_number=random.randrange(9), **{tag: values[second]})
        for z in range(4)
        for second in (False, True)
    }
    copies = [replace(one[key], where="copy") for key in doubled]
    found = group_series([*one.values(), *copies])
    assert all(len({getattr(header, tag) for header in series.headers}) == 1 for series in found)
    assert sorted(len(series.headers) for series in found)[-2:] == [4, 4]
    assert sum(len(series.headers) for series in found) == 8 + len(copies)


def test_group_series__keeps_what_merely_varies_together() -> None:
    """A tag that differs between slices splits nothing as long as no position repeats."""
    assert len(group_series([header(z=float(z), acquired=str(z)) for z in range(5)])) == 1


@pytest.mark.parametrize("tag", ["acquired", "acquisition_number"])
def test_group_series__a_tag_of_each_slice_shatters_nothing(tag: str) -> None:
    """Though two of the slices are there a second time, once with another tag."""
    slices = [header(z=5.0 * z, instance_number=z, **{tag: z if tag != "acquired" else str(z)}) for z in range(12)]
    copies = [replace(slices[3], where="a"), replace(slices[5], where="b", **{tag: "99" if tag == "acquired" else 99})]
    assert sorted(len(one.headers) for one in group_series([*slices, *copies])) == [2, 12]


def test_series__leaves_a_gap_where_a_slice_is_missing() -> None:
    """Otherwise all slices above would slip down by one."""
    (series,) = group_series([header(z=z) for z in (0.0, 4.5, 13.5, 18.0)])
    assert (series.span, series.indices.tolist()) == (5, [0, 1, 3, 4])
    volume = np.zeros((6, ROWS, COLUMNS), np.uint16)
    series.volume(pixels, volume, start=1)
    assert [bool(plane.any()) for plane in volume] == [False, True, True, False, True, True]
    np.testing.assert_array_equal(volume[4], pixels(series.headers[2]))


@pytest.mark.parametrize("flip_x", [False, True])
@pytest.mark.parametrize("flip_y", [False, True])
@pytest.mark.parametrize("tilt", [0.0, 0.1])
def test_series__maps_every_voxel_to_where_dicom_says_it_is(flip_x: bool, flip_y: bool, tilt: float) -> None:
    """Oracle: the equation of the DICOM standard (PS3.3 C.7.6.2.1.1), voxel by voxel, for any direction of the axes."""
    row = np.array([np.cos(tilt), 0, np.sin(tilt)]) * (-1 if flip_x else 1)
    column = np.array([0.0, -1.0 if flip_y else 1.0, 0.0])
    normal = np.array([-np.sin(tilt), 0, np.cos(tilt)])
    headers = [
        header(
            z=0.0,
            position=tuple(np.array([7.0, 8.0, 9.0]) + 4.0 * i * normal),
            row_direction=tuple(row),
            column_direction=tuple(column),
            instance_number=i,
        )
        for i in range(3)
    ]
    (series,) = group_series(headers)
    volume = np.zeros((3, ROWS, COLUMNS), np.uint16)
    series.volume(lambda one: _identify(one.instance_number), volume)
    for z in range(3):
        for y in range(ROWS):
            for x in range(COLUMNS):
                i, j, k = np.unravel_index(volume[z, y, x], (3, ROWS, COLUMNS))
                dicom = np.array(headers[i].position) + row * 3.0 * k + column * 2.0 * j
                np.testing.assert_allclose(series.affine @ [x, y, z, 1], dicom * [-1, -1, 1], atol=1e-9)
    assert series.affine[0, 0] < 0, "x must grow towards Left"
    assert series.affine[1, 1] < 0, "y must grow towards Posterior"
    assert series.affine[2, 2] > 0, "z must grow towards Superior"


def _identify(i: int) -> IntVolume:
    """A slice whose voxels are their own numbers in the whole."""
    return np.arange(3 * ROWS * COLUMNS, dtype=np.uint16).reshape(3, ROWS, COLUMNS)[i]


def test_series__tells_slices_that_are_not_axial() -> None:
    """Localisers come in three directions."""
    (axial,) = group_series([header(z=0.0), header(z=5.0)])
    (sagittal,) = group_series(
        [
            header(row_direction=(0.0, 1.0, 0.0), column_direction=(0.0, 0.0, -1.0), position=(x, 0.0, 0.0))
            for x in (0.0, 5.0)
        ]
    )
    assert axial.is_axial
    assert not sagittal.is_axial
