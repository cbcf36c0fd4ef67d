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
from bmx.variables import QC_OUTCOME

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
    """The tests beside Table 1: osteopaenic and osteoporotic people against controls of their sex."""
    rows = []
    for variable in CHARACTERISTICS:
        found = compare_groups(cohort, variable, BONE, within="sex", against="control")
        test = found.tests.set_index("stratum")["test"]
        rows += [
            {"variable": variable, "sex": row["stratum"], "groups": row["contrast"], "test": test[row["stratum"]],
             "p adjusted": _p(row["p_adjusted"])}
            for row in found.pairs.to_dict("records")
        ]  # fmt: skip
    note = "Sidak after analysis of variance, Bonferroni after Kruskal-Wallis; family: the two comparisons of a sex"
    return TextTable("Table 1, tests against control", pd.DataFrame(rows), (note,))


def outputs(cohort: xr.Dataset, phecode: xr.DataArray | None = None) -> TextTable:
    """Table 3: outputs by region, and why they failed."""
    found = quality.table3(cohort, phecode=phecode)
    cells = found.cells.rename_axis(["region", "output"]).reset_index()
    people = ", ".join(f"{name.lower()} {count}" for name, count in found.people.items())
    notes = (f"participants, % of all ({people}); causes: % of the outputs in the row, each of which has one",)
    return TextTable("Table 3: outputs of segmentation, and causes of failure", cells, notes)


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
    outcome = cohort["qc_outcome"]
    for region in map(str, cohort.indexes["region"]):
        for name, codes in (("empty", ("empty",)), ("small or empty", ("small", "empty"))):
            bad = outcome.sel(region=region, drop=True).isin([QC_OUTCOME[code] for code in codes])
            data = cohort.assign(faulty=bad.astype(np.float64))
            row = {"region": region, "output": name, "n": f"{int(bad.sum())} of {bad.size}"}
            try:
                term = _row(regress(data, "faulty ~ height", family="binomial", qc=None), "height")
            except AnalysisError as exc:
                rows.append(row | {"odds ratio per cm (95% CI)": "", "p": str(exc).partition(";")[0]})
                continue
            odds = {key: float(np.exp(term[key])) for key in ("estimate", "conf_low", "conf_high")}
            numbers.append({"region": region, "output": name, **odds})
            rows.append(row | {"odds ratio per cm (95% CI)": _interval(odds), "p": _p(term["p_value"])})
    title = "Fig. 4C: odds of a failure by height"
    return TextTable(title, pd.DataFrame(rows), ("logistic; profile-likelihood intervals",)), pd.DataFrame(numbers)


def regions_and_sex(cohort: xr.Dataset) -> tuple[TextTable, TextTable, Regression]:
    """Fig. 5A: BMFF of controls by region and sex: tests of the terms, contrasts, and the mixed model."""
    controls = (cohort[BONE] == "control").to_numpy()
    fit = mixed(cohort, "bmff ~ region * sex", where=controls)
    tests = fit.anova(3)
    pairs = contrasts(fit, "sex", by="region")
    # Type III and Satterthwaite's degrees of freedom, as lmerTest.
    tests["p_value"] = tests["p_value"].map(_p)
    cells = pd.DataFrame({
        "region": pairs["region"], "contrast": pairs["contrast"],
        "difference (95% CI)": [_interval(dict(row)) for _, row in pairs.iterrows()],
        "p adjusted": pairs["p_adjusted"].map(_p),
    })  # fmt: skip
    terms = TextTable("Fig. 5A: BMFF of controls, mixed model", tests.round(3).astype(str), tuple(fit.footnotes))
    return terms, TextTable("Fig. 5A: sexes within regions", cells, (str(pairs.attrs["note"]),)), fit


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
