from __future__ import annotations

import io
import logging
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from distributed import Client, LocalCluster

from bmx.errors import SourceError
from bmx.phenotypes.read import read_phenotypes
from bmx.simulation.cohorts import DIXON, _as_imaged, simulate
from bmx.simulation.faults.draw import FaultPlan
from bmx.simulation.people import draw_people
from bmx.simulation.phenotypes import PHENOTYPES
from bmx.simulation.truth import TRUTH, open_truth
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


def test_simulate__labels_faults_and_leaves_the_rest_alone(simulated: Path, threads: Client, tmp_path: Path) -> None:
    """The same people as without faults, but for what the truth says; made again, the same bytes."""
    faults = ["missing_manifest", "swap_leg+very_tall", "truncated_zip"]
    options = {"participants": 3, "seed": 1, "slabs": (5,), "faults": faults, "client": threads}
    simulate(tmp_path, **options)  # type: ignore[arg-type]
    people, truth, clean = draw_people(3, 1), open_truth(tmp_path), open_truth(simulated)
    rows = truth["faults"].to_dataset(inherit=False).to_dataframe()
    assert rows[["fault_participant", "fault_name", "fault_slab"]].to_numpy().tolist() == [
        [people["eid"][0], "missing_manifest", 0],
        [people["eid"][1], "very_tall", 0],
        [people["eid"][1], "swap_leg", 5],
        [people["eid"][2], "truncated_zip", 0],
    ]
    ours, theirs = (
        [(folder / DIXON / f"{eid}_20201_2_0.zip").read_bytes() for eid in people["eid"]]
        for folder in (tmp_path, simulated)
    )
    archives = [zipfile.ZipFile(io.BytesIO(one[0])) for one in (ours, theirs)]
    before = {name: archives[1].read(name) for name in archives[1].namelist()}
    assert {name: archives[0].read(name) for name in archives[0].namelist()} | {
        "manifest.csv": before["manifest.csv"]
    } == before
    assert theirs[2].startswith(ours[2])
    assert len(ours[2]) < len(theirs[2])
    for name in ("mask", "labels", "fat_fraction"):
        for row in (0, 2):
            np.testing.assert_array_equal(truth[f"slab_5/{name}"][row], clean[f"slab_5/{name}"][row])
    assert (truth["slab_5/swapped"].sum(["z", "y", "x"]).to_numpy() > 0).tolist() == [False, True, False]
    side = "left" if "side=left" in rows["fault_detail"][2] else "right"
    assert truth["results/cause"].to_numpy().ravel().tolist() == [
        "", "imaging artefact" if side == "left" else "", "data structure"
    ]  # fmt: skip
    heights = read_phenotypes(tmp_path / PHENOTYPES, instance=2)["height"].to_numpy()
    assert heights[1] >= 195
    assert heights[[0, 2]].tolist() == people["height"][[0, 2]].tolist()

    whole = everything(tmp_path)
    (tmp_path / "simulation.work/done/000002").unlink()
    simulate(tmp_path, **options)  # type: ignore[arg-type]
    assert everything(tmp_path) == whole


def test_simulate__without_maps_is_smaller(threads: Client, tmp_path: Path) -> None:
    """Who needs no fat fraction voxel by voxel saves its megabytes."""
    simulate(tmp_path, participants=1, seed=1, slabs=(6,), maps=False, client=threads)
    assert sorted(one.name for one in (tmp_path / TRUTH / "slab_6").iterdir() if one.is_dir()) == ["labels", "swapped"]
    assert open_truth(tmp_path)["results"].sizes["region"] == 0


def test_simulate__refuses_a_folder_with_another_cohort(simulated: Path, threads: Client) -> None:
    """Two cohorts in one folder would be converted as one."""
    before = everything(simulated)
    for other in ({"seed": 2}, {"participants": 5}, {"slabs": (4, 5)}, {"faults": "paper"}):
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
    with pytest.raises(SourceError, match="no fault is called 'swap_lag'"):
        simulate(tmp_path / "cohort", participants=1, faults="swap_lag")
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


def test_as_imaged__a_fault_of_the_body_has_its_diagnosis() -> None:
    """Whoever looks for skeletal disease among failed measurements must find it; others keep theirs."""
    people = draw_people(3, 1)
    plan = FaultPlan.parse(["hip_implant", "severe_scoliosis+marrow_depletion", "swap_leg"], slabs=(2, 4, 5))
    codes = [text.split("|") for text in _as_imaged(people, plan, 1)["icd10"]]
    assert "Z966" in codes[0]
    assert {"M419", "C859"} <= set(codes[1])
    assert "|".join(codes[2]) == people["icd10"][2]
