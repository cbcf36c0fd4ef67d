from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bmx.analysis import associate
from bmx.errors import PhenotypeError
from bmx.phenotypes import traits as module
from bmx.phenotypes.join import join
from bmx.phenotypes.traits import open_traits
from tests.conftest import MaxComputes
from tests.quality.made import cohort


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Forty traits of seventy people, of whom sixty have results; with gaps, whole numbers, truth values and words."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"eid": 1_000_000 + rng.permutation(70)})
    for number in range(40):
        values = rng.normal(size=70)
        values[rng.random(70) < 0.1] = np.nan
        frame[f"t{number}"] = values
    frame["count"], frame["ill"] = rng.integers(0, 9, 70), rng.random(70) < 0.3
    frame["note"] = "words"
    frame.to_parquet(tmp_path / "traits.parquet")
    return tmp_path / "traits.parquet"


def test_open_traits__reads_nothing_but_names(table: Path, max_computes: MaxComputes) -> None:
    with max_computes(0):
        found = open_traits(table)
    assert found["traits"].sizes == {"participant": 70, "trait": 42}
    assert "note" not in found["trait"]
    assert found["traits"].chunks is not None


def test_open_traits__gives_the_values_in_any_blocks(table: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "COLUMNS", 7)
    found = open_traits(table)["traits"]
    assert found.chunks is not None
    assert found.chunks[1] == (7,) * 6
    frame = pd.read_parquet(table).drop(columns=["note", "eid"]).astype(float)
    np.testing.assert_array_equal(found, frame)


def test_associate__takes_traits_from_parquet(table: Path) -> None:
    """Block by block the same as from a table in memory."""
    results = cohort(60, regions=("spine",))
    results["bmff"][:] = np.random.default_rng(1).normal(45, 9, (60, 1))
    joined = join(results, open_traits(table))
    found = associate(joined, "traits", "bmff_spine", qc=None).table.set_index("outcome")
    frame = pd.read_parquet(table).set_index("eid").drop(columns="note").astype(float)
    frame["bmff_spine"] = results["bmff"][:, 0].to_pandas()
    memory = associate(frame.dropna(subset="bmff_spine"), list(frame.columns[:-1]), "bmff_spine").table
    for row in memory.to_dict("records"):
        assert found.loc[f"traits_{row['outcome']}", "estimate"] == pytest.approx(row["estimate"], rel=1e-9)
        assert found.loc[f"traits_{row['outcome']}", "n"] == row["n"]


def test_open_traits__refuses_what_holds_none(tmp_path: Path) -> None:
    pd.DataFrame({"eid": [1], "note": ["a"]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(PhenotypeError, match="no numeric column beside its EIDs"):
        open_traits(tmp_path / "t.parquet")
    pd.DataFrame({"eid": [1, 1], "grip": [1.0, 2.0]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(PhenotypeError, match="stand in more than one row"):
        open_traits(tmp_path / "t.parquet")
