"""Figures. Every function gives a matplotlib Figure or draws on Axes; none touches pyplot.

`mosaic` shows one participant as a whole, `beside` real images beside simulated ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bmx.plot.comparison import beside
    from bmx.plot.mosaics import mosaic

__all__ = ["beside", "mosaic"]

_PLACES = {"beside": "bmx.plot.comparison", "mosaic": "bmx.plot.mosaics"}


def __getattr__(name: str) -> object:
    """Load a public name on its first use: matplotlib takes a second that `import bmx` must not."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return __all__
