"""Which of the four Dixon images a series is: a vote of description, image type and echo time."""

from __future__ import annotations

import re
from dataclasses import dataclass

from bmx.acquisition import CONTRASTS, FIELD_STRENGTH_T, ContrastName
from bmx.sources.header import Header

_FAT_WATER_SHIFT_HZ_PER_T = 3.4 * 42.577
"""Chemical shift of the main fat peak, 3.4 ppm, times the proton's gyromagnetic ratio."""

_LONGEST_ECHO_MS = 10.0
"""Dual-echo gradient echo stays below; a longer echo belongs to another kind of image."""

_ENDINGS: dict[str, ContrastName] = {kind.suffix.lower(): name for name, kind in CONTRASTS.items()}
_TOKENS: dict[str, ContrastName] = {token: name for name, kind in CONTRASTS.items() for token in kind.image_types}


@dataclass(frozen=True, slots=True)
class Label:
    """What a series says that it is."""

    contrast: ContrastName | None
    conflict: bool
    """Whether its tags contradict each other."""
    reason: str


def label_contrast(header: Header) -> Label:
    """Name the contrast of a series from the header of one of its images.

    ImageType is written by the reconstruction and wins over SeriesDescription, which anyone can edit;
    the echo time speaks only where both are silent, since computed fat and water images carry one too.
    """
    described, typed = _from_description(header.description), _from_image_type(header.image_type)
    if described and typed and described != typed:
        return Label(typed, True, f"image type says {typed}, description says {described}")
    if named := typed or described:
        return Label(named, False, f"{'image type' if typed else 'description'} says {named}")
    timed = _from_echo_time(header.echo_time_ms, header.field_strength_t or FIELD_STRENGTH_T)
    if timed is None:
        return Label(None, False, "neither image type, description nor echo time tells a Dixon contrast")
    return Label(timed, False, f"echo time {header.echo_time_ms} ms says {timed}")


def _from_description(description: str) -> ContrastName | None:
    """Give `fat` for `Dixon_BH_17s_F`."""
    match = re.fullmatch(r"\w*dixon\w*_([a-z]+)", description.strip().lower())
    return _ENDINGS.get(match[1]) if match else None


def _from_image_type(image_type: tuple[str, ...]) -> ContrastName | None:
    found = {_TOKENS[token.upper()] for token in image_type if token.upper() in _TOKENS}
    return found.pop() if len(found) == 1 else None


def _from_echo_time(echo_time_ms: float | None, field_strength_t: float) -> ContrastName | None:
    """Fat and water rotate against each other; the nearest whole turn is in phase, the nearest half opposed.

    Examples
    --------
    >>> _from_echo_time(4.77, 1.5), _from_echo_time(2.39, 1.5)
    ('in_phase', 'opposed_phase')
    >>> _from_echo_time(2.45, 3.0)
    'in_phase'
    """
    if echo_time_ms is None or not 0 < echo_time_ms < _LONGEST_ECHO_MS:
        return None
    turns = echo_time_ms / 1000 * _FAT_WATER_SHIFT_HZ_PER_T * field_strength_t
    return "in_phase" if abs(turns - round(turns)) < 0.25 else "opposed_phase"
