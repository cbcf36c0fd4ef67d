"""A regression as data for other programs."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
import xarray as xr

from bmx.analysis.result import Regression


def to_xarray(fit: Regression) -> xr.Dataset:
    """Terms and covariance of a fit.

    Returns
    -------
    Dataset
        On `term`: every number of `fit.terms`; `covariance` on (term, other_term). In attrs formula, outcome, region,
        family, vcov, confidence, and every number of the summary.
    """
    numbers = fit.terms.drop(columns=["outcome", "region", "term", "n"])
    data = xr.Dataset(
        {str(name): ("term", column.to_numpy(np.float64)) for name, column in numbers.items()},
        {"term": fit.terms["term"].to_numpy().astype(np.dtypes.StringDType())},
    )
    if fit.covariance is not None:
        data["covariance"] = (("term", "other_term"), fit.covariance.to_numpy(np.float64))
        data = data.assign_coords(other_term=data["term"].to_numpy())
    return data.assign_attrs(
        formula=fit.formula,
        outcome=fit.outcome,
        region=fit.region or "",
        family=fit.family,
        vcov=fit.vcov,
        interval=fit.interval,
        confidence=fit.confidence,
        **asdict(fit.summary),
    )
