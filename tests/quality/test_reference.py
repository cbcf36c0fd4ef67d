from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.errors import SchemaError
from bmx.models.library import load_models
from bmx.phenotypes.join import join
from bmx.quality import flag, reference_of
from bmx.variables import VARIABLES
from tests.quality.made import cohort, outcome_of, results_of

CARD = {"volume_mean_ml": 45.0, "volume_sd_ml": 5.0}


def with_sex(results: xr.Dataset, sex: list[str]) -> xr.Dataset:
    values = np.array(sex, dtype=np.dtypes.StringDType())
    phenotypes = xr.Dataset(
        {"sex": ("participant", values, VARIABLES["sex"].attrs)}, {"participant": results["participant"].values}
    )
    return join(results, phenotypes)


def two_sexes(n: int = 60) -> xr.Dataset:
    """Women of 30 ± 2 mL, men of 60 ± 2 mL, in turn; the last has no sex."""
    rng = np.random.default_rng(5)
    volumes = np.where(np.arange(n) % 2, 60, 30) + rng.normal(0, 2, n)
    return with_sex(results_of(volumes), [*(["Female", "Male"] * (n // 2))[:-1], ""])


def test_reference_of__agrees_with_pandas_by_sex() -> None:
    results = two_sexes()
    found = reference_of(results, by="sex")
    table = pd.DataFrame({"volume": results["volume"].values[:, 0].astype(float), "sex": results["sex"].values})
    groups = {"all": table, "Female": table[table["sex"] == "Female"], "Male": table[table["sex"] == "Male"]}
    for name, rows in groups.items():
        mine = found.sel(qc_group=name, region="spine")
        assert int(mine["qc_reference_n"]) == len(rows)
        assert float(mine["qc_reference_volume_mean"]) == pytest.approx(rows["volume"].mean())
        assert float(mine["qc_reference_volume_sd"]) == pytest.approx(rows["volume"].std())


def test_flag__judges_men_among_men() -> None:
    results = two_sexes()
    results["volume"][1, 0] = 40.0  # a man with a small spine; large for a woman
    assert outcome_of(flag(results), 1, "spine") == "ok"
    by_sex = flag(results, by="sex")
    assert outcome_of(by_sex, 1, "spine") == "small"
    assert by_sex["qc_group"].values.tolist() == ["all", "Female", "Male"]
    assert by_sex.attrs["qc_by"] == "sex"


def test_flag__judges_who_has_no_sex_among_all() -> None:
    results = two_sexes()
    results["volume"][-1, 0] = 20.0  # far below women and men; among all of both not
    assert outcome_of(flag(results, by="sex"), -1, "spine") == "ok"


def test_flag__by_sex_is_lazy(max_computes: Callable) -> None:
    results = two_sexes().chunk(participant=7)
    with max_computes(0):
        flagged = flag(results, by="sex")
    xr.testing.assert_equal(flagged["qc_outcome"].compute(), flag(two_sexes(), by="sex")["qc_outcome"])


@pytest.mark.parametrize("computed", [False, True])
def test_flag__judges_a_joined_cohort_again_by_sex(computed: bool) -> None:
    """The README judges before it joins; only then is the sex known."""
    sexes = ["Female", "Male"] * 30
    results = cohort(60) if computed else cohort(60).chunk(participant=30)
    again = flag(with_sex(flag(results), sexes), by="sex")
    xr.testing.assert_identical(again.compute(), flag(with_sex(results, sexes), by="sex").compute())
    assert again["qc_group"].values.tolist() == ["all", "Female", "Male"]
    assert flag(again)["qc_group"].values.tolist() == ["all"]


def test_flag__by_sex_says_where_sex_comes_from() -> None:
    with pytest.raises(SchemaError, match=r"by='sex' needs the variable sex.*bmx.join\(results, phenotypes\)"):
        flag(results_of([1.0]), by="sex")


@pytest.mark.parametrize("judge", [flag, reference_of])
@pytest.mark.parametrize("by", ["centre", "Sex", ["sex"]])
def test_flag_and_reference_of__know_no_other_groups(judge: Callable, by: object) -> None:
    """Judged by sex under the name of something else, nobody would notice."""
    with pytest.raises(SchemaError, match=r"by=.* is no way to judge; expected 'sex', or None"):
        judge(two_sexes(), by=by)


def test_flag__takes_a_references_regions_by_name() -> None:
    reference = flag(results_of([[1.0, 100.0], [2.0, 110.0], [3.0, 120.0]], regions=("total_hip", "spine")))
    judged = flag(results_of([105.0]), reference=reference)
    assert float(judged["qc_reference_volume_mean"].sel(region="spine", qc_group="all")) == pytest.approx(110)
    assert judged.attrs["qc_reference"] == "given"


def test_flag__refuses_a_reference_of_other_regions() -> None:
    reference = flag(results_of([1.0, 2.0, 3.0], regions=("total_hip",)))
    with pytest.raises(SchemaError, match="the QC reference has no spine; expected spine, found total_hip"):
        flag(results_of([1.0]), reference=reference)


def test_flag__refuses_a_reference_without_sexes() -> None:
    with pytest.raises(SchemaError, match="the QC reference has no Female, Male; expected all, Female, Male"):
        flag(two_sexes(), by="sex", reference=flag(results_of([1.0, 2.0])))


@pytest.mark.parametrize("wrap", [dict, lambda card: SimpleNamespace(card=SimpleNamespace(reference=card))])
def test_flag__judges_by_model_cards(wrap: Callable) -> None:
    # 32.5 = 45 - 2.5 * 5
    judged = flag(results_of([32.0, 33.0]), reference={"spine": wrap(CARD)})
    assert [outcome_of(judged, row, "spine") for row in (0, 1)] == ["small", "ok"]
    assert judged.attrs["qc_reference"] == "model cards (volumes; centres of mass: none, else the cohort's own)"
    centred = CARD | {"centroid_mean_mm": [0.0, 0.0, 100.0], "centroid_sd_mm": [5.0, 5.0, 5.0], "n": 64}
    judged = flag(results_of([45.0, 45.0], centre=[84.0, 86.0]), reference={"spine": wrap(centred)})
    assert [outcome_of(judged, row, "spine") for row in (0, 1)] == ["outlier", "ok"]
    assert judged["qc_reference_n"].values.tolist() == [[64]]


def test_flag__takes_the_models_that_bmx_ships() -> None:
    models = load_models("simulated")
    judged = flag(cohort(), reference=models)
    for name, model in models.items():
        expected = model.card.reference["volume_mean_ml"]
        assert float(judged["qc_reference_volume_mean"].sel(region=name, qc_group="all")) == pytest.approx(expected)


def test_flag__judges_right_femora_by_the_card_of_the_left() -> None:
    """The models of the left drew them, in the mirrored image. Which way x goes the card can't say for the right."""
    results = cohort(regions=("femoral_head", "femoral_head_right"))
    results["centroid"][..., 0] = xr.DataArray([-90.0, 88.0], dims="region")
    card = CARD | {"centroid_mean_mm": [-91.0, 1.0, 2.0], "centroid_sd_mm": [5.0, 6.0, 7.0], "n": 64}
    judged = flag(results, reference={"femoral_head": card}).isel(qc_group=0)
    assert (judged["qc_reference_volume_mean"] == 45).all()
    assert (judged["qc_reference_n"] == 64).all()
    assert judged["qc_reference_centroid_mean"].values.tolist() == [[-91, 1, 2], [88, 1, 2]]
    assert judged["qc_reference_centroid_sd"].values.tolist() == [[5, 6, 7], [0, 6, 7]]
    assert "centres of mass: femoral_head, femoral_head_right but for x, else" in judged.attrs["qc_reference"]
    both = {"femoral_head": card, "femoral_head_right": CARD | {"volume_mean_ml": 50.0}}
    own = flag(results, reference=both).isel(qc_group=0)
    assert own["qc_reference_volume_mean"].values.tolist() == [45, 50]


def test_flag__by_cards_stays_lazy(max_computes: Callable) -> None:
    with max_computes(0):
        flag(results_of([32.0, 33.0]).chunk(participant=1), reference={"spine": CARD})


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("training", "reference='training' is unknown; expected 'cohort', a Dataset"),
        ({"total_hip": CARD}, "the QC reference has no spine; expected spine, found total_hip"),
        ({"spine": {"volume": 3}}, "the reference of spine has volume, expected volume_mean_ml and volume_sd_ml"),
        ({"spine": Path("model")}, "the model of spine has no card with a reference"),
    ],
)
def test_flag__refuses_what_is_no_reference(reference: object, message: str) -> None:
    with pytest.raises(SchemaError, match=message):
        flag(results_of([1.0]), reference=reference)


def test_flag__refuses_cards_by_sex() -> None:
    with pytest.raises(SchemaError, match="model cards know no sexes"):
        flag(two_sexes(), by="sex", reference={"spine": CARD})
