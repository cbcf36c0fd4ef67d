from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.measurement import measure
from bmx.plot import overlay
from bmx.quality import Limits, flag
from bmx.variables import MEASUREMENT_STATUS

EID = 1_000_001


@pytest.fixture
def run(toy_cohort: Callable) -> tuple[xr.DataTree, xr.Dataset, xr.DataTree]:
    slabs, masks = toy_cohort(participants=3)
    return slabs, flag(measure(slabs, masks=masks), limits=Limits(doubtful=())).compute(), masks


def words(run: tuple[xr.DataTree, xr.Dataset, xr.DataTree]) -> str:
    slabs, results, masks = run
    figure = overlay(slabs, results, EID, masks=masks)
    return " ".join(" ".join(text.get_text() for axes in figure.axes for text in axes.texts).split())


def test_overlay__has_a_row_a_region_and_a_column_a_contrast(run: tuple) -> None:
    slabs, results, masks = run
    figure = overlay(slabs, results, EID, masks=masks)
    *panels, bar = figure.axes
    contrasts = [name for name in ("in_phase", "opposed_phase", "fat", "water") if name in slabs["slab_4"]]
    assert len(panels) == 4 * (len(contrasts) + 1)
    assert bar.get_ylabel() == "fat fraction, %"
    assert all(axes.get_aspect() == 1.0 for axes in panels)
    assert all(axes.collections for axes in panels), "a mask isn't drawn"
    two = overlay(slabs, results, EID, masks=masks, regions=["spine", "total_hip"])
    assert len(two.axes) == 2 * (len(contrasts) + 1) + 1


def test_overlay__takes_an_eid_as_text_and_one_region(run: tuple) -> None:
    """As they are copied from a table; the letters of a name are no regions."""
    slabs, results, masks = run
    figure = overlay(slabs, results, str(EID), masks=masks, regions="spine")
    assert any(str(EID) in text.get_text() for text in figure.texts)
    assert len(figure.axes) == len(overlay(slabs, results, EID, masks=masks, regions=["spine"]).axes)


def test_overlay__writes_value_and_outcome(run: tuple) -> None:
    said = words(run)
    for value in run[1]["bmff"].sel(participant=EID).to_numpy():
        assert f"BMFF {value:.1f}" in said
    assert said.count("QC: ok") == 4


def test_overlay__says_why_there_is_no_value(run: tuple) -> None:
    results = run[1]
    at = {"participant": EID, "region": "spine"}
    results["status"].loc[at] = MEASUREMENT_STATUS["failed"]
    results["bmff"].loc[at] = np.nan
    results["reason"].loc[at] = "worker died"
    results["qc_reason"].loc[at] = ""
    assert "worker died" in words(run)
    assert words(run).count("BMFF") == 3


def test_overlay__refuses_who_and_what_isnt_there(run: tuple) -> None:
    slabs, results, masks = run
    with pytest.raises(KeyError, match="participant 7 is not among the 3"):
        overlay(slabs, results, 7, masks=masks)
    with pytest.raises(KeyError, match="no region knee in the results, which have spine"):
        overlay(slabs, results, EID, masks=masks, regions=["knee"])
