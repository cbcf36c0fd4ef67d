"""Reasons as classes: without the numbers and names that make each of them unique."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

_MASKS: Final = (
    (re.compile(r"""(?<![\w'"])(['"]).*?\1(?![\w'"])"""), "…"),
    (re.compile(r"\S*\.(?:dcm|zip|csv|cvs|nii(?:\.gz)?)\b"), "…"),
    (re.compile(r"(?:[a-z0-9+]+:/)?/\S+"), "…"),
    (re.compile(r"(?<![A-Za-z])[-+]?\d+(?:[.,]\d+)*"), "N"),
)
"""What is quoted, names of files, paths, numbers and UIDs."""


def canonical(reason: str) -> str:
    """Give the class of a reason.

    Examples
    --------
    >>> canonical("fat lacks 1 of 44 slices; water lacks 12 of 44 slices")
    'fat lacks N of N slices; water lacks N of N slices'
    >>> canonical("2.25.1234.dcm: the image can't be decoded (expected 72576 bytes of pixels, found 1000)")
    "…: the image can't be decoded (expected N bytes of pixels, found N)"
    """
    for pattern, mask in _MASKS:
        reason = pattern.sub(mask, reason)
    return reason


def by_class(reasons: Iterable[tuple[str, str]]) -> dict[str, Sequence[tuple[str, str]]]:
    """Sort (name, reason) by the class of the reason, in the order of appearance."""
    classes: dict[str, list[tuple[str, str]]] = {}
    for name, reason in reasons:
        classes.setdefault(canonical(reason), []).append((name, reason))
    return dict(classes)
