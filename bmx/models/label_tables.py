"""What the labels of other people's models mean to bmx."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from bmx.errors import ModelError, did_you_mean
from bmx.models.base import Side
from bmx.regions import REGIONS, RIGHT, get_region

FEMORAL = ("femoral_head", "total_hip", "femoral_diaphysis")


@dataclass(frozen=True, slots=True)
class LabelTable:
    """Which labels of a model give which region.

    A region is drawn by the model itself (`regions`), or cut by geometry out of a whole bone (`vertebrae`, `femora`).
    """

    name: str
    regions: Mapping[str, int] = field(default_factory=dict)
    """Region as the paper means it -> its label; `"femoral_head_right"` for that of the right side."""
    vertebrae: tuple[int, ...] = ()
    """Labels of vertebrae, out of which the marrow of their bodies is cut."""
    arches: bool = True
    """Whether these hold arches and processes as well; False if they are bodies alone."""
    femora: tuple[int, int] | None = None
    """Labels of the whole left and right femur, out of which head, hip and diaphysis are cut."""
    words: Mapping[int, tuple[str, ...]] = field(default_factory=dict)
    """Label -> what its name in a model's own list must contain: the list of another version is refused."""
    orientation: str | None = None
    """Directions in which the model's axes grow (`bmx.core.orientation`), if that is known."""

    def __post_init__(self) -> None:
        for name in self.regions:
            get_region(name)
        if not (self.regions or self.vertebrae or self.femora):
            raise ModelError(f"the label table {self.name} has no labels; give regions=, vertebrae= or femora=")

    def drawn(self) -> tuple[str, ...]:
        """Regions that can be had, in their fixed order.

        Examples
        --------
        >>> LABEL_TABLES["totalsegmentator_mr_muscles"].drawn()
        ('femoral_head', 'total_hip', 'femoral_diaphysis')
        """
        cut = {"spine"} if self.vertebrae else set()
        cut |= set(FEMORAL) if self.femora else set()
        cut |= {get_region(name).site for name in self.regions}  # one model draws both sides
        return tuple(name for name in REGIONS if name in cut)

    def label_of(self, region: str, side: Side) -> int | None:
        """Label that is the region itself; None if it must be cut out of a bone.

        Raises
        ------
        ModelError
            If only the other side has one.
        """
        name = region if side == "left" or region == "spine" else f"{region}{RIGHT}"
        if name in self.regions:
            return self.regions[name]
        if not self.femora and {region, f"{region}{RIGHT}"} & set(self.regions):
            raise ModelError(
                f"the label table {self.name} has no label of {name}, only of {', '.join(self.regions)}; "
                f"add {name!r} to its regions=, or ask for the {'right' if side == 'left' else 'left'} side"
            )
        return None

    def labels(self) -> tuple[int, ...]:
        """All that are used."""
        return tuple(sorted({*self.regions.values(), *self.vertebrae, *(self.femora or ())}))

    def check(self, names: Mapping[int, str], where: str) -> None:
        """Refuse a model whose own list of labels says otherwise.

        Parameters
        ----------
        names : label -> name, as the model has them; a name that is a number says nothing
        where : what has that list, for the message

        Raises
        ------
        ModelError
            If a label is missing or is the name of something else.

        Examples
        --------
        >>> LABEL_TABLES["mrsegmentator"].check({25: "spine", 29: "right_femur", 30: "left_femur"}, "dataset.json")
        Traceback (most recent call last):
        ...
        bmx.errors.ModelError: dataset.json calls label 29 'right_femur', but the label table mrsegmentator expects ...
        """
        for label in self.labels():
            if label not in names:
                raise ModelError(
                    f"{where} has no label {label}, which the label table {self.name} needs; it has "
                    f"{', '.join(f'{number} {name}' for number, name in sorted(names.items()))}. "
                    "Is this another model, or another version of it?"
                )
            name, words = names[label].lower(), self.words.get(label, ())
            if not re.fullmatch(r"(label|class)?[ _]*\d+", name) and not all(word in name for word in words):
                raise ModelError(
                    f"{where} calls label {label} {names[label]!r}, but the label table {self.name} expects "
                    f"{' and '.join(words)} in it: the model is another one, or of another version. Give its own "
                    "LabelTable, or the table of that version"
                )


def _table(
    name: str, *, vertebrae: tuple[int, ...] = (), femora: tuple[int, int] | None = None, word: str = "vertebra",
    arches: bool = True, orientation: str,
) -> LabelTable:  # fmt: skip
    words: dict[int, tuple[str, ...]] = dict.fromkeys(vertebrae, (word,))
    if femora:
        words |= {femora[0]: ("femur", "left"), femora[1]: ("femur", "right")}
    return LabelTable(
        name, vertebrae=vertebrae, femora=femora, arches=arches, words=words, orientation=orientation
    )  # fmt: skip


LABEL_TABLES: dict[str, LabelTable] = {
    table.name: table
    for table in (
        _table("vibesegmentator", vertebrae=(69,), femora=(48, 49), arches=False, orientation="SAR"),
        _table("mrsegmentator", vertebrae=(25,), femora=(29, 30), word="spine", orientation="SPL"),
        _table("totalsegmentator_mr", vertebrae=(19,), femora=(36, 37), orientation="SAR"),
        _table("totalsegmentator_mr_organs", vertebrae=(19,), orientation="SAR"),
        _table("totalsegmentator_mr_muscles", femora=(7, 8), orientation="SAR"),
        _table("totalsegmentator_vertebrae_mr", vertebrae=tuple(range(2, 26)), orientation="SAR"),
    )
}
"""By name; numbers as published, read in November 2026.

- **vibesegmentator**: VIBESegmentator (TotalVibeSegmentator), data set 100 and its predecessors since 80; table in the
  README of `robert-graf/TotalVibeSegmentator` and `VibeSeg_map` of TPTBox. Label 69 is the vertebral body alone (70 its
  posterior elements), 23 the sacrum. Its `dataset.json` says in which orientation it works; that one is used.
- **mrsegmentator**: MRSegmentator, all versions with 40 classes; table "Class details" in the README of
  `hhaentze/MRSegmentator`. Label 25 `spine` is whole vertebrae, 26 the sacrum. Version 1.0.0 sometimes mixed left and
  right; its own reader turns images to LPS.
- **totalsegmentator_mr**: TotalSegmentator, task `total_mr`, the models of 3 and 6 mm (852, 853) that have all 50
  classes; `class_map` in `totalsegmentator/map_to_binary.py` of `wasserth/TotalSegmentator`. The first release had 56
  classes, with femora 34 and 35: its own list of labels tells, and is refused.
- **totalsegmentator_mr_organs**, **totalsegmentator_mr_muscles**: its two models of 1.5 mm (850, 851), which share the
  classes; `class_map_parts_mr` in the same file. The first has the vertebrae, the second the femora.
- **totalsegmentator_vertebrae_mr**: its task `vertebrae_mr` (756): L5 to C1 one by one; 1 is the sacrum.

TotalSegmentator turns images to RAS+ before it writes the NIfTI files that nnU-Net reads.
"""


def get_table(labels: str | LabelTable | Mapping[str, int]) -> LabelTable:
    """A table by its name, one of your own, or one made from region -> label.

    Examples
    --------
    >>> get_table({"spine": 1, "total_hip": 2}).drawn()
    ('spine', 'total_hip')
    >>> get_table("mrsegmentor")
    Traceback (most recent call last):
    ...
    bmx.errors.ModelError: no label table is called 'mrsegmentor'; expected one of ... (did you mean mrsegmentator?)
    """
    if isinstance(labels, LabelTable):
        return labels
    if isinstance(labels, str):
        if labels not in LABEL_TABLES:
            raise ModelError(f"no label table is called {labels!r}; {did_you_mean(labels, LABEL_TABLES)}")
        return LABEL_TABLES[labels]
    return LabelTable("given", regions=dict(labels))
