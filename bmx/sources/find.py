"""Which kind of source a folder is."""

from __future__ import annotations

from typing import Literal

from bmx.sources.base import Source
from bmx.sources.ukb_zip import UkbZips

Layout = Literal["zip"]
"""How a source keeps its exams."""

_SOURCES = {"zip": UkbZips}


def find_layout(url: str) -> Layout:
    """Say how the exams below a folder are kept."""
    return "zip"


def source_of(url: str, *, layout: Layout, instance: int) -> Source:
    """Give the source whose exams are kept in this way."""
    return _SOURCES[layout](url, instance=instance)
