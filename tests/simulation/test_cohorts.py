from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

from bmx.errors import SourceError
from bmx.phenotypes.read import read_phenotypes
from bmx.simulation.cohorts import DIXON, PHENOTYPES, simulate
from bmx.simulation.people import draw_people
from bmx.simulation.truth import TRUTH
from tests.cohorts import contents


@pytest.fixture(scope="module")
def one_worker() -> Iterator[Client]:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=":0") as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture
def copied(simulated: Path, tmp_path: Path) -> Path:
    """The simulated cohort, to be damaged."""
    for name in (DIXON, TRUTH, "simulation.work"):
        shutil.copytree(simulated / name, tmp_path / name)
    shutil.copy2(simulated / PHENOTYPES, tmp_path)
    return tmp_path


def everything(folder: Path) -> dict[str, bytes]:
    zips = {path.name: path.read_bytes() for path in (folder / DIXON).iterdir()}
    return zips | contents(folder / TRUTH) | {PHENOTYPES: (folder / PHENOTYPES).read_bytes()}


def test_simulate__gives_the_same_bytes_whatever_the_number_of_workers(
    simulated: Path, one_worker: Client, tmp_path: Path
) -> None:
    """And the first participants are the same in a larger cohort: here two by one worker, there four by two."""
    simulate(tmp_path, participants=2, seed=1, slabs=(5,), client=one_worker)
    zips = sorted((tmp_path / DIXON).iterdir())
    assert [path.name for path in zips] == sorted(f"{eid}_20201_2_0.zip" for eid in draw_people(2, 1)["eid"])
    for path in zips:
        assert path.read_bytes() == (simulated / DIXON / path.name).read_bytes()
    masks = sorted((tmp_path / TRUTH).glob("slab_5/mask/c.*"))
    assert len(masks) == 2
    for path in masks:
        assert path.read_bytes() == (simulated / TRUTH / "slab_5/mask" / path.name).read_bytes()
    ours, theirs = ((folder / PHENOTYPES).read_text().splitlines() for folder in (tmp_path, simulated))
    assert ours == theirs[:3]


def test_simulate__makes_again_only_what_is_lost(
    copied: Path, simulated: Path, threads: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Killed half way through one participant; the second call ends with the same bytes, a third does nothing."""
    (copied / "simulation.work/done/000002").unlink()
    eid = draw_people(3, 1)["eid"][2]
    (copied / DIXON / f"{eid}_20201_2_0.zip").unlink()
    (copied / TRUTH / "slab_5/mask/c.2.0.0.0.0").unlink()
    for said in ("1 of 4 partitions to do", "all 4 partitions are done, nothing to do"):
        with caplog.at_level(logging.INFO, logger="bmx"):
            simulate(copied, participants=4, seed=1, slabs=(5,), client=threads)
        assert f"simulate: {said}" in caplog.text
        assert everything(copied) == everything(simulated)


def test_simulate__refuses_a_folder_with_another_cohort(simulated: Path, threads: Client) -> None:
    """Two cohorts in one folder would be converted as one."""
    before = everything(simulated)
    for other in ({"seed": 2}, {"participants": 5}, {"slabs": (4, 5)}):
        options = {"participants": 4, "seed": 1, "slabs": (5,), "client": threads} | other
        with pytest.raises(SourceError, match="already holds another simulated cohort; choose an empty folder"):
            simulate(simulated, **options)  # type: ignore[arg-type]
    assert everything(simulated) == before


def test_simulate__refuses_what_cannot_be_made(tmp_path: Path) -> None:
    """Nothing is written."""
    with pytest.raises(SourceError, match="there is no slab 7; expected some of 1, 2, 3, 4, 5, 6"):
        simulate(tmp_path / "cohort", participants=1, slabs=(2, 7))
    with pytest.raises(SourceError, match="participants must be at least 1, found 0"):
        simulate(tmp_path / "cohort", participants=0)
    assert not list(tmp_path.iterdir())


def test_write_phenotypes__is_a_table_of_the_research_analysis_platform(simulated: Path) -> None:
    """Its columns are fields and instances; read back, they are the people that were drawn, up to rounding."""
    people = draw_people(4, 1)
    header = (simulated / PHENOTYPES).read_text().splitlines()[0].split(",")
    assert header[0] == "eid"
    assert {"p31", "p21003_i2", "p21001_i2", "p23204_i2", "p23290_i2"} <= set(header)
    assert all(name.startswith("p") for name in header[1:])
    table = read_phenotypes(simulated / PHENOTYPES, instance=2)
    assert table["participant"].to_numpy().tolist() == people["eid"].tolist()
    assert table["sex"].to_numpy().tolist() == people["sex"].tolist()
    for name in ("age", "height", "bmi", "bmd_spine", "bmd_femoral_neck", "bmd_total_hip", "bmd_femoral_shaft"):
        np.testing.assert_allclose(table[name], people[name], atol=5.1e-4, err_msg=name)
    for name in ("tscore_spine", "vat_mass", "android_fat", "total_fat"):
        np.testing.assert_allclose(table[name], people[name], atol=0.051, err_msg=name)
    assert set(table["assessment_centre"].to_numpy()) <= {11025, 11026, 11027}
