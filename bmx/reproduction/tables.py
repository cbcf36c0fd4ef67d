"""Tables 1, 3 and 4, Supplementary Tables 1-5, and the numbers under Figs. 4 and 5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
import xarray as xr

from bmx import quality
from bmx.analysis import Regression, Table, associate, compare_groups, contrasts, describe, mixed, regress
from bmx.analysis.text_table import TextTable
from bmx.errors import AnalysisError
from bmx.quality.tables import OUTPUTS, was_unasked
from bmx.variables import QC_CAUSE, QC_OUTCOME

BONE: Final = "bone"
"""The variable of WHO groups that the report adds."""

FAT: Final = ("android_fat", "gynoid_fat", "legs_fat", "trunk_fat", "total_fat")
CHARACTERISTICS: Final = (
    "age", "bmi", "tscore_spine", "tscore_femoral_neck", "tscore_total_hip", "vat_mass", *FAT,
)  # fmt: skip
SITES: Final = {
    "bmd_spine": ("bmff_spine",),
    "bmd_femoral_neck": ("bmff_femoral_head", "bmff_total_hip", "bmff_spine"),
    "bmd_total_hip": ("bmff_total_hip",),
    "bmd_femoral_shaft": ("bmff_femoral_diaphysis",),
}
"""Of Supplementary Tables 1-4: the outcome, and whose BMFF is asked for."""
PAIRS: Final = {
    "bmff_spine": ("bmff_femoral_head", "bmff_total_hip", "bmff_femoral_diaphysis"),
    "bmff_femoral_head": ("bmff_total_hip", "bmff_femoral_diaphysis"),
    "bmff_total_hip": ("bmff_femoral_diaphysis",),
}
TESTS: Final = 12
"""Size of Table 4's family: alpha 0.05/12 in the paper."""
BMFF: Final = ("bmff_spine", "bmff_femoral_head", "bmff_total_hip", "bmff_femoral_diaphysis")


def characteristics(cohort: xr.Dataset) -> Table:
    """Table 1: people by sex and WHO group."""
    return describe(cohort, list(CHARACTERISTICS), by=["sex", BONE])


def characteristics_tests(cohort: xr.Dataset) -> TextTable:
    """The tests beside Table 1: people of low bone density against controls of their sex, and controls' sexes."""
    rows = []
    for variable in CHARACTERISTICS:
        by_bone = compare_groups(cohort, variable, BONE, within="sex", against="control")
        test = by_bone.tests.set_index("stratum")["test"]
        rows += [
            {"variable": variable, "people": row["stratum"], "groups": row["contrast"], "test": test[row["stratum"]],
             "p adjusted": _p(row["p_adjusted"])}
            for row in by_bone.pairs.to_dict("records")
        ]  # fmt: skip
        by_sex = compare_groups(cohort, variable, "sex", where=cohort[BONE] == "control")
        rows.append({
            "variable": variable, "people": "control", "groups": by_sex.pairs["contrast"][0],
            "test": by_sex.tests["test"][0], "p adjusted": _p(by_sex.pairs["p_adjusted"][0]),
        })  # fmt: skip
    note = (
        "Sidak after analysis of variance, Bonferroni after Kruskal-Wallis; family: the two comparisons of a sex with "
        "its controls; that of the sexes stands alone"
    )
    return TextTable("Table 1, tests", pd.DataFrame(rows), (note,))


def outputs(cohort: xr.Dataset, phecode: xr.DataArray | None = None) -> TextTable:
    """Table 3: outputs by region, and why they failed."""
    found = quality.table3(cohort, phecode=phecode)
    cells = found.cells.rename_axis(["region", "output"]).reset_index()
    people = ", ".join(f"{name.lower()} {count}" for name, count in found.people.items())
    notes = [f"participants, % of all ({people}); causes: % of the outputs in the row, each of which has one"]
    if phecode is not None:
        notes.append(
            "Skeletal PheCode: people with any of 710 to 746, 754 to 756 (MS_ of PheCodeX), % of the outputs in the row"
        )
    return TextTable("Table 3: outputs of segmentation, and causes of failure", cells, tuple(notes))


def between_regions(cohort: xr.Dataset) -> TextTable:
    """Table 4: BMFF of one region against another, strata where sexes differ."""
    parts = [
        associate(cohort, list(outcomes), exposure, modifier="sex", n_tests=TESTS)
        for exposure, outcomes in PAIRS.items()
    ]
    cells = pd.concat([part.layout() for part in parts], ignore_index=True)
    return TextTable("Table 4: BMFF between regions", cells, tuple(parts[0].footnotes()))


def univariable(cohort: xr.Dataset, outcomes: Sequence[str], exposures: Sequence[str], title: str) -> TextTable:
    """One of Supplementary Tables 1-5: each exposure by itself, strata where sexes differ."""
    found = associate(cohort, list(outcomes), list(exposures), modifier="sex")
    return TextTable(title, found.layout(), tuple(found.footnotes()))


def supplement(cohort: xr.Dataset, number: int) -> TextTable:
    """Supplementary Table 1-4, bone density at a site, or 5, BMFF."""
    others, name = ("age", "bmi", "vat_mass", *FAT), f"Supplementary Table {number}"
    if number > len(SITES):
        return univariable(cohort, BMFF, others, f"{name}: BMFF, univariable")
    outcome, of_bmff = list(SITES.items())[number - 1]
    return univariable(cohort, [outcome], [*of_bmff, *others], f"{name}: {outcome}, univariable")


def volume_by_height(cohort: xr.Dataset) -> TextTable:
    """Under Fig. 4A: volume on height, and whether the sexes differ."""
    rows = []
    for region in cohort.indexes["region"]:
        # Small outputs are among them, as in the paper.
        drawn = cohort.assign(size=cohort["voxels"].sel(region=region, drop=True).where(
            cohort["voxels"].sel(region=region, drop=True) > 0))  # fmt: skip
        fit = regress(drawn, "size ~ height", qc=None)
        term = _row(fit, "height")
        together = _row(regress(drawn, "size ~ height*sex", qc=None), "height:sex[Male]")
        rows.append({
            "region": region, "voxels per cm (95% CI)": _interval(term), "p": _p(term["p_value"]),
            "p height*sex": _p(together["p_value"]), "n": f"{fit.summary.n:,}",
        })  # fmt: skip
    return TextTable("Fig. 4A: volume of the masks by height", pd.DataFrame(rows), ("non-empty masks",))


def failure_by_height(cohort: xr.Dataset) -> tuple[TextTable, pd.DataFrame]:
    """Fig. 4C: odds of an empty, and of a small or empty output by height, with profile intervals; and the numbers."""
    rows, numbers = [], []
    for region in map(str, cohort.indexes["region"]):
        judged = cohort[["qc_outcome", "qc_cause"]].sel(region=region, drop=True)
        for name in ("Empty", "Small or Empty"):
            bad = judged["qc_outcome"].isin([QC_OUTCOME[code] for code in OUTPUTS[name]])
            nobody = was_unasked(judged["qc_outcome"], judged["qc_cause"])
            faulty = bad.astype(np.float64).where((judged["qc_cause"] != QC_CAUSE["withdrawn"]) & ~nobody)
            row = {"region": region, "output": name.lower(), "n": f"{int(faulty.sum())} of {int(faulty.count())}"}
            try:
                fit = regress(cohort.assign(faulty=faulty), "faulty ~ height", family="binomial", qc=None)
                term, row["n"] = _row(fit, "height"), f"{fit.summary.events} of {fit.summary.n}"
            except AnalysisError as exc:
                rows.append(row | {"odds ratio per cm (95% CI)": "", "p": str(exc).partition(";")[0]})
                continue
            odds = {key: float(np.exp(term[key])) for key in ("estimate", "conf_low", "conf_high")}
            numbers.append({"region": region, "output": name.lower(), **odds})
            rows.append(row | {"odds ratio per cm (95% CI)": _interval(odds), "p": _p(term["p_value"])})
    title = "Fig. 4C: odds of a failure by height"
    notes = ("logistic; profile-likelihood intervals; n: failures of participants with a height; empty as in Table 3",)
    return TextTable(title, pd.DataFrame(rows), notes), pd.DataFrame(numbers)


def model_of_controls(cohort: xr.Dataset) -> Regression:
    """Fig. 5A: BMFF of controls by region and sex."""
    return mixed(cohort, "bmff ~ region * sex", where=cohort[BONE] == "control")


def terms_of_controls(fit: Regression) -> TextTable:
    """Fig. 5A: tests of the terms, type III with Satterthwaite's degrees of freedom, as lmerTest."""
    tests = fit.anova(3)
    tests["p_value"] = tests["p_value"].map(_p)
    return TextTable("Fig. 5A: BMFF of controls, mixed model", tests.round(3).astype(str), tuple(fit.footnotes))


def contrasts_of_controls(fit: Regression, term: str | Sequence[str], by: str | None = None) -> TextTable:
    """Fig. 5A: sexes within regions, regions, or all cells against each other; each is a family of its own."""
    pairs = contrasts(fit, term, by=by)
    cells = pd.DataFrame({
        **({by: pairs[by]} if by else {}), "contrast": pairs["contrast"],
        "difference (95% CI)": [_interval(dict(row)) for _, row in pairs.iterrows()],
        "p adjusted": pairs["p_adjusted"].map(_p),
    })  # fmt: skip
    names = term if isinstance(term, str) else " and ".join(term)
    title = f"Fig. 5A: BMFF by {names}{f' within {by}' if by else ''}"
    return TextTable(title, cells, (str(pairs.attrs["note"]),))


def _row(fit: Regression, term: str) -> dict[str, float]:
    """Estimate, p_value and interval of one term."""
    found = fit.terms[fit.terms["term"] == term].iloc[0]
    return {name: float(found[name]) for name in ("estimate", "p_value", "conf_low", "conf_high")}


def _interval(row: Mapping[str, float]) -> str:
    low, high = float(row["conf_low"]), float(row["conf_high"])
    digits = max(0, 2 - int(np.floor(np.log10(max(high - low, 1e-12)))))
    return f"{float(row['estimate']):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def _p(p: float) -> str:
    return "" if np.isnan(p) else "<0.0001" if p < 1e-4 else f"{p:.2g}"
