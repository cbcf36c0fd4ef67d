"""Exact normal equations of many outcomes at once, each with its own missing values.

A fit needs X'X and X'y over the rows where its outcome is there. X'X over all rows is known once; what an outcome lacks
is subtracted: (products of columns)' (missing or not), one matrix product for all outcomes. The columns of X are
orthogonal with length 1 per row, and squares are summed less 1: what is added up is near zero, so that over many rows
single precision will do for this product. benchmarks/associate.py prints how well the fits agree with single ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]

ROWS = 256
"""Rows taken at once: single-precision sums stay short, and buffers stay in the processor's cache."""

OUTCOMES = 512
"""Outcomes taken at once, for the same reason."""

MANY = 50_000
"""Participants from which on products are summed in single precision: twice as fast, and their errors average out."""

_CONDITION = 1e-5
"""Equations whose smallest eigenvalue is this share of the largest have lost digits: such a fit is made anew by QR."""

_UNEXPLAINED = 1e-6
"""The same where no more than this share of the outcome is left."""


class Pairs(NamedTuple):
    """Which columns make each distinct product."""

    left: npt.NDArray[np.intp]
    right: npt.NDArray[np.intp]
    """(N,)"""
    one: npt.NDArray[np.intp]
    """(N,) Of the square of a column, the product that is 1 in the rows of its design; of anything else, itself."""


@dataclass(frozen=True, slots=True, eq=False)
class Stack:
    """The columns of several designs on the same rows, each distinct column and product of columns once."""

    columns: Floats
    """(n, K); zero in the rows that a design does not use."""
    pairs: Pairs
    places: tuple[npt.NDArray[np.intp], ...]
    """Of each design: (k,) its columns."""
    products: tuple[npt.NDArray[np.intp], ...]
    """Of each design: (k, k) its products, `X'X` in place."""
    totals: Floats
    """(N,) Sum of each product over all rows."""


@dataclass(frozen=True, slots=True, eq=False)
class Sums:
    """What the fits of q outcomes need of their values."""

    lacking: Floats
    """(N, q) Sum of each product over the rows where the outcome is missing."""
    moments: Floats
    """(K, q) Sum of column times outcome, the latter less its shift."""
    squares: Floats
    """(K, q) The same with the squared outcome; read for columns of ones alone."""

    def __add__(self, other: Sums) -> Sums:
        return Sums(self.lacking + other.lacking, self.moments + other.moments, self.squares + other.squares)


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """Least-squares fits of one design to q outcomes; NaN where `lost`."""

    n: npt.NDArray[np.int64]
    """(q,) rows"""
    estimate: Floats
    """(q, k)"""
    inverse: Floats
    """(q, k, k) of X'X"""
    residual: Floats
    """(q,) Sum of squares left."""
    total: Floats
    """(q,) Sum of squares about the mean."""
    lost: Bools
    """(q,) Where the equations are singular, or too near it to be trusted."""


def stack_designs(designs: Sequence[Floats]) -> Stack:
    """Put designs beside each other.

    Parameters
    ----------
    designs : each (n, k) float64
        The first column is 1 in the rows used, and every column is 0 in the others. Other columns are orthogonal, or
        nearly so, and of length 1 per row; see `bmx.analysis.orthogonal`.
    """
    known: dict[bytes, int] = {}
    columns: list[Floats] = []
    places = []
    for design in designs:
        at: list[int] = []
        for column in np.ascontiguousarray(design.T):
            key = column.tobytes()
            if key not in known:
                known[key] = len(columns)
                columns.append(column)
            at.append(known[key])
        places.append(np.array(at, np.intp))
    stacked = np.ascontiguousarray(np.stack(columns, axis=1))
    pairs: dict[tuple[int, int], int] = {}
    products = []
    for place in places:
        at = place.tolist()
        # The first column is 1 wherever another is not 0: times it, a column stays what it is.
        table = np.empty((len(at), len(at)), np.intp)
        for i, j in zip(*np.triu_indices(len(at)), strict=True):
            pair = (min(at[i], at[j]), max(at[i], at[j]))
            table[i, j] = table[j, i] = pairs.setdefault(pair, len(pairs))
        products.append(table)
    left, right = (np.array(side, np.intp) for side in zip(*pairs, strict=True))
    one = np.arange(len(pairs))
    for table in products:
        one[np.diag(table)] = table[0, 0]
    cross = stacked.T @ stacked
    return Stack(stacked, Pairs(left, right, one), tuple(places), tuple(products), cross[left, right])


def choose_shift(outcomes: npt.NDArray[np.floating]) -> Floats:
    """A number near each outcome's mean, where squares about zero would lose their digits; else 0, which costs nothing.

    Parameters
    ----------
    outcomes : (r, q) floating, NaN where missing; some rows, say a thousand
    """
    there = ~np.isnan(outcomes)
    values = np.where(there, outcomes, 0).astype(np.float64)
    n = np.maximum(there.sum(axis=0), 1)
    with np.errstate(invalid="ignore"):  # an infinite value is refused later, by name
        mean = values.sum(axis=0) / n
        sd = np.sqrt((np.where(there, values - mean, 0) ** 2).sum(axis=0) / n)
    return np.where(np.isfinite(mean) & (np.abs(mean) > 30 * sd), mean, 0.0)


def sum_outcomes(
    stack_columns: Floats, pairs: Pairs, outcomes: npt.NDArray[np.floating], shift: Floats, *, single: bool
) -> Sums:
    """Sum what the fits need over some rows.

    Parameters
    ----------
    stack_columns : (r, K) float64, those rows of `Stack.columns`
    pairs : of the stack
    outcomes : (r, q) floating, NaN where missing
    shift : (q,) float64, taken off each outcome, from `choose_shift`
    single : whether missing products are summed in single precision, see `MANY`

    Returns
    -------
    Sums
    """
    n, q = outcomes.shape
    lacking = np.zeros((len(pairs.left), q))
    squared = np.flatnonzero(pairs.one != np.arange(len(pairs.one)))
    moments, squares = np.zeros((stack_columns.shape[1], q)), np.zeros((stack_columns.shape[1], q))
    ones = np.flatnonzero(np.all((stack_columns == 0) | (stack_columns == 1), axis=0))
    width = min(OUTCOMES, q)
    precision = np.float32 if single else np.float64
    # Buffers are contiguous and used again: passes over memory cost as much here as the products do.
    buffers = [np.empty(ROWS * width, dtype) for dtype in (np.float64, precision, np.bool_, np.int8)]
    for start in range(0, n, ROWS):
        across = np.ascontiguousarray(stack_columns[start : start + ROWS].T)
        products = across[pairs.left] * across[pairs.right]
        products[squared] -= products[pairs.one[squared]]
        reduced = products.astype(precision, copy=False)
        indicators = across[ones]
        for first in range(0, q, width):
            these = slice(first, min(first + width, q))
            part = outcomes[start : start + ROWS, these]
            y, missing, nan, keep = (buffer[: part.size].reshape(part.shape) for buffer in buffers)
            np.copyto(y, part)
            if shift[these].any():
                y -= shift[these]
            np.isnan(y, out=nan)
            if nan.any():
                np.copyto(missing, nan)
                np.add(lacking[:, these], reduced @ missing, out=lacking[:, these])
                # All bits or none, -1 or 0: three times as fast as assigning where missing.
                np.subtract(nan.view(np.int8), 1, out=keep)
                np.bitwise_and(y.view(np.int64), keep, out=y.view(np.int64))
            with np.errstate(invalid="ignore", over="ignore"):
                moments[:, these] += across @ y
                y *= y
                squares[ones, these] += indicators @ y
    lacking[squared] += lacking[pairs.one[squared]]
    return Sums(lacking, moments, squares)


def solve(stack: Stack, sums: Sums, design: int) -> Solved:
    """Solve the equations of one design for all outcomes."""
    at, pairs = stack.places[design], stack.products[design]
    k = len(at)
    gram = np.moveaxis((stack.totals[:, None] - sums.lacking)[pairs], -1, 0)
    moments = sums.moments[at].T
    n = gram[:, 0, 0]
    with np.errstate(invalid="ignore", over="ignore"):
        total = sums.squares[at[0]] - moments[:, 0] ** 2 / np.maximum(n, 1)
    usable = (n > k + 0.5) & np.isfinite(total) & np.isfinite(moments).all(axis=1)
    safe = np.where(usable[:, None, None], gram, np.eye(k))
    values = np.linalg.eigvalsh(safe)
    usable &= values[:, 0] > _CONDITION * values[:, -1]
    inverse = np.linalg.inv(np.where(usable[:, None, None], safe, np.eye(k)))
    right = np.where(usable[:, None], moments, 0)
    estimate = np.einsum("qij,qj->qi", inverse, right)
    residual = np.where(usable, sums.squares[at[0]], 0) - np.einsum("qi,qi->q", estimate, right)
    usable &= residual > _UNEXPLAINED * np.maximum(np.nan_to_num(total), np.finfo(float).tiny)
    for values_of in (estimate, inverse, residual):
        values_of[~usable] = np.nan
    return Solved(np.rint(n).astype(np.int64), estimate, inverse, residual, total, ~usable)
