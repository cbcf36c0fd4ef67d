from __future__ import annotations

import logging
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import typer
import zarr
from distributed import Client

import bmx.cli as cli
from bmx.cli.app import app, options
from bmx.simulation.cohorts import DIXON
from bmx.simulation.faults.registry import FAULTS
from bmx.simulation.phenotypes import PHENOTYPES
from bmx.store.results import open_results
from tests.cohorts import make_store
from tests.exams import make_exam

COMMANDS = (
    "simulate", "plan", "convert", "inspect", "fields", "verify", "withdraw", "status", "export", "train", "evaluate",
    "run", "regress", "reproduce", "demo",
)  # fmt: skip
FORMULA = "bmd_femoral_shaft ~ bmff_femoral_diaphysis"


@dataclass(frozen=True, slots=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    error: str


Command = Callable[..., Said]


@pytest.fixture
def bmx(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], threads: Client) -> Iterator[Command]:
    """Runs a command line in this process, on a cluster that is there already: `bmx("convert", folder, store)`."""
    root, ours = logging.getLogger(), logging.getLogger("bmx")
    before = root.handlers[:], root.level, ours.level
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.setenv("NO_COLOR", "1")

    def command(*words: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["bmx", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return Said(int(left.value.code or 0), said.out, said.err)

    with threads.as_current():
        yield command
    root.handlers[:], root.level, ours.level = before


@pytest.fixture(scope="module")
def measured(simulated: Path, untrained: Path, tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    """Results of the four simulated participants."""
    from bmx.cohort.run import run

    results = tmp_path_factory.mktemp("measured") / "results.zarr"
    run(simulated / "slabs.zarr", results, models=untrained, client=threads)
    return results


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Path]:
    """A folder that nobody may write to, not even root."""
    folder = tmp_path / "read-only"
    folder.mkdir(mode=0o500)
    if not os.access(folder, os.W_OK):
        yield folder
        return
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", folder], capture_output=True, check=False)
    if mount.returncode:
        pytest.skip("runs as root, whom no mode stops, and may not mount a read-only folder")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_help__lists_the_commands_in_their_order(bmx: Command) -> None:
    """The first thing that anybody sees; without a word it is the same."""
    for words in (("--help",), ()):
        said = bmx(*words)
        assert re.findall(r"^│ (\w+)  ", said.out + said.error, re.MULTILINE) == list(COMMANDS)
        assert "bmx demo goes the whole way" in said.out + said.error


@pytest.mark.parametrize("name", COMMANDS)
def test_help__teaches_by_an_example(bmx: Command, name: str) -> None:
    """Each has a line to copy that begins with its own name, and explains every option."""
    said = bmx(name, "--help")
    assert said.code == 0
    assert f"Example: bmx {name} " in said.out
    parameters = typer.main.get_command(app).commands[name].params  # type: ignore[attr-defined]
    assert len(parameters) >= 2
    assert [parameter.name for parameter in parameters if not parameter.help] == []


def test_simulate__lists_its_faults(bmx: Command) -> None:
    """Without making anything; one a line, with what it means."""
    said = bmx("simulate", "--list-faults")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == list(FAULTS)
    assert "swap_leg                images     fat and water are exchanged in one leg" in said.out


def test_simulate__refuses_a_fault_that_it_does_not_know(bmx: Command, tmp_path: Path) -> None:
    """With the name that was meant."""
    said = bmx("simulate", tmp_path / "cohort", "--faults", "missing_slice,swap_lag")
    assert said.code == 1
    assert "no fault is called 'swap_lag'" in said.error
    assert "did you mean swap_leg?" in said.error


def test_cli__goes_from_nothing_to_a_regression(bmx: Command, untrained: Path, tmp_path: Path) -> None:
    """The journey of the README, command by command; twice is as good as once."""
    cohort, store, results = tmp_path / "cohort", tmp_path / "slabs.zarr", tmp_path / "results.zarr"
    said = bmx("simulate", cohort, "--participants", 4, "--seed", 1, "--slabs", 5)
    assert (said.code, said.out) == (0, f"4 participants in {cohort}: dixon/, truth.zarr, phenotypes.csv\n")

    for done in ("4 of them written now", "finished already: nothing to do"):
        said = bmx("convert", cohort / DIXON, store, "--slabs", 5)
        assert said.code == 0
        assert said.out.startswith(f"{store}: 4 participants in 4 partitions, {done}\n")
        assert ["complete", "4"] in [line.split() for line in said.out.splitlines()]

    eid = int(min(cohort.glob(f"{DIXON}/*.zip")).name.split("_")[0])
    for words in ((min(cohort.glob(f"{DIXON}/*.zip")),), (store, eid)):
        said = bmx("inspect", *words)
        assert said.code == 0
        assert said.out.splitlines()[0] == "slab 5, upper legs  complete"
        assert "✓   19  Dixon_noBH_F      fat" in said.out
        assert said.out.splitlines()[-1].startswith("4 of 4 series are used; complete: slab 5")

    for _ in range(2):
        said = bmx("run", store, results, "--models", untrained)
        assert said.code == 0
        assert said.out.splitlines()[0].split() == ["femoral_diaphysis"]
        assert ["ok", "4"] in [line.split() for line in said.out.splitlines()]
    assert "is finished, nothing to do" in said.error

    said = bmx("regress", results, cohort / PHENOTYPES, FORMULA)
    assert said.code == 0
    assert said.out.startswith(f"Linear regression  {FORMULA}")
    assert "n = 4 (0 dropped)" in said.out


def test_cli__says_less_when_asked_to(bmx: Command, simulated: Path, untrained: Path, measured: Path) -> None:
    """--quiet leaves errors and the answer itself."""
    words = ("run", simulated / "slabs.zarr", measured, "--models", untrained)
    assert "nothing to do" in bmx(*words).error
    said = bmx("--quiet", *words)
    assert (said.code, said.error) == (0, "")
    assert "ok" in said.out


def test_main__an_error_is_one_message(bmx: Command, tmp_path: Path) -> None:
    """What, expected, found, what to do; no traceback, nothing on standard output, exit code 1."""
    said = bmx("convert", tmp_path, tmp_path / "s.zarr")
    assert said == Said(
        1,
        "",
        "error: SourceError: expected EID_20201_I_0.zip files, or EID_20201_I_0_slab_N_CONTRAST.nii.gz files, or "
        f"EID_20201_I_0 folders of DICOM files below {tmp_path}, found none; check the folder and the instance\n",
    )


@pytest.mark.parametrize("debug", [False, True])
def test_options__leave_broken_connections_to_debug(debug: bool) -> None:
    """While a run is stopped, callbacks of the event loop fail at length, and the command says it in a line."""
    before = logging.getLogger().handlers
    try:
        options(debug=debug)
        (handler,) = logging.getLogger().handlers
        for name, level, shown in (
            ("tornado.application", logging.ERROR, debug),
            ("asyncio", logging.ERROR, debug),
            ("distributed.scheduler", logging.INFO, False),
            ("distributed.scheduler", logging.WARNING, True),
            ("bmx.cohort.run", logging.INFO, True),
        ):
            record = logging.LogRecord(name, level, "", 0, "Exception in callback", None, None)
            assert bool(handler.filter(record)) == shown, name
    finally:
        logging.basicConfig(handlers=before, force=True)


def test_main__debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of the very exception, for a report."""
    command = [sys.executable, "-m", "bmx.cli", "--debug", "convert", str(tmp_path), str(tmp_path / "s.zarr")]
    said = subprocess.run(command, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert said.stderr.startswith("Traceback (most recent call last)")
    assert "bmx.errors.SourceError: expected EID_20201_I_0.zip files" in said.stderr


def test_main__adds_the_notes_of_an_error(bmx: Command, tmp_path: Path) -> None:
    """Each layer says what it knows, such as which file it was."""
    broken = tmp_path / "7_20201_2_0.zip"
    broken.write_bytes(b"not a zip")
    said = bmx("inspect", broken)
    assert said.code == 1
    assert said.error == (
        "error: SourceError: expected a zip archive, found 9 bytes that aren't one (File is not a zip file)\n"
        f"  while reading {broken}\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("convert", "a", "b.zarr", "--slabs", "two"), "expected numbers such as 2,4,5, found 'two'"),
        (("convert", "a", "b.zarr", "--contrasts", "fat,pdff"), "no contrast is called 'pdff'; expected some of in_ph"),
        (("simulate", "a", "--participants", "0"), "Input should be greater than or equal to 1"),
        (("run", "a", "b.zarr"), "Missing option '--models'"),
        (("run", "a", "b.zarr", "--workers", "0"), "Input should be greater than or equal to 1"),
        (("measure",), "No such command 'measure'"),
    ],
)
def test_main__a_word_that_cannot_be_meant_is_refused(bmx: Command, words: tuple[str, ...], message: str) -> None:
    """Exit code 2, as everywhere, before anything is read."""
    said = bmx(*words)
    assert said.code == 2
    assert message in said.error


def refused(said: Said, kind: str, pattern: str) -> None:
    """One clear error, with exit code 1."""
    assert said.code == 1
    assert said.error.count("error:") == 1
    assert "Traceback" not in said.error
    assert f"error: {kind}: " in said.error
    assert re.search(pattern, said.error), said.error


def test_convert__refuses_a_participant_with_two_archives(bmx: Command, tmp_path: Path) -> None:
    """Nobody can guess which is the right one."""
    make_exam(tmp_path / "one", 7, contrasts=["fat"])
    make_exam(tmp_path / "two", 7, contrasts=["fat"])
    said = bmx("convert", tmp_path, tmp_path / "s.zarr")
    refused(said, "SourceError", r"participant 7 has two exams of instance 2: .*one.*two.*; keep one of them")


def test_convert__refuses_a_folder_that_is_not_there(bmx: Command, tmp_path: Path) -> None:
    """A slip of the pen."""
    said = bmx("convert", tmp_path / "dixson", tmp_path / "s.zarr")
    refused(said, "SourceError", r"there is nothing at .*dixson; expected a folder of EID_20201_I_0\.zip files")


def test_convert__makes_a_file_that_is_no_zip_a_participant_with_a_reason(
    bmx: Command, untrained: Path, tmp_path: Path
) -> None:
    """In a cohort it stops nobody; `run` counts it as failed."""
    (tmp_path / "7_20201_2_0.zip").write_bytes(b"not a zip")
    said = bmx("convert", tmp_path, tmp_path / "s.zarr", "--slabs", 5)
    assert said.code == 0
    assert "participant 7: expected a zip archive, found 9 bytes" in said.error
    said = bmx("run", tmp_path / "s.zarr", tmp_path / "r.zarr", "--models", untrained, "--allow-simulated")
    assert ["failed", "1"] in [line.split() for line in said.out.splitlines()]


def test_convert__says_where_it_cannot_write(
    bmx: Command, simulated: Path, tmp_path: Path, untrained: Path, read_only: Path
) -> None:
    """A folder without permission, a file where a folder should be; the same for `run` and `simulate`."""
    (tmp_path / "file").write_text("not a folder")
    store = simulated / "slabs.zarr"
    for place in (read_only, tmp_path / "file"):
        pattern = rf"cannot write {place}/.*: .*; choose another place"
        refused(bmx("convert", simulated / DIXON, place / "s.zarr", "--slabs", 5), "StoreError", pattern)
        refused(bmx("run", store, place / "r.zarr", "--models", untrained), "StoreError", pattern)
        refused(bmx("simulate", place / "cohort", "--participants", 1), "StoreError", rf"cannot write {place}")


def test_convert__and_run_refuse_another_format_version(bmx: Command, untrained: Path, tmp_path: Path) -> None:
    """A store from the future is neither read nor written over."""
    make_exam(tmp_path / "dixon", 7, contrasts=["fat"])
    store = tmp_path / "s.zarr"
    zarr.create_group(store, attributes={"bmx_format": "bmx-slabs", "bmx_format_version": 99})
    pattern = r"has bmx-slabs version 99, expected 1; read it with the bmx that wrote it, or make it again"
    refused(bmx("convert", tmp_path / "dixon", store), "StoreError", pattern)
    refused(bmx("run", store, tmp_path / "r.zarr", "--models", untrained), "StoreError", pattern)
    refused(bmx("inspect", store), "StoreError", pattern)


def test_run__refuses_a_model_of_another_region(bmx: Command, simulated: Path, untrained: Path, tmp_path: Path) -> None:
    """And names what would be needed."""
    said = bmx("run", simulated / "slabs.zarr", tmp_path / "r.zarr", "--models", untrained / "spine")
    refused(
        said, "ModelError", r"no model of femoral_diaphysis in .*spine, which has spine; train one with `bmx train`"
    )


def test_train__refuses_an_unknown_region(bmx: Command, tmp_path: Path) -> None:
    """With the closest name."""
    said = bmx("train", tmp_path, "--region", "femural_head")
    refused(said, "ValueError", r"no region is called 'femural_head'.*did you mean femoral_head\?")


def test_regress__refuses_a_table_without_eid(bmx: Command, measured: Path, tmp_path: Path) -> None:
    """The commonest slip with an export."""
    table = tmp_path / "dxa.csv"
    table.write_text("person,p31,p23290_i2\n1,0,1.1\n")
    said = bmx("regress", measured, table, FORMULA)
    refused(said, "PhenotypeError", r"dxa\.csv has no EID column; expected one called eid, .*found 3 columns: person")


def test_regress__names_the_closest_to_an_unknown_name(bmx: Command, measured: Path, simulated: Path) -> None:
    """A region or phenotype misspelt."""
    said = bmx("regress", measured, simulated / PHENOTYPES, "bmd_femoral_shaft ~ bmff_femoral_diaphisis")
    refused(said, "AnalysisError", "bmff_femoral_diaphisis.*bmff_femoral_diaphysis")


def test_regress__refuses_what_is_no_result(bmx: Command, simulated: Path, tmp_path: Path) -> None:
    """The store in place of the results; and nothing at all."""
    table = simulated / PHENOTYPES
    refused(bmx("regress", simulated / "slabs.zarr", table, FORMULA), "StoreError", "is not a bmx-results store")
    refused(bmx("regress", tmp_path / "r.zarr", table, FORMULA), "StoreError", "there is no Zarr store at .*r.zarr")


@pytest.mark.slow
def test_cli__makes_its_own_workers(untrained: Path, tmp_path: Path, threads: Client) -> None:
    """As in a shell, without a cluster: real processes, nothing on standard error but progress."""
    store = make_store(tmp_path, (1000001, 1000002), slabs=(5,), client=threads)
    command = [sys.executable, "-W", "error", "-m", "bmx.cli", "run", str(store), str(tmp_path / "r.zarr")]
    said = subprocess.run(
        [*command, "--models", str(untrained), "--workers", "2"], capture_output=True, text=True, check=False
    )
    assert said.returncode == 0, said.stderr
    assert "Warning" not in said.stderr
    assert open_results(str(tmp_path / "r.zarr")).sizes["participant"] == 2


def test_plan__tells_and_writes_only_if_asked(bmx: Command, tmp_path: Path) -> None:
    """A table before anything is done; a plan on disk for jobs to share; then shares, and the end."""
    dixon, store = tmp_path / "dixon", tmp_path / "slabs.zarr"
    for eid in (1, 2, 3):
        make_exam(dixon, eid)
    said = bmx("plan", dixon, store, "--slabs", 2)
    assert said.code == 0
    assert "partitions    3 of 1 participants, 0 done" in said.out
    assert bmx("convert", dixon, store, "--slabs", 2, "--plan").out.startswith(f"{store}\n  participants  3, 3 to do")
    assert [path.name for path in tmp_path.iterdir()] == ["dixon"]
    assert "bmx plan SOURCE STORE --write" in bmx("convert", dixon, store, "--partitions", "0-1").error
    assert bmx("plan", dixon, store, "--slabs", 2, "--write").code == 0
    assert "2 of them written now, 1 are missing" in bmx("convert", dixon, store, "--partitions", "0-1").out
    assert "of 3 partitions 1 are missing (2)" in bmx("convert", dixon, store, "--finalise").error
    assert "all are there" in bmx("convert", dixon, store, "--partitions", "2/3").out
    assert bmx("convert", dixon, store, "--finalise").code == 0


def test_plan__refuses_what_can_not_be_meant(bmx: Command, tmp_path: Path) -> None:
    """Each with what to write instead."""
    dixon, store = tmp_path / "dixon", tmp_path / "slabs.zarr"
    make_exam(dixon, 1)
    assert "allow at least 352 MB" in bmx("plan", dixon, store, "--max-memory", "300MB").error
    assert "expected a size such as 500MB or 2GB" in bmx("plan", dixon, store, "--max-memory", "much").error
    for words in ("5-3", "a", "1-"):
        assert "expected partitions such as 0-31" in bmx("convert", dixon, store, "--partitions", words).error
    assert "exclude each other" in bmx("convert", dixon, store, "--plan", "--finalise").error
    assert "instance 0 has no images; expected an imaging visit" in bmx("convert", dixon, store, "--instance", 0).error
    assert not store.exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--cluster", 64), "--cluster needs --models"),
        (("--models", "models", "--cluster", "many"), "many"),
    ],
)
def test_plan__refuses_a_cluster_before_it_measures(
    bmx: Command, tmp_path: Path, words: tuple[object, ...], message: str
) -> None:
    """Nobody should wait for three exams to read that a word is missing."""
    make_exam(tmp_path / "dixon", 1)
    said = bmx("plan", tmp_path / "dixon", tmp_path / "slabs.zarr", "--slabs", 2, *words)
    assert (said.code, said.out) == (2, "")
    assert message in said.error
