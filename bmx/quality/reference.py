"""Mean and SD of volumes and centres of mass: the cohort's own, another cohort's, or those of model cards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import xarray as xr

from bmx.errors import SchemaError
from bmx.quality.limits import base_region
from bmx.schema import conform, validate
from bmx.variables import variables_of

EVERYBODY: Final = "all"
SEXES: Final = ("Female", "Male")

REFERENCE = tuple(
    variable.name for variable in variables_of("qc") if variable.name.startswith("qc_reference") and variable.units
)
"""The variables that a reference must hold."""

By = Literal["sex"] | None
Reference = xr.Dataset | Mapping[str, Any] | str | None
"""A string can only be "cohort"."""


def find_reference(results: xr.Dataset, reference: Reference, by: By) -> xr.Dataset:
    """The reference that was asked for, for the regions of the results, with its source in attrs. Lazy."""
    _check_by(by)
    if isinstance(reference, xr.Dataset):
        return _fit(reference, results, by).assign_attrs(qc_reference="given")
    own = reference_of(results, by=by)
    if reference is None or reference == "cohort":
        return own.assign_attrs(qc_reference="cohort")
    if isinstance(reference, str):
        raise SchemaError(
            f"reference={reference!r} is unknown; expected 'cohort', a Dataset with {', '.join(REFERENCE)}, "
            "or models from bmx.load_models"
        )
    return _from_cards(dict(reference), own, by)


def reference_of(results: xr.Dataset, *, by: By = None) -> xr.Dataset:
    """Number, mean and SD (ddof 1) of the volumes and centres of mass of all non-empty masks. Lazy.

    Parameters
    ----------
    results : Dataset
        `voxels`, `volume` and `centroid`; with `by="sex"` also `sex`, as `bmx.join` adds it.
    by : "sex", optional
        Also among women and among men.

    Returns
    -------
    Dataset
        `qc_reference_*` by `qc_group` ("all", and by sex "Female" and "Male") and region; a mean of nobody and an
        SD of fewer than two masks are NaN.

    Raises
    ------
    SchemaError
        If `by` is something else, or there is no `sex`.
    """
    _check_by(by)
    drawn = results["voxels"] > 0
    groups = {EVERYBODY: drawn}
    if by is not None:
        sex = sex_of(results)
        groups |= {name: drawn & (sex == name) for name in SEXES}
    return xr.concat([_of_group(results, inside) for inside in groups.values()], dim="qc_group").assign_coords(
        qc_group=("qc_group", list(groups))
    )


def for_participants(reference: xr.Dataset, results: xr.Dataset, by: By) -> xr.Dataset:
    """The reference that each participant is judged by: of their sex, of all where it is unknown. Lazy."""
    plain = reference[list(REFERENCE)].reset_coords(drop=True)
    used = plain.sel(qc_group=EVERYBODY, drop=True)
    if by is not None:
        sex = sex_of(results)
        for name in SEXES:
            used = plain.sel(qc_group=name, drop=True).where(sex == name, used)
    return used


def sex_of(results: xr.Dataset) -> xr.DataArray:
    """`sex (participant)`, or an error that says where to get it."""
    if "sex" not in results:
        raise SchemaError(
            "by='sex' needs the variable sex, and the results have none; "
            "join them first: bmx.join(results, phenotypes).pipe(bmx.qc.flag, by='sex')"
        )
    return validate(results, "sex")["sex"].reset_coords(drop=True)


def _check_by(by: object) -> None:
    if by not in (None, "sex"):
        raise SchemaError(
            f"by={by!r} is no way to judge; expected 'sex', or None: women among women, men among men, or all together"
        )


def _of_group(results: xr.Dataset, inside: xr.DataArray) -> xr.Dataset:
    # float64: a float32 sum over 100,000 volumes has lost the digits that an SD is made of.
    volume = results["volume"].astype("float64").where(inside)
    centre = results["centroid"].astype("float64").where(inside)
    values = {
        "qc_reference_n": inside.sum("participant"),
        "qc_reference_volume_mean": _mean(volume),
        "qc_reference_volume_sd": _sd(volume),
        "qc_reference_centroid_mean": _mean(centre),
        "qc_reference_centroid_sd": _sd(centre),
    }
    return conform(xr.Dataset({name: value.expand_dims("qc_group") for name, value in values.items()}))


def _mean(values: xr.DataArray) -> xr.DataArray:
    n = values.count("participant")
    return values.sum("participant") / n.where(n > 0)


def _sd(values: xr.DataArray) -> xr.DataArray:
    """SD with ddof 1 over participants; NaN for fewer than two values, without NumPy's warning."""
    n = values.count("participant")
    squares = ((values - _mean(values)) ** 2).sum("participant")
    return (squares / (n - 1).where(n > 1)) ** 0.5


def _fit(reference: xr.Dataset, results: xr.Dataset, by: By) -> xr.Dataset:
    """The given reference for exactly the regions of the results."""
    validate(reference, *REFERENCE)
    _need("region", list(results.indexes["region"]), reference)
    _need("qc_group", [EVERYBODY, *(SEXES if by is not None else ())], reference)
    return reference[list(REFERENCE)].sel(region=results.indexes["region"])


def _need(dim: str, wanted: Sequence[str], reference: xr.Dataset) -> None:
    known = list(reference.indexes.get(dim, []))
    if missing := [name for name in wanted if name not in known]:
        raise SchemaError(
            f"the QC reference has no {', '.join(missing)}; expected {', '.join(wanted)}, "
            f"found {', '.join(known) or f'no coordinate {dim}'}; make the reference from results with these"
        )


def _from_cards(cards: Mapping[str, Any], own: xr.Dataset, by: By) -> xr.Dataset:
    """Volumes and centres from model cards, or from mappings like their entry `reference`; the rest is the cohort's.

    A right femur is judged by the card of the left one, whose model draws it. Left and right of a centre of mass (x) is
    then the cohort's own: where in the scanner the middle of a body lies, no card says.
    """
    if by is not None:
        raise SchemaError("model cards know no sexes: leave by='sex' out, or give a Dataset as reference")
    regions = [str(name) for name in own.indexes["region"]]
    values = own.copy()
    told: dict[str, list[str]] = {"volume": [], "centroid": []}
    for name in regions:
        mirrored = name not in cards
        card = cards.get(base_region(name)) if mirrored else cards[name]
        if card is None:
            continue
        entries = _entries(name, card)
        here = values.indexes["region"] == name
        given = {
            "volume": (entries.get("volume_mean_ml"), entries.get("volume_sd_ml")),
            "centroid": (entries.get("centroid_mean_mm"), entries.get("centroid_sd_mm")),
        }
        if given["volume"][0] is None:
            raise SchemaError(
                f"the reference of {name} has {', '.join(entries) or 'nothing'}, "
                "expected volume_mean_ml and volume_sd_ml; train the model again, or give reference='cohort'"
            )
        for what, (mean, sd) in given.items():
            if mean is None or sd is None:
                continue
            for suffix, value in (("mean", mean), ("sd", sd)):
                variable = f"qc_reference_{what}_{suffix}"
                by_axis = ("world_axis",) if what == "centroid" else ()
                fixed = xr.DataArray(np.asarray(value, np.float64), dims=by_axis)
                told_here = xr.DataArray(here, dims="region")
                if mirrored and by_axis:
                    told_here = told_here & xr.DataArray([False, True, True], dims=by_axis)
                values[variable] = values[variable].where(~told_here, fixed)
            told[what].append(f"{name} but for x" if mirrored and what == "centroid" else name)
        if "n" in entries:
            values["qc_reference_n"] = values["qc_reference_n"].where(xr.DataArray(~here, dims="region"), entries["n"])
    missing = [name for name in regions if name not in told["volume"]]
    if missing:
        raise SchemaError(
            f"the QC reference has no {', '.join(missing)}; expected {', '.join(regions)}, "
            f"found {', '.join(cards) or 'nothing'}; give the models that drew these masks"
        )
    centres = ", ".join(told["centroid"]) or "none"
    source = f"model cards (volumes; centres of mass: {centres}, else the cohort's own)"
    return conform(values).assign_attrs(qc_reference=source)


def _entries(region: str, card: Any) -> Mapping[str, Any]:
    """The entry `reference` of a model, of its card, or a mapping that is one."""
    found = getattr(getattr(card, "card", card), "reference", card)
    if not isinstance(found, Mapping):
        raise SchemaError(
            f"the model of {region} has no card with a reference; give reference='cohort', or "
            "{region: {'volume_mean_ml': ..., 'volume_sd_ml': ...}}"
        )
    return found
