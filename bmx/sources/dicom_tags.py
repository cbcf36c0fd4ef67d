"""The part of a DICOM header that bmx uses, read tolerantly."""

from __future__ import annotations

SIMULATED_COMMENT = "bmx simulated anatomy, not a person"
"""What ImageComments says in every file that `bmx.simulation` writes."""
