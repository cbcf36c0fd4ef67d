"""The errors bmx raises on purpose.

Every message says what was wrong, what was expected, what was found, and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import PurePath


class BmxError(Exception):
    """Base of all errors that bmx raises on purpose."""


class SourceError(BmxError):
    """An archive, folder or file of images cannot be used."""


class SchemaError(BmxError):
    """A dataset does not have the variables, dims, dtypes or units that it must have."""


class StoreError(BmxError):
    """A store, results store or its work folder is missing, foreign, unfinished or not writable."""


class ModelError(BmxError):
    """A model directory is missing, damaged, or does not fit what is asked of it."""


class PhenotypeError(BmxError):
    """A phenotype table cannot be read or joined."""


class AnalysisError(BmxError):
    """A statistical analysis was asked for that cannot be done or would mislead."""


def name_of(found: object) -> str:
    """What was found in place of something else, without its contents: a table may hold participants.

    Examples
    --------
    >>> name_of("results.zarr"), name_of([1000001, 1000002])
    ("'results.zarr', a str", 'a list')
    """
    kind = f"a {type(found).__name__}"
    return f"{str(found)!r}, {kind}" if isinstance(found, (str, PurePath)) else kind


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: what there is, and what is closest.

    Examples
    --------
    >>> did_you_mean("papper", ["paper", "none"])
    'expected one of paper, none (did you mean paper?)'
    """
    listed = list(known)
    close = difflib.get_close_matches(name, listed, n=1)
    hint = f" (did you mean {close[0]}?)" if close else ""
    return f"expected one of {', '.join(listed) or 'none'}{hint}"
