"""From estimates and their covariance to tests and intervals."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import stats

Floats = npt.NDArray[np.float64]


def infer(estimate: Floats, std_error: Floats, df: npt.ArrayLike, *, confidence: float = 0.95) -> pd.DataFrame:
    """Tests against 0 and intervals, by Student's t, or by the normal where `df` is infinite.

    Parameters
    ----------
    estimate, std_error : (m,) float64
    df : (m,) or one number; degrees of freedom
    confidence : level of the intervals

    Returns
    -------
    DataFrame of m rows: estimate, std_error, df, statistic, p_value, conf_low, conf_high

    Examples
    --------
    >>> infer(np.array([2.0]), np.array([1.0]), np.inf).round(4)[["p_value", "conf_low", "conf_high"]].to_numpy()
    array([[0.0455, 0.04  , 3.96  ]])
    """
    df = np.broadcast_to(np.asarray(df, dtype=np.float64), estimate.shape)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = estimate / std_error  # nothing is estimated where the error is 0
    half = stats.t.ppf((1 + confidence) / 2, df) * std_error
    return pd.DataFrame(
        {
            "estimate": estimate,
            "std_error": std_error,
            "df": df,
            "statistic": statistic,
            "p_value": 2 * stats.t.sf(np.abs(statistic), df),
            "conf_low": estimate - half,
            "conf_high": estimate + half,
        }
    )
