from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from bmx.measurement import measure
from bmx.plot import contact_sheet


@pytest.fixture
def run(toy_cohort: Callable) -> tuple[xr.DataTree, xr.Dataset, xr.DataTree]:
    """Confidence falls from participant to participant, and from region to region; one has none."""
    slabs, masks = toy_cohort(participants=3)
    results = measure(slabs, masks=masks).compute()
    confidence = 0.9 - 0.1 * np.arange(3)[:, None] - 0.01 * np.arange(4)
    confidence[2, 3] = np.nan
    results["confidence"] = (("participant", "region"), confidence)
    return slabs, results, masks


def shown(run: tuple, **options: object) -> list[str]:
    slabs, results, masks = run
    figure = contact_sheet(slabs, results, masks=masks, **options)
    return [axes.get_title() for axes in figure.axes]


def test_contact_sheet__begins_with_the_lowest(run: tuple) -> None:
    assert shown(run, n=2) == ["1000002  total hip\nconfidence 0.68", "1000002  femoral head\nconfidence 0.69"]


def test_contact_sheet__begins_with_the_highest(run: tuple) -> None:
    titles = shown(run, n=2, largest=True)
    assert [title.partition("\n")[0] for title in titles] == ["1000000  spine", "1000000  femoral head"]


def test_contact_sheet__leaves_out_what_has_no_value(run: tuple) -> None:
    assert len(shown(run)) == 11
    assert len(shown(run, regions=["femoral_diaphysis"])) == len(shown(run, regions="femoral_diaphysis")) == 2


def test_contact_sheet__of_nobody_says_so(run: tuple) -> None:
    slabs, results, masks = run
    results["confidence"][:] = np.nan
    figure = contact_sheet(slabs, results, masks=masks)
    assert figure.texts[0].get_text().startswith("0 measurements with the lowest confidence")


def test_contact_sheet__refuses_what_is_no_number(run: tuple) -> None:
    with pytest.raises(ValueError, match=r"called 'confidense'; .*did you mean confidence"):
        shown(run, by="confidense")
