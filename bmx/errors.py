"""The errors bmx raises on purpose.

Every message says what was wrong, what was expected, what was found, and what to do.
"""

from __future__ import annotations


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
