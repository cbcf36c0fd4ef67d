"""Adjust p values for the number of tests that were made."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from bmx.errors import AnalysisError, did_you_mean

Floats = npt.NDArray[np.float64]

_SYNONYMS = {"bh": "fdr_bh", "by": "fdr_by", "fdr": "fdr_bh"}


def adjust(p: npt.ArrayLike, method: str | None, n_tests: int | None = None) -> Floats:
    """P values adjusted for multiple testing; NaN stays NaN.

    The same numbers as R's `p.adjust(p, method, n)`, which has no Šídák.

    Parameters
    ----------
    p : array_like of any shape, values from 0 to 1; NaN is a test that could not be made, and counts for nothing
    method : str or None
        Family-wise error: "bonferroni", "sidak", "holm", "holm_sidak", "hochberg". False discovery rate: "fdr_bh"
        (Benjamini-Hochberg, also "bh") and "fdr_by" (any dependence, also "by"). None gives `p` as it is.
    n_tests : int, optional
        Size of the family. By default, the number of p values given; more if others were tested elsewhere.

    Returns
    -------
    float64 array of the shape of `p`

    Raises
    ------
    AnalysisError
        A p value lies outside 0 to 1, the method is unknown, or the family is smaller than what is given.

    Examples
    --------
    >>> adjust([0.01, np.nan, 0.04], "bonferroni")
    array([0.02,  nan, 0.08])
    >>> adjust([0.01, 0.04], "sidak", n_tests=12).round(4)
    array([0.1136, 0.3873])
    """
    values = np.asarray(p, dtype=np.float64)
    wrong = values[(values < 0) | (values > 1)]
    if wrong.size:
        raise AnalysisError(f"{wrong.size} p values lie outside 0 to 1, as {wrong.flat[0]:g}; give probabilities")
    check_method(method)
    there = np.isfinite(values)
    n = int(there.sum()) if n_tests is None else n_tests
    if n < there.sum():
        raise AnalysisError(
            f"n_tests={n_tests} is fewer than the {there.sum()} p values given; it counts all tests of the family"
        )
    adjusted = np.full(values.shape, np.nan)
    if there.any():
        adjusted[there] = values[there] if method is None else _METHODS[_SYNONYMS.get(method, method)](values[there], n)
    return adjusted


def check_method(method: str | None) -> None:
    """Refuse a method that nobody knows, before anything is computed."""
    if method is not None and _SYNONYMS.get(method, method) not in _METHODS:
        raise AnalysisError(f"adjust={method!r} is not known; {did_you_mean(method, (*_METHODS, 'None'))}")


def describe_method(method: str | None, n_tests: int) -> str:
    """How a table says it, in a footnote.

    Examples
    --------
    >>> describe_method("bonferroni", 12), describe_method(None, 12)
    ('p adjusted by Bonferroni for 12 tests', 'p unadjusted, 12 tests')
    """
    tests = "1 test" if n_tests == 1 else f"{n_tests:,} tests"
    if method is None:
        return f"p unadjusted, {tests}"
    return f"p adjusted by {_WRITTEN[_SYNONYMS.get(method, method)]} for {tests}"


def _bonferroni(p: Floats, n: int) -> Floats:
    return np.minimum(1.0, n * p)


def _sidak(p: Floats, n: int) -> Floats:
    # 1 - (1 - p)^n, without losing a p that is far smaller than 1.
    with np.errstate(divide="ignore"):
        return np.asarray(-np.expm1(n * np.log1p(-p)), np.float64)


def _stepped(p: Floats, values: Floats, order: npt.NDArray[np.intp], running: np.ufunc) -> Floats:
    """Running maximum or minimum along an order, back in the order of p."""
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(1.0, running.accumulate(values))
    return adjusted


def _holm(p: Floats, n: int) -> Floats:
    order = np.argsort(p, kind="stable")
    return _stepped(p, (n - np.arange(len(p))) * p[order], order, np.maximum)


def _holm_sidak(p: Floats, n: int) -> Floats:
    order = np.argsort(p, kind="stable")
    with np.errstate(divide="ignore"):
        values = -np.expm1((n - np.arange(len(p))) * np.log1p(-p[order]))
    return _stepped(p, values, order, np.maximum)


def _hochberg(p: Floats, n: int) -> Floats:
    order = np.argsort(-p, kind="stable")
    return _stepped(p, (n - len(p) + 1 + np.arange(len(p))) * p[order], order, np.minimum)


def _fdr_bh(p: Floats, n: int) -> Floats:
    order = np.argsort(-p, kind="stable")
    return _stepped(p, n / np.arange(len(p), 0, -1) * p[order], order, np.minimum)


def _fdr_by(p: Floats, n: int) -> Floats:
    order = np.argsort(-p, kind="stable")
    harmonic = np.sum(1 / np.arange(1, n + 1))
    return _stepped(p, harmonic * n / np.arange(len(p), 0, -1) * p[order], order, np.minimum)


_METHODS: dict[str, Callable[[Floats, int], Floats]] = {
    "bonferroni": _bonferroni,
    "sidak": _sidak,
    "holm": _holm,
    "holm_sidak": _holm_sidak,
    "hochberg": _hochberg,
    "fdr_bh": _fdr_bh,
    "fdr_by": _fdr_by,
}

_WRITTEN = {
    "bonferroni": "Bonferroni",
    "sidak": "Šídák",
    "holm": "Holm",
    "holm_sidak": "Holm-Šídák",
    "hochberg": "Hochberg",
    "fdr_bh": "Benjamini-Hochberg",
    "fdr_by": "Benjamini-Yekutieli",
}
