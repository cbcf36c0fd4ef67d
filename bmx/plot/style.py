"""What all figures share: names and colours of the regions."""

from __future__ import annotations

REGION_COLOURS: dict[str, str] = {
    "spine": "#E69F00",
    "femoral_head": "#56B4E9",
    "total_hip": "#009E73",
    "femoral_diaphysis": "#CC79A7",
}
"""From the palette of Okabe and Ito: told apart with any colour vision, and on grey images."""

INK = "#222222"
FAINT = "#8A8A8A"


def title(region: str) -> str:
    """A region's name as it is written in a figure.

    Examples
    --------
    >>> title("femoral_head")
    'Femoral head'
    """
    return region.replace("_", " ").capitalize()
