"""What a fit is made of, kept with it: so that it can be repeated on fewer rows and asked about other participants."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from bmx.analysis.formula import Design, ModelFormula, build_design
from bmx.analysis.sample import Sample
from bmx.errors import AnalysisError

Family = Literal["gaussian", "binomial", "mixed"]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """A model and the rows that it uses."""

    model: ModelFormula
    sample: Sample
    design: Design
    flat: Mapping[str, str]
    """Name as written to full name: `bmff` to `bmff_spine`."""
    family: Family = "gaussian"
    region: str | None = None
    qc: Literal["passed"] | None = "passed"
    weights: str | None = None
    """Column of `sample.table` that holds the weights."""
    cluster: str | None = None
    """Column of `sample.table` that says who belongs together."""
    notes: tuple[str, ...] = ()
    """What a reader of the table must know and would not expect."""

    @property
    def weight_values(self) -> npt.NDArray[np.float64] | None:
        """One weight per row."""
        return None if self.weights is None else self.sample.table[self.weights].to_numpy(np.float64)

    @property
    def cluster_values(self) -> pd.Series | None:
        """One label per row."""
        return None if self.cluster is None else self.sample.table[self.cluster]

    def only(self, eids: pd.Index) -> Basis:
        """The same model on these participants, who are all in the sample."""
        table = self.sample.table.loc[eids].copy()
        for name, column in table.items():
            if isinstance(column.dtype, pd.CategoricalDtype):
                table[name] = column.cat.remove_unused_categories()
        others = self.sample.table.index.difference(eids, sort=False)
        lost = pd.Series("missing in another model", others, dtype=object, name="reason")
        sample = Sample(table, pd.concat([self.sample.dropped, lost]))
        return replace(self, sample=sample, design=build_design(self.model, table))

    def predictors(self) -> list[str]:
        """Columns that the right side of the formula needs, in the written order."""
        return list(self.model.predictors)

    def is_category(self, name: str) -> bool:
        """Whether a column stands for groups: text, or a number that is written `C(...)` wherever it occurs."""
        return isinstance(self.sample.table[name].dtype, pd.CategoricalDtype) or name not in self.model.quantities

    def levels(self, name: str) -> list[object]:
        """Groups of a category in order, the reference first."""
        column = self.sample.table[name]
        if isinstance(column.dtype, pd.CategoricalDtype):
            return list(column.cat.categories)
        return sorted(column.unique())

    def check_predictor(self, name: str) -> None:
        """Refuse a name that is not on the right side of the formula."""
        if name not in self.predictors():
            raise AnalysisError(
                f"{name!r} is not a variable of {self.model.text!r}; it has {', '.join(self.predictors()) or 'none'}"
            )
