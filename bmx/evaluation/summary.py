"""Sum up what `evaluate` found, and print it as the paper's Table 2 has it."""

from __future__ import annotations

import pandas as pd

from bmx.core.agreement import EMPTY, IDEAL, Spread, spread
from bmx.regions import ALL_REGIONS, REGIONS

PAPER: dict[str, dict[str, float]] = {
    "U-Net (Morris 2024)": {
        "spine": 0.925, "femoral_head": 0.951, "total_hip": 0.904, "femoral_diaphysis": 0.69,
    },
    "ROI-Attention-U-Net (Morris 2024)": {
        "spine": 0.912, "femoral_head": 0.945, "total_hip": 0.912, "femoral_diaphysis": 0.866,
    },
}  # fmt: skip
"""Dice as printed in Table 2, of 10 to 12 people with manual masks; it gives no spread."""


def summarise(cases: pd.DataFrame) -> pd.DataFrame:
    """Mean, SD and worst of every measure, by region.

    Parameters
    ----------
    cases : as `bmx.evaluate` gives it

    Returns
    -------
    DataFrame
        Rows: regions, in their fixed order. Columns: `n` cases, and for each measure `MEASURE_n` cases where it isn't
        NaN, `MEASURE_mean`, `MEASURE_sd` (NaN for one case) and `MEASURE_worst`, the value furthest from ideal.
    """
    rows = {}
    for region in (name for name in ALL_REGIONS if (cases["region"] == name).any()):
        those = cases[cases["region"] == region]
        row: dict[str, float] = {"n": len(those)}
        for measure, ideal in IDEAL.items():
            found = spread(those[measure], ideal=ideal)
            row |= {f"{measure}_{field}": getattr(found, field) for field in Spread._fields}
        rows[region] = row
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("region")
    counts = ["n", *(f"{measure}_n" for measure in IDEAL)]
    return table.astype(dict.fromkeys(counts, int))


def table2(cases: pd.DataFrame, *, name: str = "these masks") -> pd.DataFrame:
    """Dice in the layout of the paper's Table 2: models by regions, the paper's own above ours.

    Parameters
    ----------
    cases : as `bmx.evaluate` gives it
    name : what to call the row

    Returns
    -------
    DataFrame of text, `mean ± SD` of ours; a dash where a region wasn't compared.

    Examples
    --------
    >>> cases = pd.DataFrame({"region": ["spine"] * 2, "dice": [0.9, 0.92]})
    >>> table2(cases)[["Spine", "Total Hip"]]
                                               Spine Total Hip
    U-Net (Morris 2024)                        0.925     0.904
    ROI-Attention-U-Net (Morris 2024)          0.912     0.912
    these masks                        0.910 ± 0.014         –
    """
    ours = {region: _mean_sd(spread(those["dice"], ideal=1.0)) for region, those in cases.groupby("region")}
    rows = {model: [f"{scores[region]:.3f}" for region in REGIONS] for model, scores in PAPER.items()}
    rows[name] = [ours.get(region, "–") for region in REGIONS]
    return pd.DataFrame.from_dict(
        rows, orient="index", columns=["Spine", "Femoral head", "Total Hip", "Femoral Diaphysis"]
    )


def regions_table(cases: pd.DataFrame) -> pd.DataFrame:
    """All measures as text, `mean ± SD (worst)`, by region: what `bmx evaluate` prints below Table 2.

    Columns: cases, Dice, 95 % Hausdorff distance, errors of volume, cases in which a mask is empty, and those in which
    mask and reference, or parts of them, lie in different slabs and can't be compared in full.
    """
    rows = {}
    for region in (name for name in ALL_REGIONS if (cases["region"] == name).any()):
        those = cases[cases["region"] == region]
        found = {measure: spread(those[measure], ideal=ideal) for measure, ideal in IDEAL.items()}
        empty = those["reason"].isin(EMPTY)
        rows[region.replace("_", " ")] = [
            str(len(those)),
            _mean_sd_worst(found["dice"], 3),
            _mean_sd_worst(found["hausdorff95_mm"], 1),
            _mean_sd_worst(found["volume_error_ml"], 1),
            _mean_sd_worst(found["volume_error_percent"], 0),
            str(int(empty.sum())),
            str(int(((those["reason"] != "") & ~empty).sum())),
        ]
    columns = ["n", "Dice", "HD95, mm", "volume, mL", "volume, %", "empty", "apart"]
    return pd.DataFrame.from_dict(rows, orient="index", columns=columns)


def _mean_sd(found: Spread, digits: int = 3) -> str:
    if not found.n:
        return "–"
    return f"{found.mean:.{digits}f}" + (f" ± {found.sd:.{digits}f}" if found.n > 1 else "")


def _mean_sd_worst(found: Spread, digits: int) -> str:
    return _mean_sd(found, digits) + (f" ({found.worst:.{digits}f})" if found.n else "")
