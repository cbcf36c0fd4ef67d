"""Who is simulated: sex, build, BMFF at each region, DXA variables that follow from them, and diagnoses.

Distributions are those of Morris et al. 2024: Table 1 for age, BMI, T-scores and body fat by sex and bone group; the
correlations of Table 4; and Tables 5-8 for bone mineral density. `benchmarks/simulator.py` prints both side by side.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from bmx.simulation.body_fat import draw_body_fat
from bmx.simulation.build import draw_build
from bmx.simulation.density import draw_density
from bmx.simulation.diagnoses import draw_diagnoses

MEN = 277 / 729
"""Share of men."""


def draw_people(n: int, seed: int) -> pd.DataFrame:
    """Draw `n` people; the first k are the same whatever `n` is.

    Returns
    -------
    DataFrame, one row each: eid, sex, age (years), height (cm), bmi (kg m-2), `bmff_<region>`
    (percent, before it is painted into a body), DXA variables (names of `bmx.variables`), icd10 (codes joined by "|").

    Examples
    --------
    >>> draw_people(2, seed=0)["sex"].tolist() == draw_people(5, seed=0)["sex"].tolist()[:2]
    True
    """
    eids = _distinct_eids(n, seed)
    return pd.DataFrame([draw_person(eid, seed, index) for index, eid in enumerate(eids)])


def person_at(people: pd.DataFrame, index: int) -> dict[str, Any]:
    """One row of `draw_people` by its names."""
    return {str(name): value for name, value in people.iloc[index].items()}


def draw_person(eid: int, seed: int, index: int) -> dict[str, Any]:
    """Row `index` of `draw_people(…, seed)`, whose EID is known: one of many can be drawn without the others."""
    rng = np.random.default_rng([seed, index])
    sex = "Male" if rng.random() < MEN else "Female"
    person: dict[str, Any] = {"eid": eid, "sex": sex} | draw_build(sex, rng)
    density, unexplained = draw_density(person, rng)
    person |= density
    person |= draw_body_fat(person, unexplained, rng)
    return person | {"icd10": draw_diagnoses(person, rng)}


def _distinct_eids(n: int, seed: int) -> list[int]:
    rng = np.random.default_rng([seed, 2**31])
    eids: dict[int, None] = {}
    while len(eids) < n:
        eids[int(rng.integers(1_000_000, 6_000_000))] = None
    return list(eids)
