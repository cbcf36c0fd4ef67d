"""Figures. Every function gives a matplotlib Figure or draws on Axes; none touches pyplot.

`overlay` shows the masks of one participant, `contact_sheet` the cases to look at first, `violins` the volumes of all;
`mosaic` one participant as a whole, `beside` real images beside simulated ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bmx._lazy import resolver

if TYPE_CHECKING:
    from bmx.plot.closeups import overlay
    from bmx.plot.comparison import beside
    from bmx.plot.contacts import contact_sheet
    from bmx.plot.mosaics import mosaic
    from bmx.plot.volumes import violins

__all__ = ["beside", "contact_sheet", "mosaic", "overlay", "violins"]

_PLACES = {
    "beside": "bmx.plot.comparison",
    "contact_sheet": "bmx.plot.contacts",
    "mosaic": "bmx.plot.mosaics",
    "overlay": "bmx.plot.closeups",
    "violins": "bmx.plot.volumes",
}

__getattr__ = resolver(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
