"""Outcomes, and the paper's Table 3, counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.quality.flagging import flagged
from bmx.quality.reference import SEXES
from bmx.schema import validate
from bmx.variables import QC_CAUSE, QC_OUTCOME

OUTPUTS: Final = {
    "OK": ("ok",),
    "Small": ("small",),
    "Empty": ("empty", "failed", "not_attempted"),
    "Outlier": ("outlier",),
    "Doubtful": ("doubtful",),
    "Small or Empty": ("small", "empty", "failed", "not_attempted"),
    "All faulty": ("small", "empty", "failed", "not_attempted", "outlier", "doubtful"),
}
"""Rows. The paper has OK, Small, Empty, Small or Empty; a slab that gave no output at all is Empty there, too."""

CAUSES: Final = {
    "Data structure": "data_structure",
    "Imaging artefact": "imaging_artefact",
    "Partially outside": "partially_outside",
    "Fully outside": "fully_outside",
    "Skeletal abnormality": "skeletal_abnormality",
    "No obvious defect": "no_obvious_defect",
}
"""Columns 4 to 9 of the paper."""

_SHORT: Final = {
    "Data structure": "Data",
    "Imaging artefact": "Artefact",
    "Partially outside": "Partly out",
    "Fully outside": "Fully out",
    "Skeletal abnormality": "Skeletal",
    "No obvious defect": "No defect",
    "Skeletal PheCode": "PheCode",
}
"""Headings that let the table fit a terminal."""

PHECODE: Final = "Skeletal PheCode"


@dataclass(frozen=True, slots=True, eq=False)
class Table3:
    """What `table3` counts; `print` it to see percentages."""

    numbers: pd.DataFrame
    """(region, output) × (Both, Female, Male, the causes, Skeletal PheCode where known), numbers of participants."""
    people: dict[str, int]
    """Participants: Both, Female, Male. The percentages of the first columns are of these."""
    withdrawn: int
    """Participants who have withdrawn; they are in no number."""
    unasked: int = 0
    """Values of participants of whom nobody drew a mask; they are in no row."""

    @property
    def cells(self) -> pd.DataFrame:
        """The same as text with percentages: of all people in the first columns, of the row in the others."""
        groups = [name for name in self.people if name in self.numbers]
        cells = pd.DataFrame("", index=self.numbers.index, columns=list(self.numbers.columns))
        for row, numbers in self.numbers.iterrows():
            for name in self.numbers.columns:
                of = self.people[name] if name in groups else int(numbers["Both"])
                cells.loc[row, name] = _cell(int(numbers[name]), of)
        return cells

    def __str__(self) -> str:
        groups = [name for name in self.people if name in self.numbers]
        told = ", ".join(f"{name.lower()} {self.people[name]}" for name in groups)
        unknown = self.people["Both"] - sum(self.people.get(name, 0) for name in SEXES)
        lines = [
            self.cells.rename(columns=_SHORT).to_string(),
            f"{', '.join(groups)}: number of participants, % of all of them ({told}"
            + (f"; {unknown} of unknown sex are in Both alone)" if len(groups) > 1 and unknown else ")"),
            "Data ... No defect, the causes: number, % of the outputs in that row. Each faulty output has one; of OK: "
            "what was wrong and was repaired.",
        ]
        if PHECODE in self.numbers:
            lines.append("PheCode (a skeletal disease): number, % of the outputs in that row.")
        lines.append(
            "Outlier (centre of mass) and Doubtful aren't in the paper; Empty holds slabs that gave no output, too."
        )
        if self.withdrawn:
            lines.append(f"{self.withdrawn} participants have withdrawn and are in no number.")
        if self.unasked:
            lines.append(f"{self.unasked} values have no mask that could have failed, and are in no row.")
        return "\n".join(lines)


def table3(results: xr.Dataset, *, phecode: xr.DataArray | None = None) -> Table3:
    """Count outcomes and causes as the paper's Table 3 does. Computes them.

    The paper divides women and men by 449 and 271, although it has 452 and 277; and its causes don't add up to its
    numbers of failures. Here every percentage is of the number that is said, and every failure has one cause. In the
    row OK, where the paper has none, are the causes of what its authors lost and is repaired here.

    Parameters
    ----------
    results : Dataset
        From `bmx.qc.flag`; with `sex`, as `bmx.join` adds it, women and men are counted apart.
    phecode : (participant) bool, optional
        Who has a diagnosis of the skeleton (the paper's column 10).

    Raises
    ------
    SchemaError
        If the results haven't been judged.
    """
    validate(flagged(results), "qc_outcome", "qc_cause")
    held = results[["qc_outcome", "qc_cause", *(["sex"] if "sex" in results else [])]].compute()
    outcome, cause = (held[name].transpose("participant", "region").to_numpy() for name in ("qc_outcome", "qc_cause"))
    unasked = was_unasked(outcome, cause)
    stays = ~(cause == QC_CAUSE["withdrawn"]).any(axis=1)
    groups = {"Both": stays}
    if "sex" in held:
        sex = held["sex"].to_numpy().astype(str)
        groups |= {name: stays & (sex == name) for name in SEXES}
    rows = {}
    for column, region in enumerate(str(name) for name in results.indexes["region"]):
        for output, names in OUTPUTS.items():
            here = np.isin(outcome[:, column], [QC_OUTCOME[name] for name in names]) & ~unasked[:, column]
            numbers = {name: _count(here & inside) for name, inside in groups.items()}
            numbers |= {
                name: _count(here & stays & (cause[:, column] == QC_CAUSE[key])) for name, key in CAUSES.items()
            }
            if phecode is not None:
                ill = phecode.sel(participant=held["participant"]).to_numpy().astype(np.bool_)
                numbers[PHECODE] = _count(here & stays & ill)
            rows[region, output] = numbers
    table = pd.DataFrame.from_dict(rows, orient="index").astype(int)
    table.index = pd.MultiIndex.from_tuples(list(rows), names=["region", "output"])
    return Table3(table, {name: _count(inside) for name, inside in groups.items()}, _count(~stays), _count(unasked))


def was_unasked(outcome: Any, cause: Any) -> Any:
    """Of whom nobody drew a mask: no value, and no cause, since nothing failed; bool of the kind that was given."""
    return (outcome != QC_OUTCOME["ok"]) & (cause == QC_CAUSE["none"])


def counts(results: xr.Dataset) -> pd.DataFrame:
    """How many participants had each outcome in each region. Computes the outcomes.

    Parameters
    ----------
    results : Dataset
        With the `qc_outcome` that `bmx.qc.flag` adds.

    Returns
    -------
    DataFrame
        Outcome × region; each column adds up to the number of participants.
    """
    outcome = flagged(results)["qc_outcome"].transpose("participant", "region").to_numpy()
    table = {
        region: [int((outcome[:, column] == value).sum()) for value in QC_OUTCOME.values()]
        for column, region in enumerate(results["region"].values)
    }
    return pd.DataFrame(table, index=pd.Index(QC_OUTCOME, name="qc_outcome"))


def _count(where: npt.NDArray[np.bool_]) -> int:
    return int(np.count_nonzero(where))


def _cell(number: int, of: int) -> str:
    """Number and percentage; no percentage of nobody."""
    return f"{number} ({100 * number / of:.1f}%)" if of else f"{number}"
