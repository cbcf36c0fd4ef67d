"""Linear and logistic regression as the paper does them (section 2.9), and as R's lm() and glm() count them."""

from __future__ import annotations

from typing import Literal

from bmx.analysis.basis import Basis, Family
from bmx.analysis.columns import Data, refuse_misleading, take_columns
from bmx.analysis.covariance import COVARIANCES, Covariance
from bmx.analysis.fitting import Interval, fit_basis
from bmx.analysis.formula import build_design, read_formula
from bmx.analysis.guards import warn_of_duplicate
from bmx.analysis.result import Regression
from bmx.analysis.sample import choose_rows, count_reasons
from bmx.errors import AnalysisError


def regress(
    data: Data,
    formula: str,
    *,
    family: Literal["gaussian", "binomial"] = "gaussian",
    region: str | None = None,
    qc: Literal["passed"] | None = "passed",
    where: object = None,
    missing: Literal["drop", "refuse"] = "drop",
    vcov: Covariance = "classical",
    cluster: str | None = None,
    weights: str | None = None,
    confidence: float = 0.95,
    interval: Interval = "profile",
) -> Regression:
    """Fit one linear or logistic model, and say who was not in it and why.

    Only the columns that the formula names are computed. Text is categorical with the first level of the alphabet, for
    sex Female, as reference, and a pandas Categorical with its own first level, as in R; codes such as the
    assessment centre must be written `C(assessment_centre)`. Rows that lack a value are dropped within this model
    alone, as R does.

    Parameters
    ----------
    data : Dataset or DataFrame
        `bmx.join`'s cohort (participant x region), or a flat table with one row per EID (column `participant` or
        `eid`, else the index).
    formula : str
        `bmd_spine ~ bmff_spine + sex + bmi`: flat names are `<variable>_<region>`. Evaluated without access to the
        caller's variables.
    family : "gaussian" or "binomial"
        Distribution of the outcome; "binomial" is logistic regression of an outcome of 0 and 1.
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
        "classical", or robust to unequal variance, "HC0" to "HC3"; intervals and p values use t with the residual
        degrees of freedom. "cluster" allows for participants who are alike, with one degree less than clusters.
    cluster : str, optional
        Column that says who belongs together; asks for vcov="cluster".
    weights : str, optional
        Column of positive weights, inverse variances up to a factor; for "gaussian".
    confidence : float
        Level of the intervals, between 0 and 1.
    interval : "profile" or "wald"
        How those of a logistic model are made; p values are Wald's in either case, and the table says which is which.

    Returns
    -------
    Regression
        It prints as a table. AIC and BIC of linear models count sigma, as R's do and statsmodels' do not.

    Raises
    ------
    AnalysisError
        The formula cannot be read; a name is unknown (the closest are given); a bone density is 0; codes are used as a
        quantity; a term is constant or collinear; rows are fewer than terms; terms separate an outcome of 0 and 1.

    Examples
    --------
    >>> import pandas as pd
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
    _check_options(family, qc, missing, vcov, confidence, interval)
    vcov = _with_cluster(vcov, cluster)
    basis = prepare(
        data, formula, family=family, region=region, qc=qc, where=where, missing=missing, weights=weights,
        cluster=cluster,
    )  # fmt: skip
    return fit_basis(basis, vcov=vcov, confidence=confidence, interval=interval)


def prepare(
    data: Data,
    formula: str,
    *,
    family: Family = "gaussian",
    region: str | None = None,
    qc: Literal["passed"] | None = "passed",
    where: object = None,
    missing: Literal["drop", "refuse"] = "drop",
    weights: str | None = None,
    cluster: str | None = None,
) -> Basis:
    """Read a formula, take its columns, choose the rows: all of `regress` but the fit. Arguments as there."""
    model = read_formula(formula)
    beside = [name for name in (weights, cluster) if name is not None and name not in model.names]
    columns = take_columns(data, [*model.names, *beside], region=region, qc=qc, where=where)
    refuse_misleading(columns, model.quantities)
    sample = choose_rows(columns)
    if missing == "refuse" and len(sample.dropped):
        raise AnalysisError(
            f"{len(sample.dropped)} rows lack a value: {count_reasons(sample.dropped)}; fill or drop them"
        )
    design = build_design(model, sample.table)
    right = {name: columns.flat[name] for name in model.predictors}
    return Basis(
        model=model,
        sample=sample,
        design=design,
        flat=columns.flat,
        family=family,
        region=region,
        qc=qc,
        weights=weights,
        cluster=cluster,
        notes=(*columns.notes, *warn_of_duplicate(design, right, columns.flat.get(design.outcome, design.outcome))),
    )


def _with_cluster(vcov: Covariance, cluster: str | None) -> Covariance:
    """Naming the clusters asks for their covariance; asking for it without names can't be done."""
    if vcov == "cluster" and cluster is None:
        raise AnalysisError("vcov='cluster' needs to know who belongs together: cluster='assessment_centre'")
    if cluster is not None and vcov not in ("classical", "cluster"):
        raise AnalysisError(f"cluster={cluster!r} and vcov={vcov!r} contradict each other; leave one out")
    return "cluster" if cluster is not None else vcov


def _check_options(family: str, qc: str | None, missing: str, vcov: str, confidence: float, interval: str) -> None:
    for name, value, known in (
        ("family", family, ("gaussian", "binomial")),
        ("qc", qc, ("passed", None)),
        ("missing", missing, ("drop", "refuse")),
        ("vcov", vcov, COVARIANCES),
        ("interval", interval, ("profile", "wald")),
    ):
        if value not in known:
            raise AnalysisError(f"{name}={value!r} is not known; expected {' or '.join(map(repr, known))}")
    if not 0 < confidence < 1:
        raise AnalysisError(f"confidence={confidence} is not a level; expected a number between 0 and 1, as 0.95")
