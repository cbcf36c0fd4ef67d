"""Ask a fitted model about other participants."""

from __future__ import annotations

import difflib
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats
from scipy.special import expit

from bmx.analysis.basis import Basis
from bmx.analysis.columns import Data, take_columns
from bmx.analysis.fitting import basis_of
from bmx.analysis.formula import rows_of
from bmx.analysis.inference import infer
from bmx.analysis.result import Regression
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]


def predict(
    fit: Regression, new: Data | None = None, *, interval: Literal["confidence", "prediction"] | None = None
) -> pd.DataFrame:
    """Outcome that the model expects of each participant, as R's predict.lm and predict.glm.

    Parameters
    ----------
    fit : Regression
    new : DataFrame or Dataset, optional
        With the variables on the right side of the formula; the sample by default. Who lacks one gets NaN.
    interval : "confidence" or "prediction", optional
        "confidence" for the mean of all such participants, "prediction" for one more of them (linear models alone).

    Returns
    -------
    DataFrame with the index of `new`
        estimate, std_error; with an interval also conf_low and conf_high. Of a logistic model, probabilities: the
        interval is made on the scale of log odds.

    Raises
    ------
    AnalysisError
        A variable is missing (the closest are given), or has a level that the fit has not seen.
    """
    if interval not in (None, "confidence", "prediction"):
        raise AnalysisError(f"interval={interval!r} is not known; expected 'confidence', 'prediction' or None")
    rows = design_matrix(fit, new)
    there = rows.notna().all(axis=1).to_numpy()
    table = pd.DataFrame(np.nan, rows.index, ["estimate", "std_error", "conf_low", "conf_high"])
    found = combine(fit, rows[there].to_numpy())
    if interval == "prediction":
        if fit.family == "binomial":
            raise AnalysisError("a prediction interval of an outcome of 0 and 1 says nothing; use 'confidence'")
        if fit.family == "mixed":
            raise AnalysisError(
                "a mixed model predicts the fixed effects alone, which have no prediction interval; use 'confidence'"
            )
        alone = np.sqrt(found["std_error"] ** 2 + fit.summary.sigma**2)
        half = stats.t.ppf((1 + fit.confidence) / 2, found["df"]) * alone
        found = found.assign(conf_low=found["estimate"] - half, conf_high=found["estimate"] + half)
    if fit.family == "binomial":
        probability = expit(found["estimate"])
        found = found.assign(
            estimate=probability,
            std_error=found["std_error"] * probability * (1 - probability),
            conf_low=expit(found["conf_low"]),
            conf_high=expit(found["conf_high"]),
        )
    table[there] = found[table.columns].to_numpy()
    return table if interval is not None else table[["estimate", "std_error"]]


def combine(fit: Regression, combinations: Floats) -> pd.DataFrame:
    """Linear combinations of the estimates: tests against 0 and intervals.

    Parameters
    ----------
    fit : Regression
    combinations : (m, terms) float64

    Returns
    -------
    DataFrame of m rows: estimate, std_error, df, statistic, p_value, conf_low, conf_high
    """
    combinations = np.atleast_2d(np.asarray(combinations, dtype=np.float64))
    if combinations.shape[1] != len(fit.terms):
        raise AnalysisError(
            f"combinations have {combinations.shape[1]} columns, expected one for each of {len(fit.terms)} terms: "
            f"{', '.join(fit.terms['term'])}"
        )
    if fit.covariance is None:
        raise AnalysisError("this Regression holds no covariance; make it with regress")
    variance = np.einsum("ij,jk,ik->i", combinations, fit.covariance.to_numpy(), combinations)
    return infer(
        combinations @ fit.terms["estimate"].to_numpy(),
        np.sqrt(np.maximum(variance, 0)),
        fit.degrees_of_freedom(combinations),
        confidence=fit.confidence,
    )


def design_matrix(fit: Regression, new: Data | None = None) -> pd.DataFrame:
    """Rows of the model for other participants; NaN throughout for who lacks a variable.

    Parameters
    ----------
    fit : Regression
    new : DataFrame or Dataset, optional
        With the variables on the right side, under the names of the formula or in full (`bmff_spine`).

    Returns
    -------
    DataFrame, one column per term, with the index of `new`
    """
    basis = basis_of(fit)
    table = basis.sample.table if new is None else _predictors(basis, new)
    names = basis.predictors()
    there = table[names].notna().all(axis=1).to_numpy() if names else np.ones(len(table), dtype=bool)
    matrix = np.full((len(table), len(basis.design.terms)), np.nan)
    if there.any():
        matrix[there] = rows_of(basis.design, table[there])
    return pd.DataFrame(matrix, table.index, list(basis.design.terms))


def _predictors(basis: Basis, new: Data) -> pd.DataFrame:
    names = basis.predictors()
    if isinstance(new, pd.DataFrame):
        found = {name: name if name in new else basis.flat[name] for name in names}
        for name, column in found.items():
            if column not in new:
                close = difflib.get_close_matches(name, map(str, new.columns), n=3)
                hint = f"the closest are {', '.join(close)}" if close else f"it has {', '.join(map(str, new.columns))}"
                raise AnalysisError(f"new has no column {name!r}, which {basis.model.text!r} needs; {hint}")
        table = pd.DataFrame({name: new[column] for name, column in found.items()}, index=new.index)
    elif basis.family == "mixed":
        raise AnalysisError(
            f"a mixed model predicts for a table with one row for each value and columns {', '.join(names)}, "
            f"found a {type(new).__name__}"
        )
    else:
        table = take_columns(new, names, region=basis.region, qc=basis.qc).table
    return pd.DataFrame({name: as_fitted(basis, name, table[name]) for name in names}, index=table.index)


def as_fitted(basis: Basis, name: str, column: pd.Series) -> pd.Series:
    """Values of a variable as the fit had them: numbers as float64, text with the levels of the fit.

    Raises
    ------
    AnalysisError
        A level was not there when the model was fitted, or a quantity is text.
    """
    if not basis.is_category(name):
        if column.notna().any() and not pd.api.types.is_numeric_dtype(column.infer_objects()):
            raise AnalysisError(
                f"{name} is a quantity of the model, and text in new data, as {column.dropna().iloc[0]!r}; "
                "expected numbers"
            )
        return column.astype(np.float64)
    levels = basis.levels(name)
    known = column.isna() | column.isin(levels)
    if not known.all():
        raise AnalysisError(
            f"{name} is {_shown(column[~known].iloc[0])} in new data, which the model has not seen; it knows "
            f"{', '.join(map(_shown, levels))}"
        )
    if isinstance(basis.sample.table[name].dtype, pd.CategoricalDtype):
        return pd.Series(pd.Categorical(column, categories=levels), index=column.index)
    return column.astype(np.float64)


def _shown(level: object) -> str:
    """A code as a whole number."""
    return f"{level:g}" if isinstance(level, float) else str(level)
