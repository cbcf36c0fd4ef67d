"""A black page on which images are placed by hand: panels of equal millimetres leave no layout to guess."""

from __future__ import annotations

import math
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bmx.plot.sheets import NIGHT, darken

WIDTH = 12.0
"""Of a page, inches; at its own resolution it has 2400 pixels."""

_DPI = 200

EDGE, GAP = 0.12, 0.04
"""Around a page and between groups, and between neighbouring panels; inches."""


class Page:
    """A figure in inches, counted to the right and down from its upper left corner."""

    def __init__(self, height: float) -> None:
        self.height = math.ceil(height * _DPI) / _DPI  # whole pixels
        self.figure = Figure(figsize=(WIDTH, self.height), dpi=_DPI, facecolor=NIGHT)

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Empty axes of this size, black."""
        axes = self.figure.add_axes((
            left / WIDTH, 1 - (top + height) / self.height, width / WIDTH, height / self.height,
        ))  # fmt: skip
        darken(axes)
        return axes

    def write(self, left: float, baseline: float, text: str, **style: Any) -> None:
        """Write text from here on."""
        self.figure.text(left / WIDTH, 1 - baseline / self.height, text, **style)
