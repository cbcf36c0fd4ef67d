"""Bone marrow fat fraction (BMFF) from UK Biobank neck-to-knee Dixon MRI.

Public names are resolved on first use: importing bmx loads no torch, no matplotlib and no Dask cluster.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bmx import analysis, plot, training
    from bmx import quality as qc
    from bmx.analysis.participants import flow
    from bmx.cohort.run import run
    from bmx.evaluation.comparison import evaluate
    from bmx.ingest.conversion import convert
    from bmx.ingest.masks import read_masks
    from bmx.ingest.report import ingest_report
    from bmx.ingest.withdrawing import withdraw
    from bmx.measurement import measure
    from bmx.models.library import load_models
    from bmx.partitions.progress import status
    from bmx.phenotypes.join import join
    from bmx.phenotypes.read import read_phenotypes
    from bmx.phenotypes.traits import open_traits
    from bmx.reproduction.report import reproduce
    from bmx.segmentation import segment
    from bmx.simulation.cohorts import simulate
    from bmx.simulation.measured import simulate_results
    from bmx.store.exporting import export
    from bmx.store.reading import open_store
    from bmx.store.results import open_masks, open_results, open_vertebrae
    from bmx.store.returning import return_to_ukb
    from bmx.store.tables import save_table, to_table
    from bmx.training.learning import train

__version__ = "0.1.0"

_HOME = {
    "analysis": "bmx.analysis",
    "convert": "bmx.ingest.conversion:convert",
    "evaluate": "bmx.evaluation.comparison:evaluate",
    "export": "bmx.store.exporting:export",
    "flow": "bmx.analysis.participants:flow",
    "ingest_report": "bmx.ingest.report:ingest_report",
    "join": "bmx.phenotypes.join:join",
    "load_models": "bmx.models.library:load_models",
    "measure": "bmx.measurement:measure",
    "open_masks": "bmx.store.results:open_masks",
    "open_results": "bmx.store.results:open_results",
    "open_store": "bmx.store.reading:open_store",
    "plot": "bmx.plot",
    "open_vertebrae": "bmx.store.results:open_vertebrae",
    "open_traits": "bmx.phenotypes.traits:open_traits",
    "qc": "bmx.quality",
    "read_masks": "bmx.ingest.masks:read_masks",
    "read_phenotypes": "bmx.phenotypes.read:read_phenotypes",
    "reproduce": "bmx.reproduction.report:reproduce",
    "return_to_ukb": "bmx.store.returning:return_to_ukb",
    "run": "bmx.cohort.run:run",
    "save_table": "bmx.store.tables:save_table",
    "segment": "bmx.segmentation:segment",
    "simulate": "bmx.simulation.cohorts:simulate",
    "simulate_results": "bmx.simulation.measured:simulate_results",
    "status": "bmx.partitions.progress:status",
    "to_table": "bmx.store.tables:to_table",
    "train": "bmx.training.learning:train",
    "training": "bmx.training",
    "withdraw": "bmx.ingest.withdrawing:withdraw",
}

__all__ = [
    "analysis",
    "convert",
    "evaluate",
    "export",
    "flow",
    "ingest_report",
    "join",
    "load_models",
    "measure",
    "open_masks",
    "open_results",
    "open_store",
    "open_traits",
    "open_vertebrae",
    "plot",
    "qc",
    "read_masks",
    "read_phenotypes",
    "reproduce",
    "return_to_ukb",
    "run",
    "save_table",
    "segment",
    "simulate",
    "simulate_results",
    "status",
    "to_table",
    "train",
    "training",
    "withdraw",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"bmx has no public name {name!r}; it has {', '.join(__all__)}")
    module, _, attribute = _HOME[name].partition(":")
    found = importlib.import_module(module)
    value = getattr(found, attribute) if attribute else found
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
