from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from distributed import Client
from pydicom.dataset import Dataset

from bmx.acquisition import CONTRASTS, SLABS, ContrastName
from bmx.errors import SourceError
from bmx.ingest.conversion import convert
from bmx.ingest.identify import identify
from bmx.ingest.slab_rows import Opened, SlabRows, read_slab
from bmx.sources.header import Header
from bmx.store.reading import open_store
from bmx.types import IntVolume
from bmx.variables import SLAB_FLAGS, SLAB_STATUS, flag_names
from tests.cohorts import PAIR
from tests.exams import edit, images, make_exam, members, write_members
from tests.headers import ALL, exam

SLAB = 2


class FakeExam:
    """An exam of headers alone; each file shows the pattern of its contrast, or fails."""

    where = "nowhere"

    def __init__(self, headers: list[Header], fails: Callable[[Header], bool] = lambda header: False) -> None:
        self.headers, self._fails = headers, fails
        self.rejected: dict[str, str] = {}
        self.irregularities = ["manifest_missing"]
        self.read: set[ContrastName] = set()
        self._images = images(SLAB)

    def pixels(self, header: Header) -> IntVolume:
        if self._fails(header):
            raise SourceError(f"{header.where} is damaged")
        name = contrast_of(header)
        self.read.add(name)
        return self._images[name][header.instance_number]

    def digest(self) -> str:
        return ""

    def __enter__(self) -> FakeExam:
        return self

    def __exit__(self, *error: object) -> None: ...


def contrast_of(header: Header) -> ContrastName:
    return ALL[(header.series_number - 1) % 4]


def read(
    fake: FakeExam, *, contrasts: tuple[ContrastName, ...] = PAIR, physics: bool = False
) -> tuple[SlabRows, dict[ContrastName, IntVolume]]:
    rows = SlabRows(1)
    volumes = {name: np.zeros(SLABS[SLAB].stored_shape, np.uint16) for name in contrasts}
    found = identify(fake.headers, contrasts=contrasts, pixels=fake.pixels)
    read_slab(rows, 0, Opened(fake, found), SLABS[SLAB], volumes, physics=physics)
    return rows, volumes


def said(rows: SlabRows) -> tuple[str, set[str], str]:
    status = {value: name for name, value in SLAB_STATUS.items()}[int(rows.slab_status[0])]
    return status, set(flag_names(int(rows.slab_flags[0]), SLAB_FLAGS)), rows.slab_reason[0]


def test_read_slab__takes_damaged_slices_for_missing_ones() -> None:
    """Two slices of 44 are no reason to lose a slab; they stay zero, and the reason names one of them."""
    rows, volumes = read(FakeExam(exam([1, SLAB, 3]), lambda one: one.where in ("7-3", "7-9")))
    assert said(rows) == (
        "incomplete", {"missing_slices", "manifest_missing"},
        "fat has 2 of 44 slices that can't be read: 7-3 is damaged",
    )  # fmt: skip
    assert np.flatnonzero(~volumes["fat"][:44].any((1, 2))).tolist() == [3, 9]
    np.testing.assert_array_equal(volumes["water"][:44], images(SLAB)["water"])
    assert np.isfinite(rows.affine[0]).all()


def test_read_slab__gives_up_on_an_image_that_is_mostly_damaged() -> None:
    """Half of water is no slab; nothing of it is kept, as if it couldn't be read at all."""
    broken = FakeExam(exam([1, SLAB, 3]), lambda one: contrast_of(one) == "water" and one.instance_number > 20)
    rows, volumes = read(broken)
    status, _, reason = said(rows)
    assert (status, reason) == ("unreadable", "water has 23 of 44 slices that can't be read: 8-21 is damaged")
    assert not any(volume.any() for volume in volumes.values())
    assert np.isnan(rows.affine[0]).all()
    assert rows.native_slices[0] == 0


def test_read_slab__reads_what_is_not_kept_for_physics_alone() -> None:
    """Without the check, in-phase and opposed-phase aren't even opened."""
    without, checked = FakeExam(exam()), FakeExam(exam())
    rows, volumes = read(without)
    assert without.read == {"fat", "water"}
    assert np.isnan(rows.physics_residual).all()
    rows, same = read(checked, physics=True)
    assert checked.read == set(CONTRASTS)
    np.testing.assert_array_equal(rows.physics_residual, [[0, 0]])
    assert set(same) == set(PAIR)
    np.testing.assert_array_equal(same["fat"], volumes["fat"])


@pytest.mark.parametrize("lost", list(CONTRASTS))
def test_read_slab__checks_no_physics_of_three_images(lost: ContrastName) -> None:
    """A relation needs all its terms."""
    rows, _ = read(FakeExam([one for one in exam() if contrast_of(one) != lost]), physics=True)
    assert np.isnan(rows.physics_residual).all()
    assert "physics_violated" not in said(rows)[1]


def exchange(image: Dataset) -> Dataset:
    """Call in-phase water and water in-phase, in both tags: nothing contradicts anything but the signal."""
    other = {"IN_PHASE": ("WATER", "Dixon_BH_17s_W"), "WATER": ("IN_PHASE", "Dixon_BH_17s_in")}
    if image.ImageType[-1] in other:
        token, image.SeriesDescription = other[image.ImageType[-1]]
        image.ImageType = [*image.ImageType[:-1], token]
    return image


@pytest.mark.parametrize("contrasts", [PAIR, tuple(CONTRASTS)], ids=["two kept", "four kept"])
def test_convert__flags_slabs_that_violate_physics(
    contrasts: tuple[ContrastName, ...], tmp_path: Path, threads: Client
) -> None:
    """Wrong labels that agree with each other are seen by this check alone."""
    make_exam(tmp_path / "dixon", 1, contrasts=CONTRASTS)
    edit(make_exam(tmp_path / "dixon", 2, contrasts=CONTRASTS), exchange)
    convert(tmp_path / "dixon", tmp_path / "s.zarr", slabs=(2,), contrasts=contrasts, physics=True, client=threads)
    slab = open_store(tmp_path / "s.zarr")["slab_2"]
    residual = slab["physics_residual"].to_numpy()
    np.testing.assert_array_equal(residual[0], [0, 0])
    assert (residual[1] > 0.2).all()
    flags = [set(flag_names(bits, SLAB_FLAGS)) for bits in slab["slab_flags"].to_numpy().tolist()]
    assert ["physics_violated" in names for names in flags] == [False, True]


def test_convert__needs_no_order_names_or_numbers(tmp_path: Path, threads: Client) -> None:
    """A zip whose members are shuffled and renamed, series and instances numbered anew: the same voxels and columns."""
    whole = make_exam(tmp_path / "dixon", 1, slabs=(2, 5), contrasts=CONTRASTS, seed=3, manifest=False)
    anonymous = make_exam(tmp_path / "dixon", 2, slabs=(2, 5), contrasts=CONTRASTS, seed=3, manifest=False)
    dice = random.Random(0)
    numbers: dict[str, int] = {}

    def renumber(image: Dataset) -> Dataset:
        image.SeriesNumber = numbers.setdefault(image.SeriesInstanceUID, dice.randrange(1000))
        image.InstanceNumber = dice.randrange(1000)
        return image

    edit(anonymous, renumber)
    contents = list(members(anonymous).values())
    dice.shuffle(contents)
    write_members(anonymous, {f"{dice.getrandbits(64):x}": content for content in contents})
    assert len(members(whole)) == len(members(anonymous))
    convert(tmp_path / "dixon", tmp_path / "s.zarr", slabs=(2, 3, 5), contrasts=tuple(CONTRASTS), client=threads)
    store = open_store(tmp_path / "s.zarr")
    for number in (2, 3, 5):
        node = store[f"slab_{number}"]
        assert isinstance(node, xr.DataTree)
        one, other = (node.to_dataset(inherit=False).isel(participant=row).compute() for row in (0, 1))
        assert one.equals(other)
    assert store["slab_2/slab_status"].to_numpy().tolist() == [SLAB_STATUS["complete"]] * 2
