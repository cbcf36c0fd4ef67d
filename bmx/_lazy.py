"""Public names of a package that are loaded on first use (PEP 562): torch, matplotlib and scipy take seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module


def resolver(package: str, places: Mapping[str, str]) -> Callable[[str], object]:
    """Make the `__getattr__` of a package.

    Parameters
    ----------
    package : its `__name__`
    places : public name -> module that has it

    Examples
    --------
    >>> resolver("pack", {"sqrt": "math"})("sqrt")(4.0)
    2.0
    >>> resolver("pack", {"sqrt": "math"})("square")
    Traceback (most recent call last):
    ...
    AttributeError: module 'pack' has no attribute 'square'
    """

    def resolve(name: str) -> object:
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(places[name]), name)

    return resolve
