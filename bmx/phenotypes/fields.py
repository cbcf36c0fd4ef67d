"""The UK Biobank fields that bmx reads, and the four ways in which a table spells one of their columns."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Any

from bmx.errors import PhenotypeError, did_you_mean
from bmx.variables import VARIABLES


@dataclass(frozen=True, slots=True)
class Field:
    """Where one phenotype comes from, and how its text becomes a value; `bmx.variables` says what the value means."""

    name: str
    """bmx's name, as in `bmx.variables`."""
    id: int
    """UK Biobank field number."""
    title: str
    """Showcase title, which some exports use as the column's name."""
    units: str = ""
    """UK Biobank's units, before `scale`."""
    scale: float = 1.0
    """Multiplies UK Biobank's number to give bmx's unit."""
    scaled_units: str = ""
    """Units after `scale`, of a field of your own; those of bmx's are in `bmx.variables`."""
    once: bool = False
    """True for what does not change from visit to visit (sex): its column has no instance."""
    asked_at: int | None = None
    """The visit at which it was asked, whichever is read: handedness only at the first."""
    labels: bool = False
    """True for what becomes text: the meanings of `codes`, or the cells as they are if there are none."""
    many: bool = False
    """True where a participant has several values, in one cell or in a column each; they are joined by `|`."""
    date: bool = False
    """True for days, written as 2019-05-31."""
    category: bool = False
    """True where the numbers are labels (assessment centre), which no model may take as a quantity."""
    codes: Mapping[str, str] = field(default_factory=dict)
    """Meanings of coded values; an export writes the code or the meaning."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Coded answers that mean missing. Only where the coding says so: a T-score of -1 or -3 is a measurement."""
    zero_is_missing: bool = False
    """True where 0 is written for a scan that failed: no bone has a density of 0."""

    @property
    def attrs(self) -> dict[str, Any]:
        """What is known of its values: long_name, and units unless they are text."""
        if declared := VARIABLES.get(self.name):
            return declared.attrs
        units = {} if self.labels or self.many or self.date else {"units": self.scaled_units or self.units or "1"}
        return {"long_name": f"{self.title} (field {self.id})", **units}


@dataclass(frozen=True, slots=True)
class Spelling:
    """What a column's name says."""

    key: int | str
    """Field number, or title."""
    instance: int | None = None
    """Visit; None if the name has none."""
    array: int = 0


_SPELLINGS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<key>\d+)-(?P<instance>\d+)\.(?P<array>\d+)",  # ukbconv csv
        r"f\.(?P<key>\d+)\.(?P<instance>\d+)\.(?P<array>\d+)",  # ukbconv tab
        r"(?:participant\.)?p(?P<key>\d+)(?:_i(?P<instance>\d+))?(?:_a(?P<array>\d+))?",  # Research Analysis Platform
        r"(?P<key>\S.*?)(?: \| Instance (?P<instance>\d+))?(?: \| Array (?P<array>\d+))?",  # titles: anything else
    )
)


def load_fields(own: str | Path | None = None) -> dict[str, Field]:
    """All fields of `fields.toml`, and those of a file of your own in the same form, by bmx name.

    Raises
    ------
    PhenotypeError
        If your file can't be read, or has a field that bmx has, or an entry that a `Field` hasn't.

    Examples
    --------
    >>> load_fields()["vat_mass"].id, load_fields()["vat_mass"].scale
    (23288, 0.001)
    """
    return {**_shipped()} if own is None else _shipped() | _read_own(Path(own))


@cache
def _shipped() -> dict[str, Field]:
    text = resources.files("bmx.phenotypes").joinpath("fields.toml").read_text(encoding="utf-8")
    return {name: Field(name=name, **entry) for name, entry in tomllib.loads(text).items()}


def _read_own(path: Path) -> dict[str, Field]:
    try:
        entries = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise PhenotypeError(
            f"{path} cannot be read as fields ({exc}); expected [name], then id = and title ="
        ) from exc
    known = {one.name for one in fields(Field)} - {"name"}
    numbers = {one.id: one.name for one in _shipped().values()}
    found = {}
    for name, entry in entries.items():
        given = set(entry) if isinstance(entry, dict) else set()
        if missing := {"id", "title"} - given:
            raise PhenotypeError(
                f"{name} in {path.name} has no {' and no '.join(sorted(missing))}; it needs id and title"
            )
        if unknown := sorted(given - known):
            raise PhenotypeError(f"{name} in {path.name} has {unknown[0]!r}; {did_you_mean(unknown[0], known)}")
        if name in VARIABLES or entry["id"] in numbers:
            there = name if name in VARIABLES else numbers[entry["id"]]
            raise PhenotypeError(f"{name} (field {entry['id']}) in {path.name}: bmx has {there} already; leave it out")
        if entry.get("scale", 1) != 1 and not entry.get("scaled_units"):
            raise PhenotypeError(f"{name} in {path.name} has a scale, but no scaled_units; say what it becomes")
        found[name] = Field(name=name, **entry)
    return found


def read_spelling(column: str) -> Spelling:
    """Read a column's name in any of the four spellings.

    Examples
    --------
    >>> read_spelling("21003-2.0") == read_spelling("f.21003.2.0") == read_spelling("participant.p21003_i2")
    True
    >>> read_spelling("p31")
    Spelling(key=31, instance=None, array=0)
    >>> read_spelling("Age when attended assessment centre | Instance 2")
    Spelling(key='Age when attended assessment centre', instance=2, array=0)
    """
    for pattern in _SPELLINGS:
        match = pattern.fullmatch(column.strip())
        if match:
            key, instance, array = match["key"], match["instance"], match["array"]
            return Spelling(
                key=int(key) if key.isdigit() else key,
                instance=None if instance is None else int(instance),
                array=int(array or 0),
            )
    return Spelling(column)


def platform_column(wanted: Field, *, instance: int) -> str:
    """How the Research Analysis Platform spells a field's column at a visit; `read_spelling` reads it.

    Examples
    --------
    >>> fields = load_fields()
    >>> platform_column(fields["sex"], instance=2), platform_column(fields["bmi"], instance=2)
    ('p31', 'p21001_i2')
    """
    return (
        f"p{wanted.id}" if wanted.once else f"p{wanted.id}_i{instance if wanted.asked_at is None else wanted.asked_at}"
    )


def field_columns(spellings: Sequence[Spelling], wanted: Field) -> dict[int, int | None]:
    """Positions of the columns that hold a field, each with its instance; of an array all items only if it is `many`.

    Examples
    --------
    >>> spellings = [read_spelling(column) for column in ("eid", "p50_i0", "p50_i2")]
    >>> field_columns(spellings, load_fields()["height"])
    {1: 0, 2: 2}
    """
    return {
        position: spelling.instance
        for position, spelling in enumerate(spellings)
        if spelling.key in (wanted.id, wanted.title) and (wanted.many or spelling.array == 0)
    }
