"""The recipes for places: executed with stand-ins for what a place has, and on a real SLURM if one can be started."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from distributed import Client

from bmx.acquisition import UKB_FIELD
from bmx.ingest.conversion import convert
from bmx.store.reading import open_store
from bmx.store.results import open_results
from tests.cohorts import contents
from tests.exams import make_exam
from tests.slurm import one_node_slurm, wait_for_jobs

RECIPES = Path(__file__).parents[1] / "conversion"
EIDS = tuple(range(1000001, 1000007))
SLABS = (2, 4, 5)
"""What the recipes keep."""

# Does at once what SLURM does later: each job of an array with its number, then what depends on them.
FAKE_SBATCH = """
import os, subprocess, sys
options = dict(word.lstrip("-").partition("=")[::2] for word in sys.argv[1:] if word.startswith("--"))
words = [word for word in sys.argv[1:] if not word.startswith("--")]
print(1)
if "wrap" in options:
    assert options["dependency"] == "afterok:1"
    subprocess.run(["bash", "-c", options["wrap"]], check=True)
else:
    first, last = map(int, options["array"].split("-"))
    for number in range(first, last + 1):
        job = {"SLURM_ARRAY_TASK_ID": number, "SLURM_ARRAY_TASK_COUNT": last + 1 - first}
        job["SLURM_CPUS_PER_TASK"] = options["cpus-per-task"]
        environment = os.environ | {name: str(value) for name, value in job.items()}
        subprocess.run(["bash", *words], check=True, env=environment, stdout=sys.stderr)
"""
# Keeps what it is given under DX_PROJECT; the upload of DX_FAILS breaks. Nothing may lie packed on the job's disk.
FAKE_DX = """
import os, shutil, sys
from pathlib import Path
assert sys.argv[1:3] == ["upload", "-"], sys.argv
place = sys.argv[sys.argv.index("--path") + 1]
assert list(Path.cwd().glob("*.tar")) == []
if place.endswith(os.environ.get("DX_FAILS", "nothing")):
    sys.exit("the upload broke")
target = Path(os.environ["DX_PROJECT"] + place)
target.parent.mkdir(parents=True, exist_ok=True)
with target.open("xb") as file:
    shutil.copyfileobj(sys.stdin.buffer, file)
print("uploaded", place)
"""
# Makes folders where bmx would make stores.
FAKE_BMX = """
import sys
from pathlib import Path
names = {"convert": ["ukbb.zarr", "ukbb.zarr.work"], "run": ["results.zarr", "results.zarr.work", "results.masks.zarr"]}
for name in names[sys.argv[1]]:
    Path(name).mkdir(exist_ok=True)
    Path(name, "inside").write_text(name)
"""


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six participants with slab 5, in a folder whose path has spaces, sorted as on the platform."""
    folder = tmp_path_factory.mktemp("project") / "Bulk/Whole Body MRI/Dixon"
    for eid in EIDS:
        make_exam(folder / str(eid)[:2], eid, slabs=(5,))
    return folder


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of programs for PATH, with this very bmx in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program(folder / "bmx", "from bmx.cli import main\nif __name__ == '__main__':\n    main()\n")
    return folder


def program(path: Path, source: str) -> None:
    path.write_text(f"#!{sys.executable}\n{source}")
    path.chmod(0o755)


def environment(programs: Path, **more: str) -> dict[str, str]:
    modules = os.pathsep.join(path for path in sys.path if path)
    return os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": modules} | more


def execute(*words: object, env: Mapping[str, str], cwd: Path) -> str:
    ended = subprocess.run(
        list(map(str, words)), env=env, cwd=cwd, capture_output=True, text=True, check=False, timeout=300
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return ended.stdout


@pytest.mark.parametrize("path", sorted(RECIPES.rglob("*.s*h")), ids=lambda path: path.name)
def test_recipes__shells_can_read_them(path: Path) -> None:
    """Job scripts, too; each stops at its first error and calls nothing of ours but bmx."""
    subprocess.run(["bash", "-n", path], check=True)
    text = path.read_text()
    assert text.startswith("#!/usr/bin/env bash\n")
    assert "set -euo pipefail" in text
    assert "bmx convert" in text
    assert "python" not in text


def test_recipes__are_listed_in_their_readme() -> None:
    """A recipe that nobody finds is none."""
    listed = (RECIPES / "README.md").read_text()
    files = [path for path in RECIPES.rglob("*") if path.is_file() and path.name != "README.md"]
    assert len(files) >= 5
    assert [path.name for path in files if str(path.relative_to(RECIPES)) not in listed] == []


@pytest.mark.slow
def test_job_array__equals_a_single_call(archives: Path, programs: Path, tmp_path: Path, threads: Client) -> None:
    """Three jobs with their numbers from a stand-in for SLURM; called again, they find all done."""
    program(programs / "sbatch", FAKE_SBATCH)
    store = tmp_path / "a store.zarr"
    words = ["bash", RECIPES / "slurm/job_array.sh", archives, store, 3]
    for _ in range(2):
        execute(*words, env=environment(programs, CPUS="1"), cwd=tmp_path)
    convert(archives, tmp_path / "alone.zarr", slabs=SLABS, client=threads, max_memory=700_000_000)
    assert contents(store) == contents(tmp_path / "alone.zarr")


@pytest.mark.slow
def test_ukb_rap__converts_measures_and_uploads(
    archives: Path, programs: Path, untrained: Path, tmp_path: Path
) -> None:
    """The paths of the platform, with spaces; `dx` is a stand-in that keeps what it is sent."""
    program(programs / "dx", FAKE_DX)
    given = {"ZIPS": str(archives), "WORK": str(tmp_path / "work"), "DX_PROJECT": str(tmp_path / "project")}
    said = execute(
        "bash", RECIPES / "ukb_rap/convert_and_run.sh", untrained, env=environment(programs, **given), cwd=tmp_path
    )
    assert said.splitlines()[-1] == "uploaded /bmx/ukbb.tar"
    assert "participants  6, 6 to do" in said
    for name in ("ukbb", "results"):
        shutil.unpack_archive(tmp_path / f"project/bmx/{name}.tar", tmp_path / "back")
    assert open_store(tmp_path / "back/ukbb.zarr")["participant"].to_numpy().tolist() == list(EIDS)
    assert open_results(tmp_path / "back/results.zarr").sizes["participant"] == len(EIDS)


@pytest.mark.parametrize("folder", ["/bmx/", "/a folder"])
def test_ukb_rap__uploads_the_results_before_the_store(folder: str, tmp_path: Path) -> None:
    """As streams: a packed copy beside a large store would fill the disk, and the results would go with the job."""
    (tmp_path / "bin").mkdir()
    program(tmp_path / "bin/dx", FAKE_DX)
    program(tmp_path / "bin/bmx", FAKE_BMX)
    project = tmp_path / "project"
    given = {"DX_PROJECT": str(project), "DX_FOLDER": folder, "WORK": str(tmp_path / "work"), "DX_FAILS": "ukbb.tar"}
    words = ["bash", RECIPES / "ukb_rap/convert_and_run.sh", tmp_path]
    ended = subprocess.run(
        words, env=environment(tmp_path / "bin", **given), capture_output=True, text=True, check=False, timeout=60
    )
    assert ended.returncode != 0, "a broken upload must not look like success"
    assert "the upload broke" in ended.stderr
    there = project / folder.strip("/")
    assert [path.name for path in there.iterdir()] == ["results.tar"]
    (there / "results.tar").unlink()
    said = execute(*words, env=environment(tmp_path / "bin", **given | {"DX_FAILS": "nothing"}), cwd=tmp_path)
    place = "/" + folder.strip("/")
    assert said.splitlines() == [f"uploaded {place}/results.tar", f"uploaded {place}/ukbb.tar"]
    for name in ("results", "ukbb"):
        shutil.unpack_archive(there / f"{name}.tar", tmp_path / "back")
    assert {path.parent.name: path.read_text() for path in (tmp_path / "back").rglob("inside")} == {
        name: name
        for name in ("ukbb.zarr", "ukbb.zarr.work", "results.zarr", "results.zarr.work", "results.masks.zarr")
    }


def test_ukb_rap__names_the_place_of_the_bulk_files() -> None:
    """Quoted, since the path has spaces; and the README tells the same."""
    place = "/mnt/project/Bulk/Whole Body MRI/Dixon"
    assert f'"{place}"' in (RECIPES / "ukb_rap/convert_and_run.sh").read_text()
    readme = (RECIPES / "ukb_rap/README.md").read_text()
    assert f"`{place}/<first two digits>/`" in readme
    assert str(UKB_FIELD) in readme


@pytest.mark.slow
def test_job_array__runs_on_a_real_slurm(archives: Path, programs: Path, tmp_path: Path, threads: Client) -> None:
    """Munge, slurmctld and slurmd of Debian on loopback: the recipe as it stands, and the very same store."""
    (tmp_path / "slurm").mkdir()
    store = tmp_path / "a store.zarr"
    with one_node_slurm(tmp_path / "slurm", cpus=2) as slurm:
        env = environment(programs, CPUS="1", SLURM_CONF=slurm["SLURM_CONF"])
        said = execute("bash", RECIPES / "slurm/job_array.sh", archives, store, 3, env=env, cwd=tmp_path)
        assert "Submitted batch job" in said
        wait_for_jobs(slurm, timeout=200)
    logs = "\n".join(path.read_text() for path in tmp_path.glob("slurm-*.out"))
    assert logs.count("of them written now") == 3, logs
    convert(archives, tmp_path / "alone.zarr", slabs=SLABS, client=threads)
    assert contents(store) == contents(tmp_path / "alone.zarr"), logs


@pytest.mark.slow
def test_convert_and_run__runs_on_a_real_slurm(archives: Path, programs: Path, untrained: Path, tmp_path: Path) -> None:
    """The other recipe: workers of one Dask cluster are jobs of SLURM."""
    pytest.importorskip("dask_jobqueue", reason="needs dask-jobqueue: pip install 'bmx[slurm]'")
    (tmp_path / "slurm").mkdir()
    small = "import sys; sys.path.insert(0, sys.argv[1]); from convert_and_run import main; "
    small += "main(*sys.argv[2:], cores=1, jobs=2)"
    with one_node_slurm(tmp_path / "slurm", cpus=2) as slurm:
        env = environment(programs, SLURM_CONF=slurm["SLURM_CONF"])
        places = [tmp_path / "ukbb.zarr", tmp_path / "results.zarr"]
        execute(sys.executable, "-c", small, RECIPES / "slurm", archives, *places, untrained, env=env, cwd=tmp_path)
        wait_for_jobs(slurm, timeout=60)
    assert open_results(tmp_path / "results.zarr").sizes["participant"] == len(EIDS)
    assert list(tmp_path.glob("slurm-*.out")), "no job of SLURM has left its log: who did the work?"
