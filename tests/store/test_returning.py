from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from bmx.errors import StoreError
from bmx.quality import flag
from bmx.store.returning import DICTIONARY, VALUES, return_to_ukb
from tests.quality.made import cohort, edit


@pytest.fixture
def judged() -> xr.Dataset:
    results = cohort(12).assign_attrs(recipe="paper", bmx_version="0.1.0", ukb_field=20201, ukb_instance=2)
    edit(results, 2, "femoral_head", empty=True)
    results = results.assign_coords(model=("region", ["aa", "bb", "cc", "dd"]))
    return flag(results)


def test_return_to_ukb__explains_every_column(judged: xr.Dataset, tmp_path: Path) -> None:
    """A dictionary with a column too many or too few is sent back."""
    written = return_to_ukb(judged, tmp_path / "return")
    assert [Path(one).name for one in written] == [VALUES, DICTIONARY]
    values = pd.read_csv(written[0], keep_default_na=False)
    words = pd.read_csv(written[1], keep_default_na=False)
    assert values.columns.tolist() == words["column"].tolist()
    assert values.columns[0] == "eid"
    told = words.set_index("column").loc["bmff_total_hip"]
    assert (told["units"], told["type"], told["region"]) == ("%", "real", "total_hip")
    assert told["derived_from"] == "field 20201, instance 2"
    assert "recipe: paper" in told["method"]
    assert "model: cc" in told["method"]
    allowed = words.set_index("column").loc["status_spine", "values"].split("|")
    assert set(values["status_spine"]) <= set(allowed)


def test_return_to_ukb__has_everybody_with_a_value_or_a_reason(judged: xr.Dataset, tmp_path: Path) -> None:
    values = pd.read_csv(return_to_ukb(judged, tmp_path)[0], keep_default_na=False)
    assert values["eid"].tolist() == judged["participant"].to_numpy().tolist()
    for region in judged.indexes["region"]:
        assert ((values[f"bmff_{region}"] != "") | (values[f"reason_{region}"] != "")).all()
    assert not values.columns.str.startswith("centroid").any()


def test_return_to_ukb__refuses_simulated_results(judged: xr.Dataset, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="simulated images"):
        return_to_ukb(judged.assign_attrs(simulated=True), tmp_path)
