"""Turn a design into columns that are orthogonal, and estimates back into the design's own."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def orthogonalise(X: Floats, before: Floats | None = None) -> tuple[Floats, Floats]:
    """Orthogonal columns of mean square 1 that, with those before, span the same as X does with them.

    Parameters
    ----------
    X : (n, t) float64; of full rank together with `before`
    before : (n, k) float64, optional; orthogonal and of mean square 1

    Returns
    -------
    columns : (n, t)
    triangle : (t, t) upper triangular: what is estimated of X itself is its inverse times what is of the columns

    Examples
    --------
    >>> one, _ = orthogonalise(np.ones((3, 1)))
    >>> x, triangle = orthogonalise(np.array([[1.0], [2.0], [6.0]]), one)
    >>> abs(one.T @ x).max() < 1e-12, abs(x * triangle - [[-2], [-1], [3]]).max() < 1e-12
    (np.True_, np.True_)
    """
    n = len(X)
    rest = X
    if before is not None:
        for _ in range(2):  # once leaves rounding errors of X's length, not of what is new in it
            rest = rest - before @ (before.T @ rest / n)
    Q, R = np.linalg.qr(rest)
    scale = np.sign(np.diag(R)) * np.sqrt(n)
    return Q * scale, R / scale[:, None]
