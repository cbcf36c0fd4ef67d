"""Packages that only some users need, and what to install for them."""

from __future__ import annotations

import importlib
from types import ModuleType

from bmx.errors import BmxError

_OF_PROTOCOL = {"s3": ("s3fs", "s3"), "s3a": ("s3fs", "s3")}
"""Kinds of URL that need a package which bmx doesn't bring by itself, and the extra that does."""


def require(module: str, *, extra: str, why: str) -> ModuleType:
    """Import a package that an extra of bmx brings.

    Parameters
    ----------
    module : its name
    extra : of bmx that brings it
    why : what needs it, for the message

    Raises
    ------
    BmxError
        If it isn't installed; says what to install.

    Examples
    --------
    >>> require("json", extra="s3", why="reading s3://bucket/dixon").__name__
    'json'
    >>> require("jason", extra="s3", why="reading s3://bucket/dixon")
    Traceback (most recent call last):
    ...
    bmx.errors.BmxError: reading s3://bucket/dixon needs the package jason: pip install 'bmx[s3]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as exc:
        if exc.name != module:
            raise
        raise BmxError(f"{why} needs the package {module}: pip install 'bmx[{extra}]'") from exc


def require_for(place: str) -> None:
    """Make sure that the package for a path or URL is there, before fsspec or Zarr miss it in words of their own.

    Examples
    --------
    >>> require_for("dixon/1000001_20201_2_0.zip")
    """
    protocol, mark, _ = place.partition("://")
    if mark and protocol in _OF_PROTOCOL:
        module, extra = _OF_PROTOCOL[protocol]
        require(module, extra=extra, why=place)
