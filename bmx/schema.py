"""Check a Dataset or DataTree against the declared variables, or give a Dataset their dtypes and attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import xarray as xr

from bmx.errors import SchemaError, name_of
from bmx.regions import REGIONS
from bmx.types import TEXT
from bmx.variables import VARIABLES, Variable

Data = TypeVar("Data", xr.Dataset, xr.DataTree)


def validate(data: Data, *names: str) -> Data:
    """Give `data` back if it has the variables `names` as declared; reads metadata only.

    Parameters
    ----------
    data : Dataset or DataTree
        In a tree, variables of a slab are looked for in every child, masks in every child with a region,
        all others at the root.
    names : str
        Names declared in `bmx.variables`.

    Raises
    ------
    SchemaError
        With one line for each variable that is missing or has other dims, dtype or units.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> wrong = xr.Dataset({"bmff": (("participant", "site"), np.zeros((2, 4), "float32"))})
    >>> validate(wrong, "bmff", "volume")
    Traceback (most recent call last):
    ...
    bmx.errors.SchemaError: the data differ from what bmx expects:
      bmff: expected dims (participant, region), found (participant, site)
      bmff: expected units '%', found none
      volume: expected float32 (participant, region), found nothing
    """
    if not isinstance(data, (xr.Dataset, xr.DataTree)):
        raise SchemaError(
            f"expected a Dataset or DataTree, found {name_of(data)}; open results with "
            "bmx.open_results, a store with bmx.open_store, masks with bmx.open_masks"
        )
    problems: list[str] = []
    if isinstance(data, xr.DataTree):
        slabs = {name: node.dataset for name, node in data.children.items() if name.startswith("slab_")}
        for name in names:
            variable = VARIABLES[name]
            if variable.place in ("slab", "masks"):
                # What is known of simulated participants has slabs without a region, too.
                searched = (
                    slabs
                    if variable.place == "slab"
                    else {child: slabs[child] for child in slabs if _has_region(child)}
                )
                if not searched:
                    problems.append(f"{name}: expected a tree with children slab_1 ... slab_6, found none")
                for child, dataset in searched.items():
                    problems += [f"{child}/{problem}" for problem in _problems(dataset, variable)]
            else:
                problems += _problems(data.dataset, variable)
    else:
        for name in names:
            problems += _problems(data, VARIABLES[name])
    if problems:
        listed = "\n".join(f"  {problem}" for problem in problems)
        raise SchemaError(f"the data differ from what bmx expects:\n{listed}")
    return data


def conform(dataset: xr.Dataset) -> xr.Dataset:
    """Give every declared variable its order of dims, its dtype and its attributes. Lazy.

    Examples
    --------
    >>> import numpy as np, xarray as xr
    >>> plain = xr.Dataset({"bmff": (("region", "participant"), np.zeros((4, 2)))})
    >>> bmff = conform(plain)["bmff"]
    >>> bmff.dims, bmff.dtype, bmff.attrs["units"]
    (('participant', 'region'), dtype('float32'), '%')
    """
    changed = {}
    for name in dataset.variables:
        if declared := VARIABLES.get(str(name)):
            variable = dataset[name].transpose(*declared.dims).variable
            if declared.dtype == "string":
                # Text of fixed width has no Zarr v3 specification, and Zarr warns about it.
                variable = variable.astype(TEXT)
            elif variable.dtype != declared.dtype:
                variable = variable.astype(declared.dtype)
            variable.attrs = declared.attrs
            changed[name] = variable
    coords = {name: variable for name, variable in changed.items() if name in dataset.coords}
    return dataset.assign_coords(coords).assign({name: changed[name] for name in changed if name not in coords})


def plain_attrs(attrs: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of results as NetCDF can hold them, too: truth values as 0 and 1.

    Examples
    --------
    >>> plain_attrs({"simulated": True, "recipe": "paper"})
    {'simulated': 1, 'recipe': 'paper'}
    """
    return {name: int(value) if isinstance(value, (bool, np.bool_)) else value for name, value in attrs.items()}


def _has_region(child: str) -> bool:
    return any(f"slab_{region.slab}" == child for region in REGIONS.values())


def _problems(dataset: xr.Dataset, variable: Variable) -> list[str]:
    """All differences between one declared variable and what a dataset holds under its name."""
    name, dims = variable.name, ", ".join(variable.dims)
    if name not in dataset.variables:
        return [f"{name}: expected {variable.dtype} ({dims}), found nothing"]
    found = dataset[name]
    problems = []
    if tuple(found.dims) != variable.dims:
        problems.append(f"{name}: expected dims ({dims}), found ({', '.join(map(str, found.dims))})")
    if not _same_dtype(found.dtype, variable.dtype):
        problems.append(f"{name}: expected dtype {variable.dtype}, found {found.dtype}")
    units = found.attrs.get("units")
    # Pure numbers and text may come without the attribute: nobody can mistake their unit.
    if variable.units not in ("", "1") and units != variable.units:
        problems.append(f"{name}: expected units {variable.units!r}, found {'none' if units is None else repr(units)}")
    return problems


def _same_dtype(found: np.dtype, declared: str) -> bool:
    """Text may arrive as any of NumPy's three text dtypes; everything else must be exact."""
    if declared == "string":
        return found.kind in "OTU"
    return found == np.dtype(declared)
