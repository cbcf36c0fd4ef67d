"""Fit a model to rows that were chosen, and say it as a Regression."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np
import pandas as pd

from bmx.analysis.basis import Basis
from bmx.analysis.covariance import Covariance
from bmx.analysis.guards import check_design, check_outcome, check_weights, notes_on
from bmx.analysis.least_squares import LeastSquares, fit_least_squares
from bmx.analysis.logistic import Logistic, fit_logistic
from bmx.analysis.result import Regression, Summary
from bmx.errors import AnalysisError

Interval = Literal["profile", "wald"]


def fit_basis(
    basis: Basis, *, vcov: Covariance = "classical", confidence: float = 0.95, interval: Interval = "profile"
) -> Regression:
    """Fit one model.

    Parameters
    ----------
    basis : Basis
    vcov : str
        Covariance of the estimates.
    confidence : float
    interval : "profile" or "wald"
        Of a logistic model with classical covariance; others have Wald intervals alone.

    Raises
    ------
    AnalysisError
        The model cannot be fitted to these rows; the message names the term.
    """
    check_design(basis.design, basis.sample)
    check_weights(basis)
    fit: LeastSquares | Logistic
    if basis.family == "binomial":
        check_outcome(basis.design)
        fit = fit_logistic(
            basis.design, vcov=vcov, clusters=basis.cluster_values, confidence=confidence,
            profile=interval == "profile",
        )  # fmt: skip
        summary = _of_logistic(fit, basis)
    else:
        fit = fit_least_squares(
            basis.design, vcov=vcov, confidence=confidence, weights=basis.weight_values, clusters=basis.cluster_values
        )
        summary = _of_least_squares(fit, basis)
    eids = basis.sample.table.index
    terms = pd.DataFrame(
        {
            "outcome": basis.design.outcome,
            "region": basis.region or "",
            "term": basis.design.terms,
            "estimate": fit.estimate,
            "std_error": fit.std_error,
            "statistic": fit.statistic,
            "df": fit.df,
            "p_value": fit.p_value,
            "conf_low": fit.conf_low,
            "conf_high": fit.conf_high,
            "n": len(eids),
            "vif": fit.vif,
        }
    )
    how = "t"
    if isinstance(fit, Logistic):
        how = "profile" if fit.profiled else ("z" if np.isinf(fit.df) else "t")
        for name, column in (
            ("odds_ratio", "estimate"),
            ("odds_ratio_low", "conf_low"),
            ("odds_ratio_high", "conf_high"),
        ):
            terms[name] = np.exp(terms[column])
        terms["wald_low"], terms["wald_high"] = fit.wald_low, fit.wald_high
    return Regression(
        formula=basis.model.text,
        outcome=basis.design.outcome,
        region=basis.region,
        vcov=vcov,
        confidence=confidence,
        terms=terms,
        summary=summary,
        residuals=pd.Series(fit.residuals, index=eids, name="residual"),
        fitted=pd.Series(fit.fitted, index=eids, name="fitted"),
        dropped=basis.sample.dropped,
        covariance=pd.DataFrame(fit.covariance, basis.design.terms, basis.design.terms),
        basis=basis,
        family=basis.family,
        df=fit.df,
        interval=how,
        notes=notes_on(basis, vcov),
    )


def with_vcov(fit: Regression, vcov: Covariance, *, cluster: pd.Series | None = None) -> Regression:
    """The same model and rows with another covariance of the estimates.

    Parameters
    ----------
    fit : Regression
    vcov : str
    cluster : Series of labels by EID, optional
        For vcov="cluster", where the fit was made without; its name is said in the footnotes.

    Raises
    ------
    AnalysisError
        Clusters are asked for and not given, or a participant of the sample has none; or it is a mixed model.
    """
    basis = basis_of(fit)
    if fit.family == "mixed":
        raise AnalysisError("a mixed model has one covariance of its estimates, its own; other kinds are for regress")
    if cluster is not None:
        name = str(cluster.name or "cluster")
        labels = cluster.reindex(basis.sample.table.index)
        if labels.isna().any():
            raise AnalysisError(
                f"{labels.isna().sum()} of {len(labels)} participants of the sample have no {name}; give cluster= a "
                "Series with one label for each EID"
            )
        if name in basis.flat and not (labels.to_numpy() == basis.sample.table[name].to_numpy()).all():
            name = f"{name} (given)"
        sample = replace(basis.sample, table=basis.sample.table.assign(**{name: labels}))
        basis = replace(basis, sample=sample, cluster=name)
    if vcov == "cluster" and basis.cluster is None:
        raise AnalysisError("vcov='cluster' needs to know who belongs together: cluster=data['assessment_centre']")
    interval: Interval = "profile" if fit.interval == "profile" or fit.vcov != "classical" else "wald"
    return fit_basis(basis, vcov=vcov, confidence=fit.confidence, interval=interval)


def basis_of(fit: Regression) -> Basis:
    """What a fit was made of."""
    if fit.basis is None:
        raise AnalysisError("this Regression holds numbers alone, and cannot be asked for others; make it with regress")
    return fit.basis


def _of_least_squares(fit: LeastSquares, basis: Basis) -> Summary:
    weights = basis.weight_values
    around = basis.design.y - np.average(basis.design.y, weights=weights) * basis.design.intercept
    return Summary(
        n=len(fit.fitted),
        n_dropped=len(basis.sample.dropped),
        r2=fit.r2,
        adj_r2=fit.adj_r2,
        sigma=fit.sigma,
        df_residual=fit.df_residual,
        f=fit.f,
        loglik=fit.loglik,
        aic=fit.aic,
        bic=fit.bic,
        deviance=fit.sigma**2 * fit.df_residual,
        null_deviance=float(np.sum(around**2 * (1 if weights is None else weights))),
    )


def _of_logistic(fit: Logistic, basis: Basis) -> Summary:
    n, k = basis.design.X.shape
    return Summary(
        n=n,
        n_dropped=len(basis.sample.dropped),
        r2=np.nan,
        adj_r2=np.nan,
        sigma=np.nan,
        df_residual=n - k,
        f=np.nan,
        loglik=-fit.deviance / 2,
        aic=fit.deviance + 2 * k,
        bic=fit.deviance + np.log(n) * k,
        deviance=fit.deviance,
        null_deviance=fit.null_deviance,
        events=int(basis.design.y.sum()),
    )
