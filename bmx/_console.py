"""Where progress is shown: on standard error, one line that is written over, in a terminal and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console


def progress_console() -> Console:
    """A console for rich's bars.

    In a notebook rich asks for ipywidgets, and without them shows nothing but a warning, ten times a second. A line
    that is written over by carriage returns, as in a terminal, needs nothing.
    """
    from rich.console import Console

    if Console().is_jupyter:
        return Console(stderr=True, force_jupyter=False, force_terminal=True)
    return Console(stderr=True)
