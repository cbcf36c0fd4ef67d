"""Import a package that is not a hard dependency, or say which extra brings it."""

from __future__ import annotations

import importlib
from types import ModuleType


def require(name: str, *, extra: str) -> ModuleType:
    """Give module `name`, or an ImportError that names the extra to install.

    Examples
    --------
    >>> require("json", extra="s3").__name__
    'json'
    >>> require("no_such_package", extra="s3")
    Traceback (most recent call last):
    ...
    ImportError: this needs no_such_package: pip install 'bmx[s3]'
    """
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as exc:
        raise ImportError(f"this needs {name}: pip install 'bmx[{extra}]'") from exc
