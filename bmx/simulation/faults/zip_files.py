"""Faults of a zip file, in place: what a disk or a transfer leaves of it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

from bmx.simulation.faults.base import Fault, FaultKind


def truncated_zip(path: Path, rng: np.random.Generator) -> Fault:
    """Cut the file off; its directory stands at the end, so no zip remains."""
    size = path.stat().st_size
    kept = int(size * rng.uniform(0.05, 0.95))
    with path.open("r+b") as file:
        file.truncate(kept)
    return Fault("truncated_zip", detail=f"bytes={kept} of={size}")


def empty_zip(path: Path, rng: np.random.Generator) -> Fault:
    """Leave no byte, or a zip without members."""
    nothing = bool(rng.random() < 0.5)
    path.write_bytes(b"")
    if not nothing:
        with zipfile.ZipFile(path, "w"):
            pass
    return Fault("empty_zip", detail=f"kind={'no_bytes' if nothing else 'no_members'}")


KINDS = (
    FaultKind(
        "truncated_zip", "file", "the zip is cut off, so that it can't be opened", truncated_zip, "data structure"
    ),
    FaultKind("empty_zip", "file", "the zip has no bytes or no members", empty_zip, "data structure"),
)
