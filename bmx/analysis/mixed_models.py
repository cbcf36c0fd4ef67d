"""Mixed models of several values per participant: BMFF by region and sex, as the paper's Fig. 5A and R's lmerTest."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pandas as pd

from bmx.analysis.basis import Basis
from bmx.analysis.columns import Columns, Data, refuse_misleading
from bmx.analysis.formula import build_design, read_formula
from bmx.analysis.guards import check_design
from bmx.analysis.inference import infer
from bmx.analysis.long_table import long_table
from bmx.analysis.random_intercept import MixedFit, fit_random_intercept
from bmx.analysis.result import Regression, Summary
from bmx.analysis.sample import choose_rows
from bmx.errors import AnalysisError


def mixed(
    data: Data,
    formula: str,
    *,
    groups: str = "participant",
    df: Literal["satterthwaite", "residual", "infinite"] = "satterthwaite",
    qc: Literal["passed"] | None = "passed",
    where: object = None,
    confidence: float = 0.95,
) -> Regression:
    """Fit a linear model whose values are alike within a participant: a random intercept, by restricted likelihood.

    Participants who lack some regions stay in with the others. Estimates, standard errors and degrees of freedom are
    those of R's lmerTest (fixed effects 1e-7, degrees of freedom 1e-6, variances 1e-7 relative, iterative).

    Parameters
    ----------
    data : Dataset or DataFrame
        `bmx.join`'s cohort, whose variables on (participant, region) become one row for each participant and region,
        and whose coordinate `region` can be named in the formula; or a table in that long form.
    formula : str
        Fixed effects, `bmff ~ region * sex`; the reference level is the first in the alphabet.
    groups : str
        Column that says which values belong together.
    df : "satterthwaite", "residual" or "infinite"
        Degrees of freedom of the tests; "infinite" gives z tests.
    qc : "passed" or None
        Values of a region that failed QC are missing, or kept with a warning.
    where : boolean array, Series or DataArray, optional
        Participants of a Dataset, or rows of a table, to use.
    confidence : float
        Level of the intervals.

    Returns
    -------
    Regression
        `variances` holds that of the groups and of what is left. It can be asked for `means`, `contrasts`,
        `anova(type=3)` and predictions (of the fixed effects, for a table in the long form).

    Raises
    ------
    AnalysisError
        As `regress`; or no group has two values, so that nothing tells the two variances apart, or a row has no group.

    Examples
    --------
    >>> table = pd.DataFrame({
    ...     "participant": [1, 1, 2, 2, 3, 3, 4, 4], "region": ["spine", "total_hip"] * 4,
    ...     "bmff": [40.0, 80, 44, 83, 51, 90, 45, 88],
    ... })
    >>> fit = mixed(table, "bmff ~ region")
    >>> fit.terms[["term", "estimate", "df"]].round(2)
                    term  estimate    df
    0          Intercept     45.00  3.27
    1  region[total_hip]     40.25  3.00
    """
    if df not in ("satterthwaite", "residual", "infinite"):
        raise AnalysisError(f"df={df!r} is not known; expected 'satterthwaite', 'residual' or 'infinite'")
    if not 0 < confidence < 1:
        raise AnalysisError(f"confidence={confidence} is not a level; expected a number between 0 and 1, as 0.95")
    model = read_formula(formula)
    columns, labels = long_table(data, model.names, groups=groups, qc=qc, where=where)
    if labels.isna().any():
        raise AnalysisError(
            f"{labels.isna().sum()} of {len(labels)} rows have no {groups}, and so belong to nobody; "
            "leave them out with where="
        )
    refuse_misleading(columns, model.quantities)
    basis = _basis(columns, formula, qc)
    together = pd.factorize(labels[basis.sample.table.index])[0].astype(np.intp)
    if together.max(initial=0) + 1 == len(together):
        raise AnalysisError(
            f"each {groups} has one value, expected some with two or more; a random intercept can't be told from "
            "noise: use regress"
        )
    check_design(basis.design, basis.sample)
    fit = fit_random_intercept(basis.design.X, basis.design.y, together)
    return _as_regression(fit, basis, labels, groups, df, confidence)


def _basis(columns: Columns, formula: str, qc: Literal["passed"] | None) -> Basis:
    model, sample = read_formula(formula), choose_rows(columns)
    design = build_design(model, sample.table)
    return Basis(model, sample, design, columns.flat, family="mixed", qc=qc, notes=columns.notes)


def _as_regression(
    fit: MixedFit, basis: Basis, labels: pd.Series, groups: str, df: str, confidence: float
) -> Regression:
    design, rows = basis.design, basis.sample.table.index
    n, p = design.X.shape
    of_test = {"satterthwaite": fit.df(np.eye(p)), "residual": np.full(p, float(n - p)), "infinite": np.full(p, np.inf)}
    found = infer(fit.estimate, np.sqrt(np.diag(fit.covariance)), of_test[df], confidence=confidence)
    facts = pd.DataFrame({"outcome": design.outcome, "region": "", "term": design.terms}, index=found.index)
    terms = pd.concat([facts, found], axis=1).assign(n=n, vif=np.nan)
    participants = labels[rows]
    parameters = p + 2
    summary = Summary(
        n=n, n_dropped=len(basis.sample.dropped), r2=np.nan, adj_r2=np.nan, sigma=float(np.sqrt(fit.within)),
        df_residual=n - p, f=np.nan, loglik=fit.loglik, aic=2 * (parameters - fit.loglik),
        bic=np.log(n) * parameters - 2 * fit.loglik,
    )  # fmt: skip
    notes = [f"{n} values of {participants.nunique()} {groups}s"]
    if fit.between == 0:
        notes.append(f"the variance between {groups}s is 0: values of one {groups} are no more alike than others")
    dropped = basis.sample.dropped
    return Regression(
        formula=f"{basis.model.text} + (1 | {groups})",
        outcome=design.outcome,
        region=None,
        vcov="model",
        confidence=confidence,
        terms=terms,
        summary=summary,
        residuals=pd.Series(design.y - fit.fitted, index=participants.to_numpy(), name="residual"),
        fitted=pd.Series(fit.fitted, index=participants.to_numpy(), name="fitted"),
        dropped=dropped.set_axis(labels[dropped.index].to_numpy()),
        covariance=pd.DataFrame(fit.covariance, design.terms, design.terms),
        basis=basis,
        family="mixed",
        df=np.inf if df == "infinite" else float(n - p) if df == "residual" else np.nan,
        notes=(*basis.notes, *notes),
        df_of=fit.df if df == "satterthwaite" else None,
        variances=pd.Series({groups: fit.between, "residual": fit.within}, name="variance"),
    )
