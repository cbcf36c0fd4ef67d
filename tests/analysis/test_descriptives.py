from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.analysis.descriptives import describe
from bmx.errors import AnalysisError
from tests.analysis.test_groups import FIXTURES, cohort


def test_describe__gives_the_numbers_of_r_in_every_group() -> None:
    r = pd.read_csv(FIXTURES / "groups_normality.csv")
    found = describe(cohort(), ["bmff_spine", "lesions", "bmi", "vat_mass", "age"], ["sex", "bone"]).numbers
    r["group"] = r["sex"] + " " + r["bone"]
    both = found.merge(r, on=["variable", "group"], suffixes=("", "_r"))
    assert len(both) == len(found) == len(r)
    for name in ("n", "mean", "sem", "median"):
        np.testing.assert_allclose(both[name], both[f"{name}_r"], rtol=1e-9)
    np.testing.assert_allclose(both["q1"], both["q1_7"], rtol=1e-9)
    np.testing.assert_allclose(both["normal_p"], both["p_value"], rtol=1e-8)


def test_describe__one_group_that_is_not_normal_gives_medians_in_all() -> None:
    """The paper's rows are one or the other; a row with both can't be read."""
    found = describe(cohort(), ["bmff_spine", "lesions"], ["sex", "bone"])
    shown = found.numbers.groupby("variable")["shown"].unique()
    assert shown["bmff_spine"].tolist() == ["mean"]
    assert shown["lesions"].tolist() == ["median"]
    text = str(found)
    assert "45.1 ± 0.9, n 46" in text or "45.14 ± 0.93, n 46" in text
    assert "[" in text.splitlines()[3]
    assert "5 participants have no sex or bone and are in no column" in text


def test_describe__quartiles_of_prism_on_request() -> None:
    linear, weibull = (describe(cohort(), "vat_mass", "sex", quantile=kind).numbers for kind in ("linear", "weibull"))  # type: ignore[arg-type]
    assert (linear["q3"] < weibull["q3"]).all()
    assert "type 6" in str(describe(cohort(), "lesions", "sex", quantile="weibull"))


def test_describe__exports() -> None:
    found = describe(cohort(), "bmff_spine", "sex")
    assert found.to_csv().startswith("variable,group,n,mean")
    assert "<table" in found.to_html()
    assert r"\toprule" in found.to_latex()


@pytest.mark.parametrize(
    ("variables", "by", "options", "message"),
    [
        ("bone", "sex", {}, "bone holds text"),
        ("bmff_spine", "sexx", {}, "no column 'sexx'"),
        ("bmff_spine", "sex", {"quantile": "type7"}, "quantile='type7' is not known"),
    ],
)
def test_describe__refuses(variables: str, by: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(AnalysisError, match=message):
        describe(cohort(), variables, by, **options)  # type: ignore[arg-type]
