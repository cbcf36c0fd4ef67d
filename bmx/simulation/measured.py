"""Results as a run would leave them, drawn without an image: a cohort for analysis in seconds.

Volumes, and how often and why a region fails, are those of Morris et al. 2024 (Fig. 4A, Table 3); of the causes,
quality control can infer only what results tell without an image, and calls the others no obvious defect. BMFF is that
of the people, with an error of measurement. How well bmx measures is another question, which only simulated images
answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.acquisition import PIXEL_MM, SLABS
from bmx.core.recipes import get_recipe
from bmx.errors import StoreError
from bmx.partitions.work import absolute_place, writing_to
from bmx.regions import REGIONS
from bmx.schema import conform
from bmx.simulation.faults.rates import PEOPLE
from bmx.simulation.people import draw_people
from bmx.simulation.phenotypes import PHENOTYPES, write_phenotypes
from bmx.store.layout import find_store
from bmx.store.results import RESULTS_FORMAT, VERSION, open_results, write_results
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS, variables_of

VOXELS: Final = {
    "spine": (2244, 438), "total_hip": (1248, 404), "femoral_head": (810, 286), "femoral_diaphysis": (100, 21),
}  # fmt: skip
"""Mean and SD of segmented volumes (text to Fig. 4A)."""

LOST: Final[Mapping[str, Mapping[str, tuple[int, int]]]] = {
    "spine": {"data_structure": (13, 17), "skeletal_abnormality": (0, 2)},
    "femoral_head": {
        "data_structure": (1, 17), "imaging_artefact": (1, 14), "partially_outside": (8, 10), "fully_outside": (0, 9),
        "skeletal_abnormality": (0, 1), "no_obvious_defect": (3, 16),
    },
    "total_hip": {
        "data_structure": (2, 19), "imaging_artefact": (0, 2), "partially_outside": (2, 1), "fully_outside": (6, 2),
        "skeletal_abnormality": (1, 0),
    },
    "femoral_diaphysis": {
        "data_structure": (1, 22), "imaging_artefact": (2, 12), "partially_outside": (3, 12), "fully_outside": (0, 1),
        "no_obvious_defect": (8, 10),
    },
}  # fmt: skip
"""Small and empty outputs of 729, by cause (Table 3)."""

_ERROR = 0.6
"""SD of a measured BMFF around the true one, percentage points; our choice."""
_WITH_HEIGHT = 0.5
"""Correlation of volume and height."""
_SMALL = 0.05
"""Of its volume is what is left of a small output."""
_MIDDLE_MM = {"spine": 300.0, "femoral_head": 0.0, "total_hip": -25.0, "femoral_diaphysis": -230.0}
_SAID = {
    "data_structure": "repeated_series", "imaging_artefact": "swap_suspected", "partially_outside": "touches_slab_edge"
}  # fmt: skip
"""What tells of the cause in the results alone."""

_OF_IMAGES: Final = (
    "bmff_median", "bmff_ratio", "bmff_sd", "bmff_iqr", "confidence", "slab_bottom", "slab_top", "slab_residual",
)  # fmt: skip
"""Without an image nobody knows them."""

DIGEST = "drawn without an image"


def simulate_results(
    out: str | Path, *, participants: int = PEOPLE, seed: int = 0, failures: bool = True
) -> xr.Dataset:
    """Write `results.zarr` as `bmx.run` does, and `phenotypes.csv`, of people of whom no image was ever made.

    For trying and teaching analysis: seconds, where images of as many people take hours. BMFF, DXA variables and
    diagnoses are those of the people that `bmx.simulate` images, with an error of measurement; with `failures`, regions
    are lost as often as in the paper's Table 3. What takes images, as `bmff_sd` and `confidence`, is NaN.

    Parameters
    ----------
    out : folder; made if it isn't there
    participants : the first k are the same people whatever it is, but measured anew
    seed : the same seed gives the same people as `bmx.simulate`

    Returns
    -------
    the results, as `bmx.open_results` gives them; `attrs["simulated"]` is true

    Raises
    ------
    StoreError
        If there are results in the folder.
    """
    folder = absolute_place(out).rstrip("/")
    url = f"{folder}/results.zarr"
    if find_store(url, RESULTS_FORMAT, VERSION) is not None:
        raise StoreError(f"{url} is there already; choose an empty folder")
    people = draw_people(participants, seed)
    measured = draw_results(people, seed, failures=failures)
    with writing_to(folder):
        Path(folder).mkdir(parents=True, exist_ok=True)
        write_phenotypes(Path(folder) / PHENOTYPES, people)
    names = list(REGIONS)
    of_region = {"region", "slab", "side", "erosion", "model"}
    record = {v.name: measured[v.name].to_numpy() for v in variables_of("results") if v.name not in of_region}
    attrs = {"simulated": True, "source": DIGEST, "recipe": "none", "ukb_field": 20201, "ukb_instance": 2}
    write_results(
        url, [record], eids=people["eid"].tolist(), regions=names, models=dict.fromkeys(names, DIGEST),
        erosion=get_recipe("none").erosion, attrs=attrs,
    )  # fmt: skip
    return open_results(url)


def draw_results(people: pd.DataFrame, seed: int, *, failures: bool = True) -> xr.Dataset:
    """Draw every variable of the results, (participant, region), of these people of `draw_people`."""
    rng = np.random.default_rng([seed, 2**30])
    site = (len(people), len(REGIONS))
    tall = (people["height"].to_numpy(float) - 167) / 9
    mean, sd = (np.array([VOXELS[name][k] for name in REGIONS], float) for k in (0, 1))
    spread = _WITH_HEIGHT * tall[:, None] + np.sqrt(1 - _WITH_HEIGHT**2) * rng.standard_normal(site)
    voxels = np.maximum(mean + sd * spread, 0.2 * mean).round()
    true = people[[f"bmff_{name}" for name in REGIONS]].to_numpy(float)
    bmff = true + _ERROR * rng.standard_normal(site)
    centre = np.zeros((*site, 3))
    centre[..., 2] = [_MIDDLE_MM[name] for name in REGIONS] + rng.normal(0, 6, site)
    output, flags = _draw_failures(site[0], rng) if failures else (np.zeros(site, int), np.zeros(site, int))
    small, empty = output == 1, output == 2
    voxels = np.where(empty, 0, np.where(small, np.maximum((_SMALL * voxels).round(), 1), voxels))
    size = np.array([SLABS[region.slab].slice_mm * PIXEL_MM**2 / 1000 for region in REGIONS.values()])
    status = np.where(empty, MEASUREMENT_STATUS["empty"], MEASUREMENT_STATUS["measured"])
    values: dict[str, npt.NDArray[np.generic]] = {
        "bmff": bmff, "bmff_se": np.full(site, _ERROR),
        **dict.fromkeys(_OF_IMAGES, np.full(site, np.nan)),
    }  # fmt: skip
    values = {name: np.where(empty, np.nan, value) for name, value in values.items()}
    values |= {
        "voxels": voxels, "bmff_n": voxels, "volume": voxels * size, "status": status, "flags": flags,
        "centroid": np.where(empty[..., None], np.nan, centre),
        "measured_slab": np.where(empty, 0, [region.slab for region in REGIONS.values()]),
        "reason": np.where(empty, "the mask is empty", "").astype(object),
    }  # fmt: skip
    dims = {name: ("participant", "region", "world_axis")[: value.ndim] for name, value in values.items()}
    return conform(
        xr.Dataset(
            {name: (dims[name], value) for name, value in values.items()},
            {"participant": people["eid"].to_numpy(np.int64), "region": list(REGIONS)},
        )
    )


def _draw_failures(people: int, rng: np.random.Generator) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Outputs, (participant, region): 0 sound, 1 small, 2 empty; and bits of `RESULT_FLAGS`.

    What is lost for one cause is lost together: in whom a series is wrong, it is wrong for all regions.
    """
    output, flags = np.zeros((people, len(REGIONS)), int), np.zeros((people, len(REGIONS)), int)
    for cause in dict.fromkeys(cause for causes in LOST.values() for cause in causes):
        luck = rng.random(people)
        for column, region in enumerate(REGIONS):
            small, empty = (count / PEOPLE for count in LOST[region].get(cause, (0, 0)))
            drawn = np.where(luck < empty, 2, np.where(luck < empty + small, 1, 0))
            new = (drawn > 0) & (output[:, column] == 0)
            output[new, column] = drawn[new]
            flags[new, column] |= RESULT_FLAGS[_SAID[cause]] if cause in _SAID else 0
    return output, flags
