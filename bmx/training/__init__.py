"""Training of networks: on simulated participants, or on masks that somebody drew.

`learning` is the verb; the other files are its parts. Names are loaded on first use: torch takes seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bmx._lazy import resolver

if TYPE_CHECKING:
    from bmx.training.cross_validation import cross_validate
    from bmx.training.examples import Examples
    from bmx.training.learning import train
    from bmx.training.nifti_examples import read_examples
    from bmx.training.options import TrainingOptions

__all__ = ["Examples", "TrainingOptions", "cross_validate", "read_examples", "train"]

_PLACES = {
    "Examples": "bmx.training.examples",
    "TrainingOptions": "bmx.training.options",
    "cross_validate": "bmx.training.cross_validation",
    "read_examples": "bmx.training.nifti_examples",
    "train": "bmx.training.learning",
}

__getattr__ = resolver(__name__, _PLACES)
