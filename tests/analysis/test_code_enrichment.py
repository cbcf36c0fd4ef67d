from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.analysis.code_enrichment import conditional_odds_ratio, enrichment
from bmx.errors import AnalysisError
from tests.analysis.test_groups import FIXTURES


@pytest.mark.parametrize("row", pd.read_csv(FIXTURES / "groups_fisher.csv").to_dict("records"),
                         ids=lambda row: f"{row['a']} {row['b']} {row['c']} {row['d']}")  # fmt: skip
def test_conditional_odds_ratio__solves_the_equations_of_r(row: dict[str, float]) -> None:
    """R's fisher.test stops at 1e-4; the fixture holds its equations solved to the end: 1e-6 of those (iterative)."""
    found = conditional_odds_ratio([[int(row["a"]), int(row["b"])], [int(row["c"]), int(row["d"])]])
    expected = [row["odds_ratio"], row["conf_low"], row["conf_high"]]
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-12)


def cohort(n: int = 300) -> tuple[pd.Series, pd.DataFrame]:
    rng = np.random.default_rng(0)
    flags = pd.Series(rng.random(n) < 0.2, index=range(n))
    codes = pd.DataFrame({"743": rng.random(n) < 0.1 + 0.4 * flags, "250": rng.random(n) < 0.1, "9": np.arange(n) == 5})
    return flags, codes


def test_enrichment__finds_the_code_of_those_who_failed() -> None:
    flags, codes = cohort()
    found = enrichment(flags, codes)
    assert found["code"].tolist()[:2] == ["any", "743"]
    row = found.set_index("code").loc["743"]
    assert row["flagged_with"] == int((flags & codes["743"]).sum())
    assert row["others"] == int((~flags).sum())
    np.testing.assert_allclose(row["p_adjusted"], min(1, 3 * row["p_value"]))
    assert found.attrs["note"] == "p adjusted by Bonferroni for 3 tests"


def test_enrichment__leaves_rare_codes_out_of_the_family() -> None:
    flags, codes = cohort()
    found = enrichment(flags, codes, min_cases=2, adjust="fdr_bh")
    assert "9" not in found["code"].tolist()
    assert found.attrs["note"] == "p adjusted by Benjamini-Hochberg for 2 tests"


@pytest.mark.parametrize("share", [0, 1])
def test_enrichment__wants_somebody_to_compare_with(share: int) -> None:
    flags, codes = cohort()
    with pytest.raises(AnalysisError, match="participants are flagged; there is nobody to compare with"):
        enrichment(flags * False | bool(share), codes)


def test_enrichment__wants_the_same_participants() -> None:
    flags, codes = cohort()
    with pytest.raises(AnalysisError, match=r"different participants \(10 are in one only\)"):
        enrichment(flags.iloc[10:], codes)
