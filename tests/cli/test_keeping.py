from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from distributed import Client
from typer.testing import CliRunner, Result

from bmx.cli import app as cli
from bmx.store.reading import open_store
from tests.cohorts import make_store
from tests.exams import make_exam

EIDS = (7000001, 7000002)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, threads: Client) -> Path:
    return make_store(tmp_path_factory.mktemp("made"), EIDS, slabs=(4,), client=threads)


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    """A copy to change; its archives are those of the original."""
    shutil.copytree(made.with_name("slabs.zarr.work"), tmp_path / "s.zarr.work")
    return Path(shutil.copytree(made, tmp_path / "s.zarr"))


def bmx(client: Client, *words: object) -> Result:
    with client.as_current():
        return CliRunner().invoke(cli.app, [str(word) for word in words])


def test_verify__ends_with_one_if_anything_differs(store: Path, threads: Client) -> None:
    """So that a script notices; who and what is on the screen."""
    said = bmx(threads, "verify", store, "--all")
    assert (said.exit_code, said.stdout) == (0, "2 equal, 0 differs, 0 source_missing, 0 source_changed\n")
    (store / "slab_4/fat/c.1.0.0.0").unlink()
    said = bmx(threads, "verify", store, "--all")
    assert said.exit_code == 1
    assert "7000002 differs slab_4/fat (" in " ".join(said.stdout.split())
    assert said.stdout.splitlines()[-1] == "1 equal, 1 differs, 0 source_missing, 0 source_changed"


def test_verify__ends_with_one_if_an_archive_changed(store: Path, made: Path, threads: Client) -> None:
    """The store isn't what one would get today; an archive that is merely gone is no news."""
    archive = made.parent / "dixon/7000001_20201_2_0.zip"
    before = archive.read_bytes()
    try:
        make_exam(archive.parent, 7000001, slabs=(4,), seed=5)
        said = bmx(threads, "verify", store, "--all")
        archive.unlink()
        gone = bmx(threads, "verify", store, "--all")
    finally:
        archive.write_bytes(before)
    assert (said.exit_code, said.stdout.splitlines()[-1]) == (
        1, "1 equal, 0 differs, 0 source_missing, 1 source_changed",
    )  # fmt: skip
    assert gone.exit_code == 0


def test_convert__retries_what_was_unreadable(tmp_path: Path, threads: Client) -> None:
    """The first call says how, the second one does it."""
    dixon, store = tmp_path / "dixon", tmp_path / "s.zarr"
    archive = make_exam(dixon, 7000001, slabs=(4,))
    whole = archive.read_bytes()
    archive.write_bytes(whole[:1000])
    said = bmx(threads, "convert", dixon, store, "--slabs", "4")
    assert "1 archives unreadable (bmx convert --retry reads them again)" in said.stdout
    archive.write_bytes(whole)
    said = bmx(threads, "convert", dixon, store, "--retry")
    assert (said.exit_code, "unreadable" in said.stdout) == (0, False)
    assert bmx(threads, "convert", dixon, store, "--retry", "--plan").exit_code == 2


def test_verify__looks_at_a_sample(store: Path, threads: Client) -> None:
    """A hundred thousand archives are days of reading."""
    said = bmx(threads, "verify", store, "--sample", 1, "--seed", 3)
    assert (said.exit_code, said.stdout.split()[:2]) == (0, ["1", "equal,"])


def test_withdraw__takes_a_list(store: Path, tmp_path: Path, threads: Client) -> None:
    """As UK Biobank sends it, with people in it whom nobody here has."""
    (tmp_path / "w1.csv").write_text("7000002\n7000009\n")
    said = bmx(threads, "withdraw", store, tmp_path / "w1.csv")
    assert said.exit_code == 0
    assert said.stdout == (
        f"{store}: 1 of 2 participants erased, 1 not in it; 0 results stores and 0 other files cleared; "
        "none of them comes back\n"
    )
    assert open_store(store)["participant"].to_numpy().tolist() == [7000001, -2]


def test_export__names_what_it_wrote(store: Path, tmp_path: Path, threads: Client) -> None:
    """A line for each file, to be copied or piped."""
    said = bmx(threads, "export", store, 7000001, "--nifti", tmp_path / "nifti")
    assert said.exit_code == 0
    assert said.stdout.splitlines() == [
        str(tmp_path / f"nifti/7000001_20201_2_0_slab_4_{name}.nii.gz") for name in ("fat", "water")
    ]
    assert all(Path(line).is_file() for line in said.stdout.splitlines())


def test_status__says_how_far_a_conversion_is(store: Path, threads: Client) -> None:
    said = bmx(threads, "status", store)
    assert (said.exit_code, said.stdout.splitlines()) == (0, ["2 of 2 participants done (2 of 2 partitions); finished"])
    lines = [json.loads(line) for line in bmx(threads, "status", store, "--log").stdout.splitlines()]
    assert [line["first_eid"] for line in lines] == list(EIDS)


@pytest.mark.parametrize("words", [["7000001"], ["--table", "t.csv", "--return-to-ukb", "back"], ["--nifti", "n"]])
def test_export__says_what_it_takes(store: Path, threads: Client, words: list[str]) -> None:
    said = bmx(threads, "export", store, *words)
    assert said.exit_code == 2
    assert "--nifti" in said.stderr
