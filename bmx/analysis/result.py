"""What a regression gives."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import nan
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.analysis.basis import Basis
from bmx.analysis.covariance import Covariance
from bmx.analysis.report import as_html, as_latex, as_text, footnotes

if TYPE_CHECKING:
    import xarray as xr

    from bmx.analysis.columns import Data
    from bmx.analysis.figures import Figures

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Summary:
    """A fit in numbers, in R's definitions: AIC and BIC of a linear model count sigma as a parameter."""

    n: int
    """Participants used."""
    n_dropped: int
    """Participants selected but not used; `Regression.dropped` says why."""
    r2: float
    """NaN where there is none, as in a logistic model; so are the next ones."""
    adj_r2: float
    sigma: float
    """Residual standard deviation, in the outcome's unit."""
    df_residual: float
    f: float
    """Classical F of all terms together; NaN for the intercept alone."""
    loglik: float
    aic: float
    bic: float
    deviance: float = nan
    """Residual sum of squares, or -2 log likelihood of a logistic model."""
    null_deviance: float = nan
    """The same of the intercept alone."""
    events: int = 0
    """Participants whose outcome is 1, in a logistic model."""


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
    n, vif (NaN for the intercept, and in models without one). A logistic model has log odds and z, the ratios in
    odds_ratio, odds_ratio_low and odds_ratio_high, and Wald limits beside profile ones in wald_low, wald_high."""
    summary: Summary
    residuals: pd.Series[float]
    """By EID: outcome minus fitted."""
    fitted: pd.Series[float]
    """By EID; the probability in a logistic model."""
    dropped: pd.Series[str]
    """By EID: the first variable missing, or `bmff_spine failed QC`."""
    covariance: pd.DataFrame | None = None
    """Of the estimates, term x term."""
    basis: Basis | None = None
    """The model and its rows, from which everything else is made."""
    family: str = "gaussian"
    df: float = nan
    """Degrees of freedom of the tests: of the residuals, one less than the clusters, or infinite for z."""
    interval: str = "t"
    """How intervals were made: t, z, profile."""
    notes: tuple[str, ...] = ()
    """What a reader of the table must know and would not expect."""
    df_of: Callable[[Floats], Floats] | None = None
    """Degrees of freedom of linear combinations, (m, terms) to (m,), where each has its own (Satterthwaite)."""
    variances: pd.Series[float] | None = None
    """Of a mixed model: that between groups, and that of the residuals."""

    @property
    def sample(self) -> npt.NDArray[np.int64]:
        """EIDs of the participants used."""
        return self.residuals.index.to_numpy()

    @property
    def params(self) -> pd.Series[float]:
        """The estimates, by term."""
        return self.terms.set_index("term")["estimate"]

    @property
    def df_residual(self) -> float:
        """Rows less terms."""
        return self.summary.df_residual

    def degrees_of_freedom(self, combinations: Floats) -> Floats:
        """Degrees of freedom of the test of each row of an (m, terms) array."""
        if self.df_of is not None:
            return self.df_of(combinations)
        return np.full(len(combinations), self.df)

    def design_matrix(self, new: Data | None = None) -> pd.DataFrame:
        """Rows of the model for the participants of `new` (of the sample by default); NaN where a value is missing."""
        from bmx.analysis.prediction import design_matrix

        return design_matrix(self, new)

    def combine(self, combinations: Floats) -> pd.DataFrame:
        """Estimate, std_error, df, statistic, p_value, interval of each row of an (m, terms) array times `params`."""
        from bmx.analysis.prediction import combine

        return combine(self, combinations)

    def predict(
        self, new: Data | None = None, *, interval: Literal["confidence", "prediction"] | None = None
    ) -> pd.DataFrame:
        """Outcome expected for each participant of `new`, as R's predict.lm; see `bmx.analysis.prediction.predict`."""
        from bmx.analysis.prediction import predict

        return predict(self, new, interval=interval)

    def means(self, x: str | Sequence[str], *, at: Mapping[str, object] | None = None) -> pd.DataFrame:
        """Adjusted mean of each group of `x`, as R's emmeans; see `bmx.analysis.margins.means`."""
        from bmx.analysis.margins import means

        return means(self, x, at=at)

    def slopes(self, x: str, *, by: str | Sequence[str] = (), at: Mapping[str, object] | None = None) -> pd.DataFrame:
        """Slope of the quantity `x` in each group of `by`, as R's emtrends; see `bmx.analysis.margins.slopes`."""
        from bmx.analysis.margins import slopes

        return slopes(self, x, by=by, at=at)

    def anova(self, type: int | str = 2) -> pd.DataFrame:  # noqa: A002 - R's and SAS's word for it
        """Test each term as a whole: type 1 in the written order, 2, or 3; see `bmx.analysis.anova.anova`."""
        from bmx.analysis.anova import anova

        return anova(self, type)

    @property
    def influence(self) -> pd.DataFrame:
        """By EID: leverage, studentized residuals, Cook's distance, dffits; see `bmx.analysis.influence`."""
        from bmx.analysis.influence import influence

        return influence(self)

    def with_vcov(self, vcov: Covariance, *, cluster: pd.Series | None = None) -> Regression:
        """The same estimates with another covariance; `cluster` holds labels by EID."""
        from bmx.analysis.fitting import with_vcov

        return with_vcov(self, vcov, cluster=cluster)

    @property
    def plot(self) -> Figures:
        """`fit.plot.forest()` and `fit.plot.partial("bmff_spine")` give a matplotlib Figure."""
        from bmx.analysis.figures import Figures

        return Figures(self)

    @property
    def footnotes(self) -> list[str]:
        """What must stand below a table of this fit: model, rule for missing data, covariance, adjustment."""
        return footnotes(self)

    def to_xarray(self) -> xr.Dataset:
        """Give `terms` and the covariance on the dimension `term`, the summary in attrs."""
        from bmx.analysis.exports import to_xarray

        return to_xarray(self)

    def to_csv(self, path: str | Path | None = None) -> str:
        """Give `terms` as csv with every digit, and write it to `path` if there is one."""
        return _written(self.terms.to_csv(index=False), path)

    def to_html(self, path: str | Path | None = None) -> str:
        """Give what is printed as an HTML table with footnotes, and write it to `path` if there is one."""
        return _written(as_html(self), path)

    def to_latex(self, path: str | Path | None = None) -> str:
        """Give the same as a LaTeX table for the package booktabs, and write it to `path` if there is one."""
        return _written(as_latex(self), path)

    def _repr_html_(self) -> str:
        return as_html(self)

    def __repr__(self) -> str:
        return as_text(self)


def _written(text: str, path: str | Path | None) -> str:
    if path is not None:
        Path(path).write_text(text, encoding="utf-8")
    return text
