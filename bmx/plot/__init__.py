"""Figures. Every function gives a matplotlib Figure or draws on Axes; none touches pyplot.

`mosaic` shows one participant as a whole, `beside` real images beside simulated ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bmx._lazy import resolver

if TYPE_CHECKING:
    from bmx.plot.comparison import beside
    from bmx.plot.mosaics import mosaic

__all__ = ["beside", "mosaic"]

_PLACES = {"beside": "bmx.plot.comparison", "mosaic": "bmx.plot.mosaics"}

__getattr__ = resolver(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
