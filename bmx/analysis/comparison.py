"""Compare models of one outcome on the same participants: the paper's Tables 5-8."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

from bmx.analysis.basis import Basis
from bmx.analysis.columns import Data
from bmx.analysis.comparison_result import Comparison
from bmx.analysis.fitting import basis_of, fit_basis
from bmx.analysis.regression import regress
from bmx.analysis.result import Regression
from bmx.errors import AnalysisError

Floats = npt.NDArray[np.float64]

_INSIDE = 1e-7
"""A column lies in the space of others if less than this share of its length does not."""


def compare(
    *models: Regression | str,
    data: Data | None = None,
    rows: Literal["refuse", "common"] = "refuse",
    names: Sequence[str] | None = None,
    **options: Any,
) -> Comparison:
    """Put models of one outcome beside each other, with AIC and tests of those that contain each other.

    Each model drops the rows that lack one of its own variables, and so a larger model often has fewer rows. AIC, R2
    and F of different rows say nothing about each other: a further covariate raises AIC by 2 at most on the same rows,
    and by any number on others. Such a comparison is refused, or made on the rows that all models have.

    Parameters
    ----------
    *models : fits of `regress`, or formulas
    data : Dataset or DataFrame
        For formulas.
    rows : "refuse" or "common"
        What to do if the models have different rows: "common" fits all of them anew on those they share.
    names : of the models, optional; "Model 1", "Model 2", ... by default
    **options
        Of `regress`, for formulas: region, qc, where, vcov, family, ...

    Returns
    -------
    Comparison
        `.table` as in the paper (models as rows, covariates as columns), `.terms` (tidy), `.tests` (each model against
        the last one before it that it contains; F of a linear model, likelihood ratio of a logistic one), `.fits`.

    Raises
    ------
    AnalysisError
        Rows differ, outcomes differ, families or weights differ, or there are fewer than two models.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame(
    ...     {"bmd": [1.1, 1.0, 1.2, 0.9, 1.0, 1.3], "bmff": [40, 46, 39, 55, 52, 33], "bmi": [22, 25, 24, 23, 25, 21]}
    ... )
    >>> compare("bmd ~ bmff", "bmd ~ bmff + bmi", data=table).tests[["model", "against", "df"]].to_numpy().tolist()
    [['Model 1', '', nan], ['Model 2', 'Model 1', 1.0]]
    """
    fits = [_fitted(model, data, options) for model in models]
    if len(fits) < 2:
        raise AnalysisError(f"{len(fits)} models given, expected at least 2 to compare")
    labels = [f"Model {number}" for number in range(1, len(fits) + 1)] if names is None else list(map(str, names))
    if len(labels) != len(fits) or len(set(labels)) != len(fits):
        raise AnalysisError(
            f"names= has {len(set(labels))} different names, expected one for each of {len(fits)} models"
        )
    if rows not in ("refuse", "common"):
        raise AnalysisError(f"rows={rows!r} is not known; expected 'refuse' or 'common'")
    _check_alike(fits, labels)
    fits, notes = _on_common_rows(fits, labels, refuse=rows == "refuse")
    return Comparison(tuple(labels), tuple(fits), _tests(fits, labels), tuple(notes))


def _fitted(model: Regression | str, data: Data | None, options: dict[str, Any]) -> Regression:
    if isinstance(model, str):
        if data is None:
            raise AnalysisError(f"the formula {model!r} needs data to be fitted to: data=cohort")
        return regress(data, model, **options)
    if options:
        raise AnalysisError(f"{', '.join(options)}= is for formulas; give it to regress where a fit was made before")
    return model


def _check_alike(fits: list[Regression], labels: list[str]) -> None:
    first = basis_of(fits[0])
    for label, fit in zip(labels[1:], fits[1:], strict=True):
        basis = basis_of(fit)
        for what, here, there in (
            ("outcome", _outcome(basis), _outcome(first)),
            ("family", basis.family, first.family),
            ("weights", basis.weights, first.weights),
        ):
            if here != there:
                raise AnalysisError(
                    f"{label} has {what} {here}, {labels[0]} has {there}; AIC can be compared only if they are the same"
                )
        if fit.family == "mixed":
            raise AnalysisError(f"{label} is a mixed model by REML, whose AIC does not compare different fixed terms")


def _outcome(basis: Basis) -> str:
    return basis.flat.get(basis.design.outcome, basis.design.outcome)


def _on_common_rows(fits: list[Regression], labels: list[str], *, refuse: bool) -> tuple[list[Regression], list[str]]:
    samples = [fit.residuals.index for fit in fits]
    common = samples[0]
    for sample in samples[1:]:
        common = common[common.isin(sample)]
    if all(len(sample) == len(common) for sample in samples):
        theirs = pd.Series(basis_of(fits[0]).design.y, samples[0])
        for label, fit in zip(labels, fits, strict=True):
            if not np.array_equal(basis_of(fit).design.y, theirs[fit.residuals.index]):
                raise AnalysisError(f"{label} has other values of the outcome than {labels[0]}, expected the same data")
        return fits, [f"all models have the same {len(common)} participants"]
    counts = ", ".join(f"{label} {len(sample)}" for label, sample in zip(labels, samples, strict=True))
    if refuse:
        raise AnalysisError(
            f"the models have different participants ({counts}; {len(common)} in all of them), and their AIC and R2 "
            "can't be compared; rows='common' fits them anew on those they share"
        )
    again = []
    for label, fit in zip(labels, fits, strict=True):
        try:
            again.append(
                fit_basis(
                    basis_of(fit).only(common), vcov=fit.vcov, confidence=fit.confidence,  # type: ignore[arg-type]  # it was one
                    interval="profile" if fit.interval == "profile" else "wald",
                )
            )  # fmt: skip
        except AnalysisError as exc:
            exc.add_note(f"while fitting {label} to the {len(common)} participants that all models have")
            raise
    return again, [f"fitted anew to the {len(common)} participants that all models have; alone they have: {counts}"]


def _tests(fits: list[Regression], labels: list[str]) -> pd.DataFrame:
    """Each model against the last one before it that it contains; the row of a model without one is empty."""
    rows: list[dict[str, object]] = []
    best = min(fit.summary.aic for fit in fits)
    spaces = [np.linalg.qr(_columns(fit))[0] for fit in fits]
    for number, fit in enumerate(fits):
        row: dict[str, object] = {
            "model": labels[number], "n": fit.summary.n, "aic": fit.summary.aic, "delta_aic": fit.summary.aic - best,
            "against": "", "df": np.nan, "statistic": np.nan, "p_value": np.nan,
        }  # fmt: skip
        for earlier in reversed(range(number)):
            if len(fits[earlier].terms) < len(fit.terms) and _inside(_columns(fits[earlier]), spaces[number]):
                row |= {"against": labels[earlier], **_test(fits[earlier], fit)}
                break
        rows.append(row)
    return pd.DataFrame(rows)


def _test(small: Regression, large: Regression) -> dict[str, float]:
    df = small.df_residual - large.df_residual
    gain = small.summary.deviance - large.summary.deviance
    if large.family == "binomial":
        return {"df": df, "statistic": gain, "p_value": float(stats.chi2.sf(gain, df))}
    statistic = gain / df / (large.summary.deviance / large.df_residual)
    return {"df": df, "statistic": statistic, "p_value": float(stats.f.sf(statistic, df, large.df_residual))}


def _columns(fit: Regression) -> Floats:
    """Design matrix in the order of the EIDs, columns of length 1."""
    basis = basis_of(fit)
    order = np.argsort(basis.sample.table.index.to_numpy(), kind="stable")
    X = basis.design.X[order]
    return np.asarray(X / np.linalg.norm(X, axis=0))


def _inside(X: Floats, space: Floats) -> bool:
    """Whether all columns are combinations of those of an orthonormal basis."""
    return bool(np.linalg.norm(X - space @ (space.T @ X), axis=0).max() < _INSIDE)
