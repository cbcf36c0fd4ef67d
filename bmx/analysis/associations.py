"""Associations of many outcomes with some exposures: Table 4, Supplementary 1-5, and thousands of traits."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy import special

from bmx.analysis import association_fits as fitting
from bmx.analysis.association_blocks import fit_block
from bmx.analysis.association_fits import Fits
from bmx.analysis.association_models import Model, build_models, names_of
from bmx.analysis.association_result import Associations
from bmx.analysis.columns import Columns, Data, refuse_misleading, take_columns
from bmx.analysis.formula import read_formula
from bmx.analysis.guards import is_derived
from bmx.analysis.multiplicity import adjust as adjust_p
from bmx.analysis.multiplicity import check_method
from bmx.analysis.normal_equations import stack_designs
from bmx.analysis.outcome_blocks import iterate_outcomes
from bmx.errors import AnalysisError

Family = Literal["gaussian", "binomial", "auto"]


def associate(
    data: Data,
    outcomes: str | Sequence[str],
    exposures: str | Sequence[str],
    *,
    covariates: Sequence[str] = (),
    modifier: str | None = None,
    family: Family = "gaussian",
    region: str | None = None,
    qc: Literal["passed"] | None = "passed",
    where: object = None,
    adjust: str | None = "bonferroni",
    n_tests: int | None = None,
    confidence: float = 0.95,
) -> Associations:
    """Regress every outcome on every exposure, one fit each, with the same covariates.

    Each fit uses the participants who have its outcome, exposure and covariates, and gives what `regress` gives for
    `outcome ~ covariates + exposure`. A fit that cannot be made is a row with its reason. Computes; outcomes in Dask
    chunks are read chunk by chunk, on the Dask client if there is one.

    Parameters
    ----------
    data : Dataset or DataFrame
        As for `regress`.
    outcomes : names
        Of columns; or of a variable on participant and one more dimension, which stands for all of its columns:
        `traits` on (participant, trait) for `traits_<trait>`, `bmff` for `bmff_spine` and the others.
    exposures : names, or terms of a formula
        A categorical one has a row for each level but the first.
    covariates : terms of a formula
        As `"sex"`, `"bmi"`, `"C(assessment_centre)"`.
    modifier : name of a column, optional
        Asks whether the association depends on it: `p_interaction` is that of exposure × modifier in
        `outcome ~ covariates + exposure * modifier`. If it is categorical, as sex, each of its levels is a stratum
        with a fit of its own; the fit of `all` is without the modifier, as the paper's "Both".
    family : "gaussian", "binomial" or "auto"
        Linear; logistic (0/1 outcomes, log odds, Wald tests); or logistic for outcomes that are 0 and 1 only.
    region, qc, where : as for `regress`
    adjust : method of `bmx.analysis.adjust`, or None
        For `p_adjusted`. The fits of all participants are one family, those of each stratum another one, and so are
        the interactions.
    n_tests : int, optional
        Size of the family; by default, the number of fits that could be made.
    confidence : float
        Level of the intervals.

    Returns
    -------
    Associations
        It prints as a table; `.table` holds every digit.

    Raises
    ------
    AnalysisError
        A name or term is unknown or misleading, or a covariate is constant or collinear.

    Examples
    --------
    >>> table = pd.DataFrame({"bmff": [40.0, 44, 50, 55, 61], "bmd": [1.2, 1.1, 1.15, 1.0, 0.9], "one": 1.0})
    >>> found = associate(table, ["bmd", "one"], "bmff")
    >>> found.table[["outcome", "estimate", "n", "reason"]].round(4)
      outcome  estimate  n                  reason
    0     bmd   -0.0131  5
    1     one       NaN  5  constant: 1 in all 5 rows
    """
    outcomes, exposures = _listed(outcomes, "outcomes"), _listed(exposures, "exposures")
    covariates = _listed(covariates, "covariates", least=0)
    _check(family, qc, confidence, adjust)
    columns, models = _prepare(data, exposures, covariates, modifier, region, qc, where)
    ready = fitting.usable(models)
    stack = stack_designs([model.columns for model in ready if model.columns is not None]) if ready else None
    parts: list[pd.DataFrame] = []
    failed = sum(int(bad.sum()) for bad in columns.failed.values())
    blocks = iterate_outcomes(data, outcomes, participants=columns.table.index, region=region, qc=qc, where=where)
    names: list[str] = []
    said: list[str] = []
    for block in blocks:
        names += block.names
        failed += block.failed
        said += block.notes
        kinds, fits = fit_block(block.values, ready, stack, family)
        by_model = dict(zip(map(id, ready), fits, strict=True))
        q = len(block.names)
        tables = [
            _table(model, by_model.get(id(model)) or fitting.nothing(model, q, model.reason), block.names, kinds,
                   block.reasons, confidence)
            for model in models
        ]  # fmt: skip
        parts.append(_beside(models, tables))
    table = pd.concat(parts, ignore_index=True)
    order = {name: i for i, name in enumerate(dict.fromkeys(names))}
    place = {name: i for i, name in enumerate(exposures)}
    table = table.sort_values(
        ["exposure", "outcome"], key=lambda c: c.map(place if c.name == "exposure" else order), kind="stable"
    ).reset_index(drop=True)
    table["p_adjusted"], table["p_interaction_adjusted"] = np.nan, np.nan
    sizes = {}
    for stratum, rows in table.groupby("stratum", sort=False).groups.items():
        p = table.loc[rows, "p_value"]
        sizes[str(stratum)] = int(p.notna().sum()) if n_tests is None else n_tests
        if adjust is not None:
            table.loc[rows, "p_adjusted"] = adjust_p(p, adjust, n_tests)
            table.loc[rows, "p_interaction_adjusted"] = adjust_p(table.loc[rows, "p_interaction"], adjust, n_tests)
    return Associations(
        table=table[_ORDER],
        covariates=tuple(covariates),
        modifier=modifier,
        adjust=adjust,
        n_tests=sizes.get("all", 0),
        confidence=confidence,
        qc_failed=failed,
        stated_tests=n_tests,
        notes=tuple(dict.fromkeys([*columns.notes, *said, *_duplicates(table)])),
    )


_EVERYTHING = 0.995
"""Share of what covariates leave that is explained by an exposure which is the outcome in another form."""
_NAMED = 5

_ORDER = [
    "outcome", "exposure", "term", "stratum", "family", "estimate", "std_error", "statistic", "df", "p_value",
    "p_adjusted", "conf_low", "conf_high", "adj_r2", "n", "n_dropped", "p_interaction", "p_interaction_adjusted",
    "reason",
]  # fmt: skip


def _prepare(
    data: Data,
    exposures: list[str],
    covariates: list[str],
    modifier: str | None,
    region: str | None,
    qc: Literal["passed"] | None,
    where: object,
) -> tuple[Columns, list[Model]]:
    terms = [*covariates, *exposures, *([modifier] if modifier else [])]
    names = names_of(terms)
    if modifier is not None and names_of([modifier]) != [modifier]:
        raise AnalysisError(f"modifier={modifier!r} is not the name of one column; make it a column first")
    columns = take_columns(data, names, region=region, qc=qc, where=where)
    if columns.table.empty:
        raise AnalysisError("there is no participant: the data have no rows, or where= selects none")
    refuse_misleading(columns, read_formula(f"_outcome ~ {' + '.join(terms)}").quantities)
    return columns, build_models(columns, exposures, covariates, modifier)


def _table(
    model: Model,
    fits: Fits,
    outcomes: list[str],
    kinds: npt.NDArray[np.object_],
    unfit: dict[int, str],
    confidence: float,
) -> pd.DataFrame:
    """Rows of one model: outcome by outcome, term by term."""
    reason = fits.reason.copy()
    for j, why in unfit.items():
        reason[j] = why
    for j, name in enumerate(outcomes):
        if name in model.names:
            reason[j] = f"{name} is also on the right side ({model.formula})"
    t = fits.estimate.shape[1]
    bad = reason != ""
    estimate = np.where(bad[:, None], np.nan, fits.estimate)
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.sqrt(np.einsum("qii->qi", fits.covariance))
        statistic = estimate / error
    df = np.where(bad, np.nan, fits.df)[:, None]
    p = np.where(np.isinf(df), 2 * special.ndtr(-np.abs(statistic)), 2 * special.stdtr(df, -np.abs(statistic)))
    quantile = np.where(
        np.isinf(df),
        special.ndtri((1 + confidence) / 2),
        special.stdtrit(np.where(np.isinf(df), 1, df), (1 + confidence) / 2),
    )
    error = np.where(bad[:, None], np.nan, error)
    joint = fitting.joint_p(fits) if model.asks == "interaction" else np.full(len(bad), np.nan)
    columns = {
        "outcome": np.repeat(np.array(outcomes, object), t),
        "exposure": model.exposure,
        "term": np.tile(np.array(model.terms, object), len(outcomes)),
        "stratum": model.stratum,
        "family": np.repeat(kinds, t),
        "estimate": estimate.ravel(),
        "std_error": error.ravel(),
        "statistic": statistic.ravel(),
        "df": np.repeat(df[:, 0], t),
        "p_value": p.ravel(),
        "conf_low": (estimate - quantile * error).ravel(),
        "conf_high": (estimate + quantile * error).ravel(),
        "adj_r2": np.repeat(np.where(bad, np.nan, fits.adj_r2), t),
        "n": np.repeat(fits.n, t),
        "n_dropped": np.repeat(model.n_selected - fits.n, t),
        "reason": np.repeat(reason, t),
        "p_interaction": np.repeat(np.where(bad, np.nan, joint), t),
    }
    return pd.DataFrame(columns)


def _beside(models: list[Model], tables: list[pd.DataFrame]) -> pd.DataFrame:
    """All rows of estimates, with the p of the interaction in the rows of everybody."""
    asked = {
        model.exposure: table.drop_duplicates("outcome").set_index("outcome")
        for model, table in zip(models, tables, strict=True)
        if model.asks == "interaction"
    }
    kept = []
    for model, table in zip(models, tables, strict=True):
        if model.asks == "interaction":
            continue
        if model.stratum == "all" and model.exposure in asked:
            interaction = asked[model.exposure]
            table["p_interaction"] = table["outcome"].map(interaction["p_interaction"])
            why = table["outcome"].map(interaction["reason"])
            only = (table["reason"] == "") & (why != "")
            table.loc[only, "reason"] = "no interaction: " + why[only]
        kept.append(table)
    return pd.concat(kept, ignore_index=True)


def _duplicates(table: pd.DataFrame) -> list[str]:
    """Note pairs that hold one measurement, by their names or because nothing is left to explain."""
    pairs = table[table["reason"] == ""].drop_duplicates(["outcome", "exposure"])
    same = [
        f"{row['outcome']} and {row['exposure']}"
        for row in pairs.to_dict("records")
        if _partial_r2(row) > _EVERYTHING or is_derived(str(row["outcome"]), str(row["exposure"]))
    ]
    more = f", and {len(same) - _NAMED} more pairs" if len(same) > _NAMED else ""
    return [f"one measurement in two forms, whose model says nothing: {'; '.join(same[:_NAMED])}{more}"] if same else []


def _partial_r2(row: Mapping[Hashable, Any]) -> float:
    """Of a term of a linear fit; NaN of a logistic one, whose degrees of freedom are infinite."""
    squared = float(row["statistic"]) ** 2
    return squared / (squared + float(row["df"])) if np.isfinite(row["df"]) else np.nan


def _listed(names: str | Sequence[str], what: str, least: int = 1) -> list[str]:
    listed = [names] if isinstance(names, str) else list(dict.fromkeys(names))
    if len(listed) < least:
        raise AnalysisError(f"{what} is empty, expected at least one name")
    return listed


def _check(family: str, qc: str | None, confidence: float, adjust: str | None) -> None:
    for name, value, known in (("family", family, ("gaussian", "binomial", "auto")), ("qc", qc, ("passed", None))):
        if value not in known:
            raise AnalysisError(f"{name}={value!r} is not known; expected {' or '.join(map(repr, known))}")
    if not 0 < confidence < 1:
        raise AnalysisError(f"confidence={confidence} is not a level; expected a number between 0 and 1, as 0.95")
    check_method(adjust)
