from __future__ import annotations

from pathlib import Path

import pytest
import zarr
from typer.testing import CliRunner, Result

import bmx.cohort.run as cohort_run
from bmx.cli.app import app
from bmx.errors import StoreError
from bmx.simulation.measured import simulate_results

FORMULA = "bmd_spine ~ bmff_spine + sex + bmi"


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cohort")
    simulate_results(folder, participants=200, seed=9)
    return folder


def bmx(name: str, cohort: Path, *words: object) -> Result:
    given = [name, cohort / "results.zarr", cohort / "phenotypes.csv", *words]
    return CliRunner().invoke(app, [str(word) for word in given])


def test_regress__prints_the_fit_and_writes_it(cohort: Path, tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("fit.csv", "fit.html", "fit.tex", "forest.png", "forest.svg")]
    options = [word for file in files for word in ("--out", file)]
    said = bmx("regress", cohort, FORMULA, "--vcov", "HC3", *options)
    assert said.exit_code == 0, said.output
    assert "Linear regression  bmd_spine ~ bmff_spine + sex + bmi" in said.stdout
    assert "HC3" in said.stdout
    assert all(file.stat().st_size > 200 for file in files)
    assert "bmff_spine" in files[0].read_text()


def test_regress__takes_judging_by_sex_and_who_has_withdrawn(cohort: Path, tmp_path: Path) -> None:
    first = (cohort / "phenotypes.csv").read_text().splitlines()[1].split(",")[0]
    (tmp_path / "w.csv").write_text(f"{first}\n")
    said = bmx("regress", cohort, FORMULA, "--by-sex", "--withdrawn", tmp_path / "w.csv")
    assert said.exit_code == 0, said.output
    everybody = bmx("regress", cohort, FORMULA)
    counts = [int(out.split("n = ")[1].split()[0]) for out in (said.stdout, everybody.stdout)]
    assert abs(counts[0] - counts[1]) < 10


def test_regress__logistic(cohort: Path) -> None:
    said = bmx("regress", cohort, "bmd_spine ~ bmff_spine", "--family", "binomial")
    assert said.exit_code != 0
    assert "0 and 1" in str(said.exception) or "0/1" in str(said.exception)


def test_regress__refuses_a_file_it_cant_write(cohort: Path) -> None:
    said = bmx("regress", cohort, FORMULA, "--out", "fit.docx")
    assert said.exit_code == 2
    assert ".html" in said.output


def test_reproduce__says_where_the_page_is(cohort: Path, tmp_path: Path) -> None:
    said = bmx("reproduce", cohort, tmp_path / "tables")
    assert said.exit_code == 0, said.output
    assert said.stdout.splitlines()[-1] == str(tmp_path / "tables" / "index.html")


def test_regress__takes_the_visit_of_the_images(tmp_path: Path) -> None:
    """Bone density of four years before would look like any other."""
    simulate_results(tmp_path, participants=40, seed=9)
    zarr.open_group(tmp_path / "results.zarr", mode="r+").attrs["ukb_instance"] = 3
    said = bmx("regress", tmp_path, FORMULA)
    assert "the data have no column 'bmd_spine'" in str(said.exception)  # the table holds those of visit 2
    assert bmx("regress", tmp_path, FORMULA, "--instance", "2").exit_code == 0


@pytest.mark.parametrize("words", [(), ("--retry",)])
def test_run__passes_on_whether_to_try_again(monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    asked = []

    def run(*_: object, retry: bool, **__: object) -> None:
        asked.append(retry)
        raise StoreError("enough")

    monkeypatch.setattr(cohort_run, "run", run)
    CliRunner().invoke(app, ["run", "s.zarr", "r.zarr", "--models", "simulated", *words])
    assert asked == [bool(words)]
