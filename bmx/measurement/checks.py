"""Refuse masks that don't belong to the slabs they are to be measured in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import xarray as xr

from bmx.errors import SchemaError
from bmx.regions import get_region

GRID = ("z", "y", "x")


def slabs_with_masks(masks: xr.DataTree) -> list[str]:
    """Names of the children that hold a mask, `slab_2` and so on."""
    return sorted(name for name, node in masks.children.items() if name.startswith("slab_") and "mask" in node)


def check_fit(slabs: xr.DataTree, masks: xr.DataTree, names: Sequence[str]) -> None:
    """Refuse masks that don't belong to these slabs; reads metadata and indexes only.

    Raises
    ------
    SchemaError
        With one line for each slab and reason: no such slab, another grid, other participants, no names of regions.
    ValueError
        If a region is unknown.
    """
    problems: list[str] = []
    seen = False
    for name in names:
        if name not in slabs.children:
            problems.append(f"{name}: masks were given, but the store has no such slab")
            continue
        slab, drawn = slabs[name].to_dataset(), masks[name].to_dataset()
        found, expected = ({dim: data.sizes[dim] for dim in GRID} for data in (drawn["mask"], slab["fat"]))
        if found != expected:
            problems.append(
                f"{name}/mask: expected the grid of the slab, {_sizes(expected)}, found {_sizes(found)}; "
                "draw or resample the masks on the slab's own voxels"
            )
        if "participant" not in drawn.coords or not drawn.indexes["participant"].equals(slab.indexes["participant"]):
            problems.append(
                f"{name}/mask: expected the participants of the store in the same order; "
                "select the same participants in both trees"
            )
        if "region" not in drawn.coords:
            problems.append(f"{name}/mask: expected a coordinate region that names them, found none")
            continue
        seen |= bool([get_region(str(region)) for region in drawn["region"].values])
    if not seen and not problems:
        problems.append("masks: expected at least one child slab_1 ... slab_6 with a region, found none")
    if problems:
        raise SchemaError("the masks don't fit the slabs:\n" + "\n".join(f"  {problem}" for problem in problems))


def _sizes(sizes: Mapping[str, int]) -> str:
    return " × ".join(f"{dim} {size}" for dim, size in sizes.items())
