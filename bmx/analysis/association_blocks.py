"""Fit one block of outcomes, in memory or, where it is chunked, chunk by chunk on Dask."""

from __future__ import annotations

import operator
import sys
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from bmx.analysis.association_fits import Fits, fit_binomial, fit_gaussian
from bmx.analysis.association_models import Model
from bmx.analysis.normal_equations import MANY, Stack, Sums, choose_shift, sum_outcomes

Floats = npt.NDArray[np.float64]

_FIRST = 2048
"""Rows that tell where an outcome lies."""

_TOGETHER = 32
"""Outcomes of one logistic batch, which holds a few arrays of (participants, outcomes)."""


def fit_block(
    values: Any, models: Sequence[Model], stack: Stack | None, family: Literal["gaussian", "binomial", "auto"]
) -> tuple[npt.NDArray[np.object_], list[Fits]]:
    """Fit every model to every outcome of a block.

    Parameters
    ----------
    values : (n, q) floating NumPy or Dask array, NaN where missing
    models, stack : designs with columns, and their stack (None if there is none)
    family : "auto" is logistic for outcomes that are 0 and 1 only

    Returns
    -------
    kinds : (q,) "gaussian" or "binomial"
    fits : one for each model
    """
    q = values.shape[1]
    kinds = np.full(q, "gaussian" if family == "auto" else family, object)
    if stack is None or not len(models):
        return kinds, []
    if family == "auto":
        kinds[_are_binary(values)] = "binomial"
    linear, binary = (np.flatnonzero(kinds == kind) for kind in ("gaussian", "binomial"))
    fits: list[list[tuple[npt.NDArray[np.intp], Fits]]] = [[] for _ in models]
    if len(linear):
        some = values if len(linear) == q else values[:, linear]
        sums = _sum(some, stack)
        for design, model in enumerate(models):
            fits[design].append((linear, fit_gaussian(model, stack, sums, design, _fetcher(some))))
    for first in range(0, len(binary), _TOGETHER):
        some_of = binary[first : first + _TOGETHER]
        batch = np.asarray(_computed(values[:, some_of]), np.float64)
        for design, model in enumerate(models):
            fits[design].append((some_of, fit_binomial(model, batch)))
    return kinds, [_in_order(parts, q) for parts in fits]


def _sum(values: Any, stack: Stack) -> Sums:
    single = len(stack.columns) >= MANY
    if isinstance(values, np.ndarray):
        return sum_outcomes(stack.columns, stack.pairs, values, choose_shift(values[:_FIRST]), single=single)
    from dask.base import compute
    from dask.delayed import delayed

    bounds = np.cumsum([0, *values.chunks[0]]).tolist()
    columns = [stack.columns[start:stop] for start, stop in pairwise(bounds)]
    client = _client()
    held = client.scatter(columns) if client is not None else columns
    sum_later, shift_later = delayed(sum_outcomes), delayed(choose_shift)
    parts = []
    for chunks in values.to_delayed().T:  # one column of chunks: some outcomes of everybody
        shift = shift_later(chunks[0][:_FIRST])
        sums = [
            sum_later(column, stack.pairs, chunk, shift, single=single)
            for column, chunk in zip(held, chunks, strict=True)
        ]
        parts.append(_add_up(sums))
    (computed,) = compute(parts)
    return Sums(
        np.concatenate([part.lacking for part in computed], axis=1),
        np.concatenate([part.moments for part in computed], axis=1),
        np.concatenate([part.squares for part in computed], axis=1),
    )


def _add_up(sums: list[Any]) -> Any:
    """Sum of delayed sums, two by two: nothing waits for all of them in memory."""
    from dask.delayed import delayed

    add = delayed(operator.add)
    while len(sums) > 1:
        sums = [add(*pair) if len(pair) == 2 else pair[0] for pair in (sums[i : i + 2] for i in range(0, len(sums), 2))]
    return sums[0]


def _are_binary(values: Any) -> npt.NDArray[np.bool_]:
    """(q,) Whether an outcome holds 0 and 1, and nothing else but missing values."""
    if isinstance(values, np.ndarray):
        return _binary(values)
    rows = values.map_blocks(
        lambda block: _binary(block)[None], dtype=bool, chunks=((1,) * values.numblocks[0], values.chunks[1])
    )
    return np.asarray(rows.all(axis=0).compute())


def _binary(values: npt.NDArray[np.floating]) -> npt.NDArray[np.bool_]:
    return np.asarray(((values == 0) | (values == 1) | np.isnan(values)).all(axis=0))


def _fetcher(values: Any) -> Callable[[int], Floats]:
    return lambda j: np.asarray(_computed(values[:, j]), np.float64)


def _computed(values: Any) -> Any:
    return values if isinstance(values, np.ndarray) else values.compute()


def _client() -> Any:
    """The Dask client that the caller has made, if any; nothing is started."""
    if "distributed" not in sys.modules:
        return None
    from distributed import default_client

    try:
        return default_client()
    except ValueError:
        return None


def _in_order(parts: list[tuple[npt.NDArray[np.intp], Fits]], q: int) -> Fits:
    """Put fits of some outcomes each into one, in the order of the outcomes."""
    if len(parts) == 1 and len(parts[0][0]) == q:
        return parts[0][1]
    at = np.argsort(np.concatenate([some for some, _ in parts]))
    joined = {
        name: np.concatenate([getattr(fits, name) for _, fits in parts])[at]
        for name in ("n", "df", "estimate", "covariance", "adj_r2", "reason")
    }
    return Fits(**joined)
