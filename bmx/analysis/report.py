"""Print a regression: numbers rounded by their standard error, points below points."""

from __future__ import annotations

from html import escape
from math import floor, isfinite, log10
from typing import TYPE_CHECKING

from bmx.analysis.sample import count_reasons

if TYPE_CHECKING:
    from bmx.analysis.result import Regression


def as_text(fit: Regression) -> str:
    """The table as plain text."""
    title, sample = _title(fit)
    names, estimates, lows, highs, statistics, p_values = zip(*_rows(fit), strict=True)
    intervals = [f"{low} to {high}" for low, high in zip(_aligned(lows), _aligned(highs), strict=True)]
    columns = (
        ("term", list(names), 14, "left", 0),
        ("estimate", _aligned(estimates), 9, "right", 2),
        (_interval_name(fit), intervals, 20, "left", 2),
        ("t", list(statistics), 6, "right", 1),
        ("p", list(p_values), 6, "right", 2),
    )
    lines = [""] * (len(names) + 1)
    for header, cells, least, side, gap in columns:
        width = max(least, len(header), *map(len, cells))
        padded = [header.ljust(width)] + [cell.ljust(width) if side == "left" else cell.rjust(width) for cell in cells]
        lines = [line + " " * gap + cell for line, cell in zip(lines, padded, strict=True)]
    return "\n".join(line.rstrip() for line in (f"{title:<61}  {sample}", *lines, "   ".join(_footer(fit))))


def as_html(fit: Regression) -> str:
    """The same table as HTML."""
    title, sample = _title(fit)
    header = "".join(f"<th>{name}</th>" for name in ("term", "estimate", _interval_name(fit), "t", "p"))
    body = "".join(
        f"<tr><td style='text-align: left'>{escape(name)}</td><td>{estimate}</td><td>{low} to {high}</td>"
        f"<td>{statistic}</td><td>{escape(p)}</td></tr>"
        for name, estimate, low, high, statistic, p in _rows(fit)
    )
    footer = "<br>".join(map(escape, _footer(fit)))
    return (
        f"<table><caption style='text-align: left'>{escape(title)}<br>{escape(sample)}</caption>"
        f"<thead><tr>{header}</tr></thead><tbody>{body}</tbody>"
        f"<tfoot><tr><td colspan='5' style='text-align: left'>{footer}</td></tr></tfoot></table>"
    )


def _title(fit: Regression) -> tuple[str, str]:
    where = f" ({fit.region})" if fit.region else ""
    reasons = f": {count_reasons(fit.dropped)}" if len(fit.dropped) else ""
    return f"Linear regression  {fit.formula}{where}", f"n = {fit.summary.n} ({len(fit.dropped)} dropped{reasons})"


def _interval_name(fit: Regression) -> str:
    return f"{100 * fit.confidence:g}% CI"


def _rows(fit: Regression) -> list[tuple[str, str, str, str, str, str]]:
    """Term, estimate, both limits, t and p as text; the intercept only where there is nothing else."""
    terms = fit.terms[fit.terms["term"] != "Intercept"] if len(fit.terms) > 1 else fit.terms
    numbers = terms[["std_error", "estimate", "conf_low", "conf_high", "statistic", "p_value"]].to_numpy(float).tolist()
    rows = []
    for term, (std_error, *values, statistic, p_value) in zip(terms["term"], numbers, strict=True):
        estimate, low, high = (f"{value:.{decimals_of(std_error)}f}" for value in values)
        p = "<0.001" if p_value < 0.001 else f"{p_value:.3f}"
        rows.append((str(term), estimate, low, high, f"{statistic:.1f}", p))
    return rows


def _footer(fit: Regression) -> list[str]:
    summary = fit.summary
    # The intercept alone explains nothing; its R2 is zero but for rounding, and R shows none.
    parts = [f"adj. R2 {_digits(summary.adj_r2, 2, least=2)}"] if isfinite(summary.f) else []
    parts += [
        f"AIC {summary.aic:.1f} (counts sigma, as R)",
        f"residual SD {_digits(summary.sigma, 3)} on {summary.df_residual} df",
    ]
    if fit.vcov != "classical":
        parts.append(f"{fit.vcov} standard errors")
    if not (fit.terms["term"] == "Intercept").any():
        parts.append("no intercept: R2 about zero, as R")
    return parts


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


def _digits(value: float, significant: int, least: int = 0) -> str:
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
