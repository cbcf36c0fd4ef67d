from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bmx.errors import StoreError
from bmx.phenotypes.read import read_phenotypes
from bmx.quality import flag, table3
from bmx.schema import validate
from bmx.simulation.faults.rates import PEOPLE
from bmx.simulation.measured import LOST, VOXELS, draw_results, simulate_results
from bmx.simulation.people import draw_people
from bmx.variables import QC_OUTCOME


def test_draw_results__measures_these_people() -> None:
    """True BMFF with an error, volumes as in the paper, larger in tall people."""
    people = draw_people(2000, 3)
    results = draw_results(people, 3, failures=False)
    validate(results, "participant", "bmff", "bmff_se", "voxels", "volume", "centroid", "status", "flags", "reason")
    for region, (mean, sd) in VOXELS.items():
        here = results.sel(region=region)
        error = here["bmff"].to_numpy() - people[f"bmff_{region}"].to_numpy()
        assert abs(error.mean()) < 0.1
        assert error.std() == pytest.approx(0.6, rel=0.1)
        assert float(here["voxels"].mean()) == pytest.approx(mean, rel=0.06)
        assert float(here["voxels"].std()) == pytest.approx(sd, rel=0.1)
        assert np.corrcoef(here["voxels"], people["height"])[0, 1] > 0.3


def test_draw_results__loses_what_the_paper_lost() -> None:
    people = draw_people(20_000, 4)
    outcome = flag(draw_results(people, 4))["qc_outcome"]
    for region, causes in LOST.items():
        small, empty = (sum(counts[k] for counts in causes.values()) / PEOPLE for k in (0, 1))
        found = [float((outcome.sel(region=region) == QC_OUTCOME[name]).mean()) for name in ("small", "empty")]
        assert found[1] == pytest.approx(empty, abs=0.006)
        # Some are small by nature, and a head can't be much smaller than its spread.
        assert found[0] <= small + 0.02


def test_draw_results__depends_on_the_seed_alone() -> None:
    people = draw_people(10, 5)
    first, again, other = (draw_results(people, seed) for seed in (5, 5, 6))
    assert first.identical(again)
    assert not (first["bmff"] == other["bmff"]).any()


def test_simulate_results__can_be_read_as_a_run(tmp_path: Path) -> None:
    results = simulate_results(tmp_path / "cohort", participants=50, seed=6)
    assert results.attrs["simulated"]
    phenotypes = read_phenotypes(tmp_path / "cohort" / "phenotypes.csv")
    assert phenotypes["participant"].values.tolist() == results["participant"].values.tolist()
    assert table3(flag(results)).people == {"Both": 50}
    with pytest.raises(StoreError, match="is there already; choose an empty folder"):
        simulate_results(tmp_path / "cohort", participants=50)
