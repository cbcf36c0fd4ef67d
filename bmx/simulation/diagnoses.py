"""Hospital diagnoses of simulated people: ICD-10 codes as UK Biobank field 41270 spells them, M170 for M17.0.

A person's `icd10` holds all their codes, sorted, joined by "|", and nothing where there are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from bmx.errors import PhenotypeError
from bmx.simulation.density import bone_group

SKELETAL_CODES: dict[str, float] = {
    "M159": 2, "M169": 4, "M179": 8, "M189": 2, "M199": 6, "M419": 0.8, "M479": 5, "M512": 4.5, "M545": 8,
    "Z966": 1.5, "C829": 0.15, "C833": 0.15, "C859": 0.1,
}  # fmt: skip
"""Percent of people: arthrosis, scoliosis, the back, a joint implant, and lymphomas of the marrow."""

FRAGILITY_CODES: dict[str, tuple[float, float, float]] = {
    "M809": (0, 0.3, 4), "M819": (0.5, 3, 20), "S220": (0.3, 0.5, 1.5), "S320": (0.3, 0.5, 1.5), "S525": (3, 4, 7),
    "S720": (0.2, 0.4, 1.5),
}  # fmt: skip
"""Percent of controls, osteopaenic and osteoporotic people: osteoporosis, and fractures that come with it."""

OTHER_CODES: dict[str, tuple[float, float]] = {
    "C509": (0, 5), "C61": (5, 0), "E039": (2, 7), "E780": (18, 13), "F329": (3, 5), "G560": (2, 4), "H269": (7, 8),
    "I10": (28, 22), "I251": (7, 2), "J459": (6, 7), "K219": (11, 12), "K409": (10, 1), "K449": (8, 9),
    "K573": (11, 12), "K635": (11, 8), "N40": (12, 0), "N814": (0, 6), "Z864": (9, 8),
}  # fmt: skip
"""Percent of men and of women: what else people of that age have been in hospital with."""

_SKELETAL = re.compile(r"M1[5-9]|M41|M47|M48|M51|M54|M8[01]|S[23]2|S52|S72|Z966|C8[2-5]")
_SPELLING = re.compile(r"[A-Z]\d{2}\d{0,2}")


def draw_diagnoses(person: Mapping[str, Any], rng: np.random.Generator) -> str:
    """Draw `icd10` of a person with sex and T-scores; each code alone, as often as the tables above say."""
    group = ("control", "osteopaenic", "osteoporotic").index(bone_group(person))
    male = person["sex"] == "Male"
    percent = SKELETAL_CODES | {code: shares[group] for code, shares in FRAGILITY_CODES.items()}
    percent |= {code: men if male else women for code, (men, women) in OTHER_CODES.items()}
    drawn = 100 * rng.random(len(percent))
    return join_codes(code for (code, share), number in zip(percent.items(), drawn, strict=True) if number < share)


def with_diagnoses(person: Mapping[str, Any], codes: Iterable[str]) -> dict[str, Any]:
    """Give the person with these codes beside those they have.

    Raises
    ------
    PhenotypeError
        If a code isn't spelled as in field 41270.

    Examples
    --------
    >>> with_diagnoses({"eid": 1000001, "icd10": "I10|M545"}, ["M419", "I10"])
    {'eid': 1000001, 'icd10': 'I10|M419|M545'}
    """
    return {**person, "icd10": join_codes([*split_codes(person.get("icd10", "")), *codes])}


def split_codes(icd10: str) -> list[str]:
    """Codes of one person.

    Examples
    --------
    >>> split_codes("I10|M545"), split_codes("")
    (['I10', 'M545'], [])
    """
    return icd10.split("|") if icd10 else []


def join_codes(codes: Iterable[str]) -> str:
    """Join codes to one cell, each once."""
    distinct = sorted(set(codes))
    if wrong := [code for code in distinct if not _SPELLING.fullmatch(code)]:
        raise PhenotypeError(
            f"{wrong[0]!r} is not an ICD-10 code as field 41270 spells it; "
            "expected a letter and two to four digits without a dot, as M419"
        )
    return "|".join(distinct)


def is_skeletal(code: str) -> bool:
    """Whether a code is of the skeleton or its marrow: the diseases that the paper looked for among failures.

    Examples
    --------
    >>> is_skeletal("M419"), is_skeletal("I10")
    (True, False)
    """
    return _SKELETAL.match(code) is not None
