"""What a column is called on an axis."""

from __future__ import annotations

from bmx.regions import ALL_REGIONS
from bmx.variables import VARIABLES


def with_unit(name: str, flat: str | None = None) -> str:
    """A column with its unit, if it has one; `flat` is its name outside a formula.

    Examples
    --------
    >>> with_unit("bmff_spine"), with_unit("sex")
    ('bmff_spine (%)', 'sex')
    """
    flat = flat or name
    variable = VARIABLES.get(flat) or VARIABLES.get(
        next((flat.removesuffix(f"_{region}") for region in ALL_REGIONS if flat.endswith(f"_{region}")), "")
    )
    unit = variable.units if variable is not None and variable.units not in ("", "1") else ""
    return f"{name} ({unit})" if unit else name
