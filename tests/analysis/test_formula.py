from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bmx.analysis.formula import build_design, read_formula
from bmx.errors import AnalysisError

TABLE = pd.DataFrame(
    {
        "y": [1.0, 2.0, 4.0, 3.0, 5.0, 9.0],
        "x": [1.0, 0.0, 2.0, 5.0, 3.0, 4.0],
        "z": [2.0, 2.5, 3.0, 1.0, 0.5, 7.0],
        "centre": [11025.0, 11026.0, 11025.0, 11027.0, 11026.0, 11027.0],
        "sex": pd.Categorical(["Male", "Female", "Male", "Female", "Male", "Female"], ["Female", "Male"]),
    },
    index=pd.Index(range(101, 107), name="participant"),
)


@pytest.mark.parametrize(
    ("formula", "names"),
    [
        ("y ~ x", ("y", "x")),
        ("log(y) ~ x * sex", ("y", "x", "sex")),
        ("y ~ np.sqrt(x) + I(z**2) + poly(age, 2)", ("y", "x", "z", "age")),
        ("y ~ C(centre, contr.treatment(11026)) - 1", ("y", "centre")),
        ("y ~ 1", ("y",)),
    ],
)
def test_read_formula__finds_columns_in_written_order(formula: str, names: tuple[str, ...]) -> None:
    assert read_formula(formula).names == names


def test_read_formula__knows_what_is_used_as_a_number() -> None:
    assert read_formula("y ~ C(a) + b + I(c + 1) + C(d):e").quantities == {"y", "b", "c", "e"}
    assert "a" in read_formula("y ~ C(a) + a").quantities
    assert read_formula("I(code == 3) ~ x + I(sex == 'Male')").quantities == {"x"}


@pytest.mark.parametrize("formula", ["y ~ x +", "y ~ (x", "y ~ x ~ z", "y ~ 'text'"])
def test_read_formula__cannot_be_read(formula: str) -> None:
    with pytest.raises(AnalysisError, match=r"cannot be read: .*; write it as 'outcome ~ a \+ b'") as caught:
        read_formula(formula)
    assert "\x1b" not in str(caught.value)  # formulaic colours its messages, which a log would show as rubbish


@pytest.mark.parametrize("formula", ["y", "~ x", "y ~ x | z"])
def test_read_formula__is_not_outcome_and_terms(formula: str) -> None:
    with pytest.raises(AnalysisError, match=r"is not of the form 'outcome ~ a \+ b'"):
        read_formula(formula)


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ 0", "has no terms; write '~ 1' to estimate the mean"),
        ("y ~ x + .", "'.' in the formula .* would mean every other column; name the terms"),
        ("y ~ x + x^2", r"x\^2 in a formula is x crossed with itself, which is x; write I\(x\*\*2\)"),
        ("y ~ z*x ** 3", r"x \*\* 3 in a formula is x crossed with itself"),
        ("y ~ I(x^2)", r"holds \^, which is no power within a function; write \*\*"),
    ],
)
def test_read_formula__habits_that_mean_something_else_here(formula: str, message: str) -> None:
    # R and formulaic alike fit x for x^2, and say nothing.
    with pytest.raises(AnalysisError, match=message):
        read_formula(formula)


@pytest.mark.parametrize("terms", ["(x + z)^2", "(x + C(sex))**2 + I(x**2)", "np.log(x) + I((x - 2)**2) + I(.5 * z)"])
def test_read_formula__crossing_and_powers_as_they_are_meant(terms: str) -> None:
    assert "x" in read_formula(f"y ~ {terms}").names


def test_read_formula__has_one_outcome() -> None:
    with pytest.raises(AnalysisError, match="has 2 outcomes, expected one"):
        read_formula("y + z ~ x")


@pytest.mark.parametrize(
    ("term", "message"),
    [
        ("open(x)", "open in 'open\\(x\\)' is not a function of formulas; known are C, I, .*np.sqrt"),
        ("np.load(x)", "np.load in .* is not a function"),
        ("x.mean()", "x.mean in .* is not a function"),
        ("I(x.real)", "x.real in .* is not a column"),
        ("I([a for a in x])", "more than arithmetic"),
        ("I((lambda: x)())", "is not a function|more than arithmetic"),
    ],
)
def test_read_formula__runs_no_foreign_code(term: str, message: str) -> None:
    # A formula is evaluated as Python; without this check, one from a web form could read files.
    with pytest.raises(AnalysisError, match=message):
        read_formula(f"y ~ {term}")


def test_build_design__labels_read_as_written() -> None:
    design = build_design(read_formula("y ~ C(centre) + x:sex + I(x**2) + sex"), TABLE)
    assert design.terms == (
        "Intercept", "C(centre)[11026]", "C(centre)[11027]", "I(x ** 2)", "sex[Male]", "x:sex[Female]", "x:sex[Male]",
    )  # fmt: skip


def test_build_design__keeps_the_written_order_of_terms() -> None:
    # patsy would move sex to the front, and with it change every sequential test.
    assert build_design(read_formula("y ~ z + sex + x"), TABLE).terms == ("Intercept", "z", "sex[Male]", "x")


def test_build_design__arrays_are_those_of_the_table() -> None:
    design = build_design(read_formula("np.log(y) ~ x + sex"), TABLE)
    np.testing.assert_allclose(design.y, np.log(TABLE["y"]))
    np.testing.assert_array_equal(design.X, np.column_stack([np.ones(6), TABLE["x"], [1, 0, 1, 0, 1, 0]]))
    assert design.intercept
    assert not build_design(read_formula("y ~ 0 + x"), TABLE).intercept


def test_build_design__outcome_must_be_a_number() -> None:
    with pytest.raises(AnalysisError, match=r"the outcome of 'sex ~ x' is not a number: it has levels sex\[Female\]"):
        build_design(read_formula("sex ~ x"), TABLE)


def test_build_design__single_level_is_named() -> None:
    # formulaic would drop the term without a word, and the table would lack a line.
    men = TABLE.assign(sex=pd.Categorical(["Male"] * 6))
    with pytest.raises(AnalysisError, match="sex has a single level in the 6 rows used"):
        build_design(read_formula("y ~ x + sex"), men)


def test_build_design__values_that_are_not_finite_are_named() -> None:
    with pytest.raises(AnalysisError, match=r"log\(x\) is not finite in 1 of 6 rows, the first of participant 102"):
        build_design(read_formula("y ~ log(x)"), TABLE)


def test_build_design__arithmetic_on_text_is_refused() -> None:
    with pytest.raises(AnalysisError, match="cannot be applied to the data"):
        build_design(read_formula("y ~ I(sex + 1)"), TABLE)
