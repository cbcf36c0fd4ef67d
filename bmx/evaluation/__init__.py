"""Hold measurements and masks against what is known.

`comparison` is the verb; names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bmx._lazy import resolver

if TYPE_CHECKING:
    from bmx.evaluation.comparison import evaluate
    from bmx.evaluation.summary import summarise, table2
    from bmx.evaluation.truth import compare_to_truth, dice_per_participant

__all__ = ["compare_to_truth", "dice_per_participant", "evaluate", "summarise", "table2"]

_PLACES = {
    "compare_to_truth": "bmx.evaluation.truth",
    "dice_per_participant": "bmx.evaluation.truth",
    "evaluate": "bmx.evaluation.comparison",
    "summarise": "bmx.evaluation.summary",
    "table2": "bmx.evaluation.summary",
}

__getattr__ = resolver(__name__, _PLACES)
