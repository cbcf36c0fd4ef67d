"""Linear regression as the paper does it (section 2.9, Tables 5-8), and as R's lm() counts it."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bmx.analysis.columns import Data, refuse_misleading, take_columns
from bmx.analysis.formula import Design, build_design, read_formula
from bmx.analysis.least_squares import COVARIANCES, Covariance, find_dependent, fit_least_squares
from bmx.analysis.result import Regression, Summary
from bmx.analysis.sample import Sample, choose_rows, count_reasons
from bmx.errors import AnalysisError


def regress(
    data: Data,
    formula: str,
    *,
    family: Literal["gaussian"] = "gaussian",
    region: str | None = None,
    qc: Literal["passed"] | None = "passed",
    where: object = None,
    missing: Literal["drop", "refuse"] = "drop",
    vcov: Covariance = "classical",
    confidence: float = 0.95,
) -> Regression:
    """Fit one linear model, and say who was not in it and why.

    Only the columns that the formula names are computed. Text is categorical with its first level, for sex Female, as
    reference; codes such as the assessment centre must be written `C(assessment_centre)`. Rows that lack a value are
    dropped within this model alone, as R does.

    Parameters
    ----------
    data : Dataset or DataFrame
        `bmx.join`'s cohort (participant x region), or a flat table with one row per EID (column `participant` or
        `eid`, else the index).
    formula : str
        `bmd_spine ~ bmff_spine + sex + bmi`: flat names are `<variable>_<region>`. Evaluated without access to the
        caller's variables.
    family : "gaussian"
        Distribution of the outcome.
    region : str, optional
        Lets `bmff` mean `bmff_<region>`.
    qc : "passed" or None
        Take only the values of a region that passed QC there (a participant may pass in one and fail in another);
        None takes all, and warns with the count. A flat table has QC where it has columns `qc_outcome_<region>`.
    where : boolean array, Series or DataArray on participant, optional
        Rows to use; the others do not count as dropped.
    missing : "drop" or "refuse"
        What to do with rows that lack a value.
    vcov : str
        "classical", or "HC0" to "HC3"; intervals and p values use t with the residual degrees of freedom.
    confidence : float
        Level of the intervals, between 0 and 1.

    Returns
    -------
    Regression
        It prints as a table. AIC and BIC count sigma, as R's do and statsmodels' do not.

    Raises
    ------
    AnalysisError
        The formula cannot be read; a name is unknown (the closest are given); a bone density is 0; codes are used as a
        quantity; a term is constant or collinear; rows are fewer than terms.

    Examples
    --------
    >>> table = pd.DataFrame(
    ...     {"bmd_spine": [1.1, 1.0, 1.2, 0.9, 1.0, None], "bmff_spine": [40, 46, 39, 55, 52, 50]},
    ...     index=[1000001, 1000002, 1000003, 1000004, 1000005, 1000006],
    ... )
    >>> regress(table, "bmd_spine ~ bmff_spine")
    Linear regression  bmd_spine ~ bmff_spine                      n = 5 (1 dropped: 1 bmd_spine)
    term            estimate   95% CI               t       p
    bmff_spine        -0.0148  -0.0263 to -0.0033     -4.1   0.026
    adj. R2 0.80   AIC -12.1 (counts sigma, as R)   residual SD 0.0512 on 3 df
    """
    _check_options(family, qc, missing, vcov, confidence)
    model = read_formula(formula)
    columns = take_columns(data, model.names, region=region, qc=qc, where=where)
    refuse_misleading(columns, model.quantities)
    sample = choose_rows(columns)
    if missing == "refuse" and len(sample.dropped):
        raise AnalysisError(
            f"{len(sample.dropped)} rows lack a value: {count_reasons(sample.dropped)}; fill or drop them"
        )
    design = build_design(model, sample.table)
    _check_design(design, sample)
    fit = fit_least_squares(design, vcov=vcov, confidence=confidence)
    eids = sample.table.index
    terms = pd.DataFrame(
        {
            "outcome": design.outcome,
            "region": region or "",
            "term": design.terms,
            "estimate": fit.estimate,
            "std_error": fit.std_error,
            "statistic": fit.statistic,
            "df": fit.df_residual,
            "p_value": fit.p_value,
            "conf_low": fit.conf_low,
            "conf_high": fit.conf_high,
            "n": len(eids),
            "vif": fit.vif,
        }
    )
    return Regression(
        formula=model.text,
        outcome=design.outcome,
        region=region,
        vcov=vcov,
        confidence=confidence,
        terms=terms,
        summary=Summary(
            n=len(eids),
            n_dropped=len(sample.dropped),
            r2=fit.r2,
            adj_r2=fit.adj_r2,
            sigma=fit.sigma,
            df_residual=fit.df_residual,
            f=fit.f,
            loglik=fit.loglik,
            aic=fit.aic,
            bic=fit.bic,
        ),
        residuals=pd.Series(fit.residuals, index=eids, name="residual"),
        fitted=pd.Series(fit.fitted, index=eids, name="fitted"),
        dropped=sample.dropped,
    )


def _check_options(family: str, qc: str | None, missing: str, vcov: str, confidence: float) -> None:
    for name, value, known in (
        ("family", family, ("gaussian",)),
        ("qc", qc, ("passed", None)),
        ("missing", missing, ("drop", "refuse")),
        ("vcov", vcov, COVARIANCES),
    ):
        if value not in known:
            raise AnalysisError(f"{name}={value!r} is not known; expected {' or '.join(map(repr, known))}")
    if not 0 < confidence < 1:
        raise AnalysisError(f"confidence={confidence} is not a level; expected a number between 0 and 1, as 0.95")


def _check_design(design: Design, sample: Sample) -> None:
    """Refuse what least squares cannot answer, by the name of the term."""
    n, k = design.X.shape
    if n <= k:
        reasons = (
            f"; {len(sample.dropped)} were dropped: {count_reasons(sample.dropped)}" if len(sample.dropped) else ""
        )
        raise AnalysisError(
            f"{n} rows for {k} terms ({', '.join(design.terms)}), expected more rows than terms{reasons}; "
            "use fewer terms or more participants"
        )
    if np.ptp(design.y) == 0:
        raise AnalysisError(f"the outcome {design.outcome} is {design.y[0]:g} in all {n} rows; nothing can explain it")
    for column, term in enumerate(design.terms):
        values = design.X[:, column]
        if np.ptp(values) == 0 and ((design.intercept and column > 0) or values[0] == 0):
            raise AnalysisError(f"{term} is constant: {values[0]:g} in all {n} rows; leave it out")
    dependent = find_dependent(design.X)
    if dependent is not None:
        column, others = dependent
        named = [design.terms[other] for other in others if design.terms[other] != "Intercept"]
        raise AnalysisError(
            f"{design.terms[column]} is collinear with {', '.join(named) or 'the intercept'}: it follows from them "
            "exactly; leave one out"
        )
