"""Models that draw a region: our own (a card, weights without pickles, a network), and those of others.

`from_nnunet`, `from_callable` and `from_labels_callable` make what `models=` of `bmx.run` and `bmx.segment` takes.
Names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bmx._lazy import resolver

if TYPE_CHECKING:
    from bmx.core.femur_parts import FemurCut
    from bmx.models.callables import from_callable, from_labels_callable
    from bmx.models.label_tables import LABEL_TABLES, LabelTable
    from bmx.models.nnunet_folder import from_nnunet

__all__ = ["LABEL_TABLES", "FemurCut", "LabelTable", "from_callable", "from_labels_callable", "from_nnunet"]

_PLACES = {
    "LABEL_TABLES": "bmx.models.label_tables",
    "FemurCut": "bmx.core.femur_parts",
    "LabelTable": "bmx.models.label_tables",
    "from_callable": "bmx.models.callables",
    "from_labels_callable": "bmx.models.callables",
    "from_nnunet": "bmx.models.nnunet_folder",
}

__getattr__ = resolver(__name__, _PLACES)
