from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from io import BytesIO

import matplotlib.image
import numpy as np
import pytest
import xarray as xr
from matplotlib.figure import Figure

from bmx.measurement import measure
from bmx.plot.journey import journey
from bmx.quality import Limits, flag
from bmx.variables import SLAB_STATUS

Journey = tuple[xr.DataTree, xr.DataTree, xr.Dataset, xr.Dataset]


@pytest.fixture
def toy_journey(toy_cohort: Callable) -> Journey:
    slabs, masks = toy_cohort(participants=3)
    results = flag(measure(slabs, masks=masks), limits=Limits(doubtful=())).compute()
    known = 40 + 10 * np.arange(4.0, dtype=np.float32) + np.arange(3, dtype=np.float32)[:, None]
    return slabs, masks, results, xr.Dataset({"bmff": results["bmff"].copy(data=known)})


def texts(figure: Figure) -> str:
    return "\n".join(text.get_text() for axes in figure.axes for text in axes.texts)


def test_journey__has_two_panels_a_region_and_1400_pixels(toy_journey: Journey) -> None:
    figure = journey(*toy_journey)
    assert len(figure.axes) == 8
    with BytesIO() as file:
        figure.savefig(file, format="png")
        file.seek(0)
        pixels = matplotlib.image.imread(file, format="png")
    assert pixels.shape[1] == 1400
    assert len(np.unique(pixels.reshape(-1, 4), axis=0)) > 100


def test_journey__names_the_participant_and_each_value(toy_journey: Journey) -> None:
    figure = journey(*toy_journey, eid=1_000_001)
    assert "simulated participant 1000001" in figure.texts[0].get_text()
    for value in toy_journey[2]["bmff"].sel(participant=1_000_001).values:
        assert f"BMFF {value:.1f} %" in texts(figure)
    assert texts(figure).count("n = 3") == 4


def test_journey__says_why_a_region_has_no_value(toy_journey: Journey) -> None:
    slabs, masks, _, truth = toy_journey
    broken = slabs["slab_5"].to_dataset(inherit=False).compute()
    broken["slab_status"][0], broken["native_slices"][0] = SLAB_STATUS["absent"], 0
    broken["affine"][0] = np.nan
    broken["slab_reason"][0] = "the archive holds twenty series, none of which lies where the upper legs are"
    slabs["slab_5"] = xr.DataTree(broken)
    results = measure(slabs, masks=masks).compute()
    assert "no value: the archive holds twenty …" in texts(journey(slabs, masks, results, truth, eid=1_000_000))
    # Left to itself, it shows somebody who has everything.
    assert "no value" not in texts(journey(slabs, masks, results, truth))


def test_journey__matches_truth_by_label(toy_journey: Journey) -> None:
    slabs, masks, results, truth = toy_journey
    turned = truth.isel(participant=[2, 0], region=[3, 1, 0])
    found = texts(journey(slabs, masks, results, turned))
    assert found.count("n = 2") == 3
    assert found.count("n = 0") == 1


def test_journey__refuses_a_stranger(toy_journey: Journey) -> None:
    with pytest.raises(KeyError, match="participant 7 is not in the results; choose one of their 3 EIDs"):
        journey(*toy_journey, eid=7)


def test_journey__needs_no_pyplot() -> None:
    # pyplot keeps global state and looks for a display: neither belongs in a worker.
    code = "import sys, bmx.plot.journey; sys.exit('matplotlib.pyplot' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_journey__shows_a_mask_in_the_slab_where_it_was_measured(toy_journey: Journey) -> None:
    """A run makes room for a region in the slabs beside its own, too; an empty picture there says nothing."""
    slabs, masks, results, truth = toy_journey
    pelvis = masks["slab_4"].to_dataset(inherit=False)
    empty = xr.zeros_like(pelvis["mask"].isel(region=[0])).assign_coords(region=["femoral_diaphysis"])
    masks = masks.copy()
    masks["slab_4"] = xr.DataTree(xr.Dataset({"mask": xr.concat([pelvis["mask"], empty], dim="region")}))
    figure = journey(slabs, masks, results, truth)
    assert all(axes.collections for axes in figure.axes[::2])
