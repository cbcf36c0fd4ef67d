from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from bmx.plot import violins
from bmx.quality import flag
from bmx.variables import QC_FLAGS, VARIABLES
from tests.quality.made import cohort, edit


def made() -> xr.Dataset:
    results = cohort(60, regions=("spine", "femoral_head"))
    edit(results, 4, "spine", volume=20.0)
    edit(results, 5, "femoral_head", empty=True)
    return results


def line(axes: Axes) -> float:
    return float(next(one for one in axes.lines if one.get_linestyle() == ":").get_ydata()[0])


def test_violins__draws_the_papers_limit() -> None:
    """2.5 SD below the mean of the non-empty masks, the small ones included."""
    results = made()
    spine, head = violins(results).axes
    volume = results["volume"].to_numpy().astype(float)
    assert np.isclose(line(spine), volume[:, 0].mean() - 2.5 * volume[:, 0].std(ddof=1))
    there = np.delete(volume[:, 1], 5)
    assert np.isclose(line(head), there.mean() - 2.5 * there.std(ddof=1))
    assert spine.get_title() == "Spine\n1 small"
    assert head.get_title() == "Femoral head\n0 small"
    assert head.get_xticklabels()[0].get_text() == "all\nn = 59"


def test_violins__uses_what_the_results_were_judged_by() -> None:
    other = flag(cohort(60, regions=("spine", "femoral_head"), seed=1))
    judged = flag(made(), reference=other)
    mean, sd = (
        float(judged[f"qc_reference_volume_{name}"].sel(qc_group="all", region="spine")) for name in ("mean", "sd")
    )
    figure = violins(judged)
    assert np.isclose(line(figure.axes[0]), mean - 2.5 * sd)
    assert "(given)" in figure.get_supxlabel()


def test_violins__shows_the_sexes_where_they_are_known() -> None:
    results = made()
    sex = np.array(["Female", "Male"] * 29 + ["", "Male"], object)
    spine, _ = violins(results.assign(sex=("participant", sex))).axes
    assert [one.get_text() for one in spine.get_xticklabels()] == ["all\nn = 60", "female\nn = 29", "male\nn = 30"]


def by_sex() -> xr.Dataset:
    """Men of 60 ± 3 mL, women of 40 ± 3 mL; a man of 45 mL is small among men only; one has no sex."""
    results = cohort(60, regions=("spine", "femoral_head"))
    results["volume"][::2] += 20
    results["volume"][2, 0] = 45.0
    sex = np.array([*(["Male", "Female"] * 30)[:-1], ""], np.dtypes.StringDType())
    return flag(results.assign(sex=("participant", sex, VARIABLES["sex"].attrs)), by="sex")


def test_violins__judges_by_sex_as_the_results_were() -> None:
    """Each group has its own line, and who is small is small for their own sex."""
    judged = by_sex()
    figure = violins(judged)
    spine = figure.axes[0]
    lines = [one for one in spine.lines if one.get_linestyle() == ":"]
    known = judged.sel(region="spine")
    expected = known["qc_reference_volume_mean"] - 2.5 * known["qc_reference_volume_sd"]
    np.testing.assert_allclose([one.get_ydata()[0] for one in lines], expected)
    np.testing.assert_allclose([np.mean(one.get_xdata()) for one in lines], [0, 1, 2])
    assert spine.get_title() == "Spine\n1 small"
    assert (known["qc_flags"].values & QC_FLAGS["small_volume"] > 0).sum() == 1
    assert "(all, female, male); red: small for the person's own sex" in figure.get_supxlabel()
    # Another distance than they were judged by: nobody is small by it.
    assert violins(judged, small_sd=9).axes[0].get_title() == "Spine\n0 small"


def test_violins__survives_a_region_without_masks() -> None:
    results = made()
    for row in range(60):
        edit(results, row, "spine", empty=True)
    spine, _ = violins(results).axes
    assert spine.get_title() == "Spine\n0 small"
