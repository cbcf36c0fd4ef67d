from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr

from bmx.partitions.work import WorkFolder
from bmx.store.layout import create_column, create_images, replace_rows
from bmx.store.withdrawal import erase_participants, tombstone_value
from bmx.variables import VARIABLES, variables_of
from tests.killed import KilledError, killed_at
from tests.traces import decoded, encoded_volumes

EIDS = (101, 102, 103, 104, 105)
LINE = "today bmx 1 withdraw, 2 participants"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Five participants with tiny volumes in shards of two, two series each, and a variable of somebody else's."""
    path = tmp_path / "s.zarr"
    root = zarr.create_group(path, attributes={"history": "yesterday bmx 1 convert, 5 participants"})
    create_column(root, VARIABLES["participant"], np.array(EIDS))
    fat = create_images(root.create_group("slab_2"), VARIABLES["fat"], (5, 4, 3, 2), shard=2)
    fat[:] = np.random.default_rng(0).integers(1, 60_000, (5, 4, 3, 2)).astype(np.uint16)
    series = root.create_group("series")
    create_column(series, VARIABLES["series_participant"], np.repeat(EIDS, 2))
    create_column(series, VARIABLES["series_uid"], np.array([f"uid {eid} {i}" for eid in EIDS for i in range(2)]))
    create_column(series, VARIABLES["series_used"], np.arange(10) % 2 == 0)
    root.create_array("theirs", data=np.arange(1.0, 6), fill_value=-9, dimension_names=["participant"])
    return path


def erase(store: Path, *eids: int) -> int:
    return erase_participants(str(store), eids, scratch=WorkFolder.beside(store), line=LINE)


def read(store: Path, name: str) -> Any:
    array = zarr.open_group(store, mode="r")[name]
    assert isinstance(array, zarr.Array)
    return array[:]


def test_erase_participants__fills_their_rows_and_no_others(store: Path) -> None:
    """Also of a variable that bmx doesn't know: with its own fill value."""
    before = read(store, "slab_2/fat")
    assert erase(store, 104, 102, 999) == 2
    assert read(store, "participant").tolist() == [101, -2, 103, -4, 105]
    assert not read(store, "slab_2/fat")[[1, 3]].any()
    np.testing.assert_array_equal(read(store, "slab_2/fat")[[0, 2, 4]], before[[0, 2, 4]])
    assert read(store, "theirs").tolist() == [1, -9, 3, -9, 5]
    assert read(store, "series/series_uid").tolist() == [f"uid {eid} {i}" for eid in (101, 103, 105) for i in range(2)]
    assert read(store, "series/series_used").tolist() == [True, False] * 3


def test_erase_participants__does_not_encode_neighbours_anew(store: Path) -> None:
    """Their compressed bytes are taken over as they are."""
    shard = store / "slab_2/fat/c.0.0.0.0"
    before = encoded_volumes(shard)
    erase(store, 102)
    assert encoded_volumes(shard) == [before[0], b""]
    assert before[1] not in shard.read_bytes()


def test_erase_participants__leaves_nothing_beyond_the_end_of_an_array(store: Path, tmp_path: Path) -> None:
    """The last chunk of a shortened column is longer than the column."""
    erase(store, 101, 102)
    for where, values in decoded(store, tmp_path):
        if "series_uid" in where:
            assert len(values) == 65_536
            assert sorted({text for text in values.tolist() if text}) == [
                f"uid {eid} {i}" for eid in (103, 104, 105) for i in range(2)
            ]
        if "series_participant" in where:
            assert sorted(set(values.tolist()) - {0}) == [103, 104, 105]


def test_erase_participants__can_take_everybody(store: Path) -> None:
    """No series is left, no shard is left."""
    erase(store, *EIDS)
    assert read(store, "participant").tolist() == [-1, -2, -3, -4, -5]
    assert read(store, "series/series_uid").tolist() == []
    assert [path.name for path in (store / "slab_2/fat").iterdir()] == ["zarr.json"]


def test_erase_participants__writes_its_line_once(store: Path) -> None:
    """Called again after it was killed, or after it wasn't."""
    for _ in range(2):
        erase(store, 102, 104)
        assert zarr.open_group(store, mode="r").attrs["history"] == f"yesterday bmx 1 convert, 5 participants\n{LINE}"


def test_erase_participants__finishes_wherever_it_was_killed(store: Path, tmp_path: Path) -> None:
    """At every change of a file; a column that is half exchanged must not be shortened twice."""
    smooth = Path(shutil.copytree(store, tmp_path / "smooth.zarr"))
    with pytest.MonkeyPatch.context() as patch:
        steps = killed_at(patch, 10**9)
        erase(smooth, 102, 105)
    assert steps() > 20
    for step in range(1, steps() + 1):
        rough = Path(shutil.copytree(store, tmp_path / "rough.zarr"))
        with pytest.MonkeyPatch.context() as patch:
            killed_at(patch, step)
            with pytest.raises(KilledError):
                erase(rough, 102, 105)
        erase(rough, 102, 105)
        assert contents(rough) == contents(smooth), f"killed at step {step}"
        assert not [path for path in tmp_path.glob("rough.zarr.work/**/*") if path.is_file()]
        shutil.rmtree(rough)


def contents(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_replace_rows__shortens_without_leaving_the_rest(store: Path, tmp_path: Path) -> None:
    """A column that a later finalise writes anew may be shorter, too."""
    array = zarr.open_group(store, mode="r+")["series/series_uid"]
    assert isinstance(array, zarr.Array)
    replace_rows(array, np.array(["only"], object))
    (values,) = (values for where, values in decoded(store, tmp_path) if "series_uid" in where)
    assert {text for text in values.tolist() if text} == {"only"}


@pytest.mark.parametrize("name", [one.name for one in variables_of("store", "slab", "masks", "results")])
def test_tombstone_value__is_missing_or_nothing(name: str) -> None:
    """NaN for what is measured; only statuses and reasons say something."""
    variable = VARIABLES[name]
    value = tombstone_value(variable)
    if name in ("slab_status", "slab_reason", "reason"):
        assert value
    elif variable.dtype.startswith("float"):
        assert np.isnan(value)
    else:
        assert value in (0, "")
