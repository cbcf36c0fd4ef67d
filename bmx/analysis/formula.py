"""Read a model formula: what it is about, which columns it needs, and its design matrix.

Formulas are formulaic's, evaluated in an empty context: a name means a column, and never a variable of the caller.
Terms keep the written order within their degree, as in R.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
from formulaic import Formula
from formulaic.errors import DataMismatchWarning, FormulaicError
from formulaic.formula import SimpleFormula
from formulaic.model_spec import ModelSpec

from bmx.errors import AnalysisError, name_of

_FUNCTIONS = (
    "C", "I", "bs", "cc", "center", "cr", "cs", "exp", "exp10", "exp2", "log", "log10", "log2", "poly", "scale",
    "standardize",
)  # fmt: skip
"""What formulaic knows and makes sense on participants, whose rows have no order."""

_EXPRESSIONS = (
    ast.Expression, ast.Call, ast.Name, ast.Load, ast.Attribute, ast.keyword, ast.Constant, ast.List, ast.Tuple,
    ast.BinOp, ast.operator, ast.UnaryOp, ast.unaryop, ast.Compare, ast.cmpop,
)  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class ModelFormula:
    """A formula that was read, before it meets data."""

    text: str
    parsed: Formula
    names: tuple[str, ...]
    """Columns that it needs, those of the outcome first, then in the order of terms."""
    quantities: frozenset[str]
    """Those used as numbers, and not inside `C(...)` or a comparison."""
    predictors: tuple[str, ...] = ()
    """Columns that the right side needs, in the order of terms."""


@dataclass(frozen=True, slots=True, eq=False)
class Design:
    """The arrays of a model, rows complete."""

    outcome: str
    y: npt.NDArray[np.float64]
    X: npt.NDArray[np.float64]
    terms: tuple[str, ...]
    """One label per column of X, `sex[Male]`."""
    spec: ModelSpec | None = None
    """How formulaic made X, levels and knots included, so that other rows can be given the same columns; None if X was
    made by hand."""

    @property
    def intercept(self) -> bool:
        """Whether the first column is the intercept."""
        return self.terms[:1] == ("Intercept",)


def read_formula(text: str) -> ModelFormula:
    """Read `outcome ~ terms`.

    Raises
    ------
    AnalysisError
        It is not a formula, has not one outcome, has no terms, or calls what is neither one of bmx's functions nor
        NumPy's.

    Examples
    --------
    >>> model = read_formula("bmd_spine ~ bmff_spine * sex + C(assessment_centre)")
    >>> model.names
    ('bmd_spine', 'bmff_spine', 'sex', 'assessment_centre')
    >>> "assessment_centre" in model.quantities
    False
    """
    if not isinstance(text, str):
        raise AnalysisError(
            f"expected a formula, found {name_of(text)}; first the data, then the formula as text: "
            "regress(cohort, 'bmd_spine ~ bmff_spine')"
        )
    text = " ".join(text.split())
    _refuse_habits(text)
    try:
        parsed = Formula(text)
    except FormulaicError as exc:
        reason = re.sub(r"\x1b\[[0-9;]*m", "", str(exc)).replace("\n", " ")
        raise AnalysisError(f"the formula {text!r} cannot be read: {reason}; write it as 'outcome ~ a + b'") from exc
    left, right = getattr(parsed, "lhs", None), getattr(parsed, "rhs", None)
    if not isinstance(left, SimpleFormula) or not isinstance(right, SimpleFormula):
        raise AnalysisError(f"the formula {text!r} is not of the form 'outcome ~ a + b'")
    if len(left) != 1:
        raise AnalysisError(f"the formula {text!r} has {len(left)} outcomes, expected one before the ~")
    if not len(right):
        raise AnalysisError(f"the formula {text!r} has no terms; write '~ 1' to estimate the mean")
    used = [
        [name for term in side for factor in term.factors for name in _names(factor.expr, factor.eval_method.value)]
        for side in (left, right)
    ]
    quantities = frozenset(name for name, quantity in used[0] + used[1] if quantity)
    outcome, predictors = (tuple(dict.fromkeys(name for name, _ in side)) for side in used)
    return ModelFormula(text, parsed, tuple(dict.fromkeys(outcome + predictors)), quantities, predictors)


def build_design(model: ModelFormula, table: pd.DataFrame) -> Design:
    """Outcome and design matrix of a table without missing values.

    Parameters
    ----------
    model : ModelFormula
    table : DataFrame
        One column for each of `model.names`, float64 or categorical.

    Raises
    ------
    AnalysisError
        The outcome is text, a term has a single level, or a function gives values that are not finite.
    """
    try:
        with np.errstate(all="ignore"):  # log of zero is refused below, by name
            matrices = model.parsed.get_model_matrix(table, context={}, na_action="ignore")
    except (FormulaicError, TypeError, ValueError) as exc:
        raise AnalysisError(f"the formula {model.text!r} cannot be applied to the data: {exc}") from exc
    outcomes, terms = ([_label(str(column)) for column in side.columns] for side in (matrices.lhs, matrices.rhs))
    if len(outcomes) != 1:
        raise AnalysisError(f"the outcome of {model.text!r} is not a number: it has levels {', '.join(outcomes)}")
    for term, columns in matrices.rhs.model_spec.term_slices.items():
        if columns.start == columns.stop:
            raise AnalysisError(f"{term} has a single level in the {len(table)} rows used; leave it out")
    y, X = (np.asarray(side, dtype=np.float64) for side in (matrices.lhs, matrices.rhs))
    for label, values in zip((*outcomes, *terms), (*y.T, *X.T), strict=True):
        bad = ~np.isfinite(values)
        if bad.any():
            raise AnalysisError(
                f"{label} is not finite in {bad.sum()} of {len(table)} rows, the first of participant "
                f"{table.index[bad][0]}; select rows with where=, or use another function"
            )
    return Design(outcomes[0], y[:, 0], X, tuple(terms), matrices.rhs.model_spec)


def rows_of(design: Design, table: pd.DataFrame) -> npt.NDArray[np.float64]:
    """Rows of the design matrix for other participants, by the levels and knots of those fitted.

    Parameters
    ----------
    design : Design
        From `build_design`.
    table : DataFrame
        The columns of the formula without its outcome, complete; text with the levels of the fit.

    Returns
    -------
    (rows, terms) float64
    """
    if design.spec is None:
        raise AnalysisError("this model was not made from a formula, and knows no other rows")
    try:
        # Values that are not finite are seen in what is predicted; a level that is new would silently be no level.
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", DataMismatchWarning)
            matrix = design.spec.get_model_matrix(table, context={}, na_action="ignore")
    except DataMismatchWarning as exc:
        raise AnalysisError(
            f"a group has a value that the model has not seen ({', '.join(map(str, table.columns))}); give one it knows"
        ) from exc
    return np.asarray(matrix, dtype=np.float64).reshape(len(table), len(design.terms))


def _refuse_habits(text: str) -> None:
    """Refuse what is usual elsewhere and says something else here, or nothing."""
    if re.search(r"[~+*:]\s*\.(?![\w.])", text):
        raise AnalysisError(f"'.' in the formula {text!r} would mean every other column; name the terms")
    outside, inner = text, 1
    while inner:  # nothing within parentheses is meant, as in I(bmi**2) and (a + b)**2
        outside, inner = re.subn(r"[\w.]*\([^()]*\)", "", outside)
    power = re.search(r"([A-Za-z_][\w.]*) ?(?:\^|\*\*) ?(\d+)", outside)
    if power:
        name, exponent = power.groups()
        raise AnalysisError(
            f"{power[0]} in a formula is {name} crossed with itself, which is {name}; "
            f"write I({name}**{exponent}) for its power"
        )


def _label(column: str) -> str:
    """Write a level as R's reader expects it: `sex[T.Male]` is `sex[Male]`, a code is a whole number."""
    return re.sub(r"\[(\d+)\.0\]", r"[\1]", column.replace("[T.", "["))


def _names(expression: str, method: str) -> Iterator[tuple[str, bool]]:
    """Columns of one factor, and whether each is used as a number."""
    if method == "lookup":
        yield expression, True
    elif method == "python":
        try:
            tree = ast.parse(expression, mode="eval")
        except SyntaxError as exc:
            raise AnalysisError(f"{expression!r} in the formula cannot be read: {exc.msg}") from exc
        yield from _walk(tree.body, expression, quantity=True)


def _walk(node: ast.AST, expression: str, *, quantity: bool) -> Iterator[tuple[str, bool]]:
    if not isinstance(node, _EXPRESSIONS):
        raise AnalysisError(f"{expression!r} in the formula is more than arithmetic and functions; compute it before")
    if isinstance(node, ast.BitXor):
        raise AnalysisError(f"{expression!r} in the formula holds ^, which is no power within a function; write **")
    if isinstance(node, ast.Name):
        yield node.id, quantity
        return
    children: list[ast.AST] = list(ast.iter_child_nodes(node))
    if isinstance(node, ast.Call):
        function = ast.unparse(node.func)
        if not _is_function(function):
            raise AnalysisError(
                f"{function} in {expression!r} is not a function of formulas; known are {', '.join(_FUNCTIONS)} "
                "and NumPy's elementwise ones, as np.sqrt"
            )
        children = [*node.args, *node.keywords]
        quantity = quantity and function != "C"
    elif isinstance(node, ast.Compare):
        quantity = False  # qc_outcome == 3 counts a code, and sex == 'Male' a label
    elif isinstance(node, ast.Attribute):
        if ast.unparse(node).startswith("contr."):
            return
        raise AnalysisError(f"{ast.unparse(node)} in {expression!r} is not a column; compute it before")
    for child in children:
        yield from _walk(child, expression, quantity=quantity)


def _is_function(name: str) -> bool:
    if name.startswith("np."):
        return isinstance(getattr(np, name.removeprefix("np."), None), np.ufunc)
    return name in _FUNCTIONS or name.startswith("contr.")
