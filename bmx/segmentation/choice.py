"""What a segmentation is asked for: which regions, and by which models they may be drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import xarray as xr

from bmx.acquisition import SLABS, slab_number
from bmx.errors import ModelError, did_you_mean
from bmx.models.base import Models
from bmx.regions import ALL_REGIONS, REGIONS, RIGHT, Region, get_region

Sides = Literal["left", "right", "both"]
"""Of the femora that are drawn."""


def choose_regions(slabs: xr.DataTree, asked: str | Sequence[str] | None, side: Sides = "left") -> list[str]:
    """Names of the regions asked for, by default all whose slab is in the tree, in their fixed order.

    `side` says which femora the name of a femoral region means; `femoral_head_right` always means the right one.

    Raises
    ------
    ModelError
        If the slab of a region isn't in the tree, or no region is left.
    ValueError
        If a region or side is unknown.
    """
    asked = [asked] if isinstance(asked, str) else asked
    numbers = sorted(slab_number(name) for name in slabs.children if name.startswith("slab_"))
    wanted = {meant for name in (REGIONS if asked is None else asked) for meant in _on_sides(name, side)}
    if asked is not None and (absent := [get_region(name) for name in asked if get_region(name).slab not in numbers]):
        raise ModelError(
            f"{absent[0].name} cannot be drawn: it lies in slab {absent[0].slab}, and the store has "
            f"slabs {', '.join(map(str, numbers))}; convert that slab too, or leave the region out"
        )
    chosen = [name for name, region in ALL_REGIONS.items() if region.slab in numbers and name in wanted]
    if not chosen:
        lie = ", ".join(f"{name} in slab {region.slab}" for name, region in REGIONS.items())
        raise ModelError(
            f"there is no region to draw: regions={asked}, and the store has slabs {', '.join(map(str, numbers))}; "
            f"expected one of {lie}"
        )
    return chosen


def _on_sides(name: str, side: Sides) -> tuple[str, ...]:
    """The regions that a name means.

    Examples
    --------
    >>> _on_sides("total_hip", "both"), _on_sides("spine", "right"), _on_sides("total_hip_right", "left")
    (('total_hip', 'total_hip_right'), ('spine',), ('total_hip_right',))
    """
    if side not in get_args(Sides):
        raise ValueError(f"side={side!r} is no choice of femora; {did_you_mean(str(side), get_args(Sides))}")
    if get_region(name).side != "left" or side == "left":
        return (name,)
    return (f"{name}{RIGHT}",) if side == "right" else (name, f"{name}{RIGHT}")


def slabs_of(region: Region, *, neighbours: bool) -> tuple[int, ...]:
    """Numbers of the slabs that may hold a region, its own among them.

    The spine goes on beyond its slab by definition: it isn't looked for elsewhere.

    Examples
    --------
    >>> slabs_of(REGIONS["total_hip"], neighbours=True), slabs_of(REGIONS["spine"], neighbours=True)
    ((3, 4, 5), (2,))
    """
    if not neighbours or not region.one_piece:
        return (region.slab,)
    return tuple(number for number in (region.slab - 1, region.slab, region.slab + 1) if number in SLABS)


def regions_by_slab(slabs: xr.DataTree, regions: Sequence[str], *, neighbours: bool) -> dict[int, list[str]]:
    """Which of these regions may lie in which slab of the tree, in their fixed orders."""
    able = {name: slabs_of(get_region(name), neighbours=neighbours) for name in regions}
    found = {number: [name for name in ALL_REGIONS if number in able.get(name, ())] for number in SLABS}
    return {number: names for number, names in found.items() if names and SLABS[number].name in slabs.children}


def check_allowed(slabs: xr.DataTree, models: Models, *, allow_simulated: bool) -> None:
    """Refuse models trained on simulation for images of people, unless it was asked for."""
    drawn = [name for name, model in models.items() if model.simulated]
    if drawn and not slabs.attrs.get("simulated", False) and not allow_simulated:
        raise ModelError(
            f"the models of {', '.join(drawn)} were trained on simulated anatomy, and this store holds images that "
            "were not simulated: their masks cannot be trusted. Train on your own masks with bmx.train, or say "
            "allow_simulated=True (the results will carry that fact)"
        )
