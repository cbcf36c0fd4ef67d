"""Print a regression: numbers rounded by their standard error, points below points."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import floor, isfinite, isinf, log10
from typing import TYPE_CHECKING

from bmx.analysis.sample import count_reasons

if TYPE_CHECKING:
    from bmx.analysis.result import Regression

_KINDS = {"gaussian": "Linear regression", "binomial": "Logistic regression", "mixed": "Mixed model"}


@dataclass(frozen=True, slots=True)
class Layout:
    """A table as text cells, the same for terminal, notebook and paper."""

    title: str
    sample: str
    header: tuple[str, str, str, str, str]
    rows: list[tuple[str, str, str, str, str, str]]
    """Term, estimate, both limits, statistic and p."""
    footer: list[str]
    notes: list[str]


def layout(fit: Regression) -> Layout:
    """What is said of a fit, before it is known where."""
    kind = "Weighted linear regression" if fit.basis and fit.basis.weights else _KINDS[fit.family]
    where = f" ({fit.region})" if fit.region else ""
    reasons = f": {count_reasons(fit.dropped)}" if len(fit.dropped) else ""
    ratio = fit.family == "binomial"
    profiled = ", profile" if fit.interval == "profile" else ", Wald" if ratio else ""
    return Layout(
        title=f"{kind}  {fit.formula}{where}",
        sample=f"n = {fit.summary.n} ({len(fit.dropped)} dropped{reasons})",
        header=(
            "term",
            "odds ratio" if ratio else "estimate",
            f"{100 * fit.confidence:g}% CI{profiled}",
            "z" if isinf(fit.df) else "t",
            "p, Wald" if ratio else "p",
        ),
        rows=_rows(fit, ratio=ratio),
        footer=_footer(fit),
        notes=list(fit.notes),
    )


def as_text(fit: Regression) -> str:
    """The table as plain text."""
    table = layout(fit)
    names, estimates, lows, highs, statistics, p_values = zip(*table.rows, strict=True)
    intervals = [f"{low} to {high}" for low, high in zip(_aligned(lows), _aligned(highs), strict=True)]
    columns = (
        (list(names), 14, "left", 0),
        (_aligned(estimates), 9, "right", 2),
        (intervals, 20, "left", 2),
        (list(statistics), 6, "right", 1),
        (list(p_values), 6, "right", 2),
    )
    lines = [""] * (len(names) + 1)
    for header, (cells, least, side, gap) in zip(table.header, columns, strict=True):
        width = max(least, len(header), *map(len, cells))
        padded = [header.ljust(width)] + [cell.ljust(width) if side == "left" else cell.rjust(width) for cell in cells]
        lines = [line + " " * gap + cell for line, cell in zip(lines, padded, strict=True)]
    notes = [f"note: {note}" for note in table.notes]
    first = f"{table.title:<61}  {table.sample}"
    return "\n".join(line.rstrip() for line in (first, *lines, "   ".join(table.footer), *notes))


def as_html(fit: Regression) -> str:
    """The same table as HTML, with all footnotes."""
    table = layout(fit)
    header = "".join(f"<th>{escape(name)}</th>" for name in table.header)
    body = "".join(
        f"<tr><td style='text-align: left'>{escape(name)}</td><td>{estimate}</td><td>{low} to {high}</td>"
        f"<td>{statistic}</td><td>{escape(p)}</td></tr>"
        for name, estimate, low, high, statistic, p in table.rows
    )
    footer = "<br>".join(map(escape, ("   ".join(table.footer), *footnotes(fit))))
    return (
        f"<table><caption style='text-align: left'>{escape(table.title)}<br>{escape(table.sample)}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody>"
        f"<tfoot><tr><td colspan='5' style='text-align: left'>{footer}</td></tr></tfoot></table>"
    )


def as_latex(fit: Regression) -> str:
    """The same table as LaTeX, for the package booktabs."""
    table = layout(fit)
    rows = [
        (name, estimate, f"{low} to {high}", statistic, p) for name, estimate, low, high, statistic, p in table.rows
    ]
    below = [table.sample, "   ".join(table.footer), *footnotes(fit)]
    return latex_table(table.title, table.header, rows, below)


def latex_table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]], below: Sequence[str]) -> str:
    r"""A table of text cells: first column to the left, the others to the right, notes below.

    Examples
    --------
    >>> print(latex_table("y ~ x", ("term", "p"), [("x_1", "<0.001")], ["n = 5 (100%)"]))
    \begin{table}
    \caption{y \textasciitilde{} x}
    \begin{tabular}{lr}
    \toprule
    term & p \\
    \midrule
    x\_1 & $<$0.001 \\
    \bottomrule
    \end{tabular}
    <BLANKLINE>
    \smallskip\footnotesize
    n = 5 (100\%)
    \end{table}
    """
    lines = [" & ".join(map(_latex, cells)) + r" \\" for cells in (header, *rows)]
    return "\n".join(
        [
            r"\begin{table}",
            rf"\caption{{{_latex(title)}}}",
            rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
            r"\toprule",
            lines[0],
            r"\midrule",
            *lines[1:],
            r"\bottomrule",
            r"\end{tabular}",
            "",
            r"\smallskip\footnotesize",
            r" \\ ".join(map(_latex, below)),
            r"\end{table}",
        ]
    )


def footnotes(fit: Regression) -> list[str]:
    """Model, rule for missing data, covariance, adjustment, and what else is not usual."""
    model = {
        "gaussian": "Least squares",
        "binomial": "Logistic regression by maximum likelihood; intervals by "
        + ("profile likelihood, p values by Wald's test" if fit.interval == "profile" else "Wald's test, as p values"),
        "mixed": "Mixed model by restricted maximum likelihood",
    }[fit.family]
    kept = fit.basis is not None and fit.basis.qc is None
    df = "z" if isinf(fit.df) else f"t on {fit.df:g} df" if isfinite(fit.df) else "t"
    return [
        f"{model}.",
        "Participants who lack a value are left out of this model alone (listwise); values that failed QC are "
        + ("kept." if kept else "missing."),
        f"Covariance: {fit.vcov}, {df}. p values are not adjusted for multiple testing.",
        *(f"{note[0].upper()}{note[1:]}." for note in fit.notes),
    ]


def _rows(fit: Regression, *, ratio: bool) -> list[tuple[str, str, str, str, str, str]]:
    """Term, estimate, both limits, t and p as text; the intercept only where there is nothing else."""
    terms = fit.terms[fit.terms["term"] != "Intercept"] if len(fit.terms) > 1 else fit.terms
    shown = ["odds_ratio", "odds_ratio_low", "odds_ratio_high"] if ratio else ["estimate", "conf_low", "conf_high"]
    numbers = terms[["std_error", *shown, "statistic", "p_value"]].to_numpy(float).tolist()
    rows = []
    for term, (std_error, *values, statistic, p_value) in zip(terms["term"], numbers, strict=True):
        decimals = decimals_of(std_error * (values[0] if ratio else 1))  # a ratio's error, by the delta method
        estimate, low, high = (rounded(value, decimals) for value in values)
        rows.append((str(term), estimate, low, high, rounded(statistic, 1), format_p(p_value)))
    return rows


def _footer(fit: Regression) -> list[str]:
    summary = fit.summary
    if fit.family == "binomial":
        parts = [
            f"{summary.events} of {summary.n} have the outcome",
            f"AIC {summary.aic:.1f}",
            f"deviance {summary.deviance:.1f} on {summary.df_residual:g} df (null {summary.null_deviance:.1f})",
        ]
    elif fit.variances is not None:
        between, within = (significant(float(variance) ** 0.5, 3) for variance in fit.variances)
        parts = [f"SD between {fit.variances.index[0]}s {between}, residual {within}", f"AIC {summary.aic:.1f} (REML)"]
    else:
        # The intercept alone explains nothing; its R2 is zero but for rounding, and R shows none.
        parts = [f"adj. R2 {significant(summary.adj_r2, 2, least=2)}"] if isfinite(summary.f) else []
        parts += [
            f"AIC {summary.aic:.1f} (counts sigma, as R)",
            f"residual SD {significant(summary.sigma, 3)} on {summary.df_residual:g} df",
        ]
    if fit.vcov not in ("classical", "model"):
        df = f" ({fit.df:g} df)" if fit.vcov == "cluster" else ""
        parts.append(f"{fit.vcov} standard errors{df}")
    if fit.family == "gaussian" and not (fit.terms["term"] == "Intercept").any():
        parts.append("no intercept: R2 about zero, as R")
    return parts


def format_p(p_value: float) -> str:
    """A p value as it is printed.

    Examples
    --------
    >>> format_p(0.0004), format_p(0.0312), format_p(float("nan"))
    ('<0.001', '0.031', 'NA')
    """
    if not isfinite(p_value):
        return "NA"
    return "<0.001" if p_value < 0.001 else f"{p_value:.3f}"


def decimals_of(std_error: float) -> int:
    """Decimals that show two digits of a standard error.

    Examples
    --------
    >>> decimals_of(0.00055), decimals_of(0.0101), decimals_of(0.00996), decimals_of(35.0)
    (5, 3, 3, 0)
    """
    if not isfinite(std_error) or std_error <= 0:
        return 3
    return max(0, 1 - floor(log10(float(f"{std_error:.1e}"))))


def rounded(value: float, decimals: int) -> str:
    """A number with so many decimals; nothing is no less than nothing, and what is enormous has no digits to show.

    Examples
    --------
    >>> rounded(0.0449, 2), rounded(-0.0012, 2), rounded(198146994083437.0, 0)
    ('0.04', '0.00', '2.0e+14')
    """
    if abs(value) >= 1e8:
        return f"{value:.1e}"
    text = f"{value:.{decimals}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def significant(value: float, significant: int, least: int = 0) -> str:
    """A number with so many significant digits, and at least so many decimals."""
    if not isfinite(value) or value == 0:
        return f"{value:.{max(least, significant - 1)}f}"
    return f"{value:.{max(least, significant - 1 - floor(log10(abs(value))))}f}"


def _aligned(numbers: tuple[str, ...]) -> list[str]:
    """Pad numbers on both sides so that their points stand below each other."""
    parts = [number.partition(".") for number in numbers]
    left = max(len(whole) for whole, _, _ in parts)
    right = max(len(point + fraction) for _, point, fraction in parts)
    return [f"{whole:>{left}}{point + fraction:<{right}}" for whole, point, fraction in parts]


def _latex(text: str) -> str:
    special = {
        "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$",
        "−": "$-$", "Δ": r"$\Delta$", "²": r"\textsuperscript{2}",
    }  # fmt: skip
    return "".join(special.get(letter, f"\\{letter}" if letter in "_%&#${}" else letter) for letter in text)
