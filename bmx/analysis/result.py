"""What a regression gives."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.analysis.report import as_html, as_text


@dataclass(frozen=True, slots=True)
class Summary:
    """A fit in numbers, in R's definitions: AIC and BIC count sigma as a parameter."""

    n: int
    """Participants used."""
    n_dropped: int
    """Participants selected but not used; `Regression.dropped` says why."""
    r2: float
    adj_r2: float
    sigma: float
    """Residual standard deviation, in the outcome's unit."""
    df_residual: int
    f: float
    """Classical F of all terms together; NaN for the intercept alone."""
    loglik: float
    aic: float
    bic: float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Regression:
    """A fitted model; printing it gives a table for people, the attributes hold every digit."""

    formula: str
    outcome: str
    region: str | None
    """What `bmff` without a region meant."""
    vcov: str
    """How the standard errors were made."""
    confidence: float
    """Level of `conf_low` and `conf_high`."""
    terms: pd.DataFrame
    """One row per term: outcome, region, term, estimate, std_error, statistic (t), df, p_value, conf_low, conf_high,
    n, vif (NaN for the intercept, and in models without one)."""
    summary: Summary
    residuals: pd.Series[float]
    """By EID."""
    fitted: pd.Series[float]
    """By EID."""
    dropped: pd.Series[str]
    """By EID: the first variable missing, or `bmff_spine failed QC`."""

    @property
    def sample(self) -> npt.NDArray[np.int64]:
        """EIDs of the participants used."""
        return self.residuals.index.to_numpy()

    def to_csv(self, path: str | Path | None = None) -> str:
        """Give `terms` as csv with every digit, and write it to `path` if there is one."""
        return _written(self.terms.to_csv(index=False), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Give what is printed as an HTML table, and write it to `path` if there is one."""
        return _written(as_html(self), path)

    def _repr_html_(self) -> str:
        return as_html(self)

    def __repr__(self) -> str:
        return as_text(self)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
