"""How progress is shown: one line on standard error that is written over, in a terminal and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, ProgressColumn


def progress_line(*columns: ProgressColumn, hidden: bool = False) -> Progress:
    """A bar of rich, of its own columns if none are given.

    In a notebook rich asks for ipywidgets, and without them shows nothing but a warning, ten times a second. A line
    that is written over by carriage returns, as in a terminal, needs nothing. Notebooks don't erase what was longer
    before, and count the codes of colours as letters: all states are as wide as the console, without colours.
    """
    from rich.console import Console
    from rich.progress import Progress

    in_notebook = Console().is_jupyter
    if in_notebook:
        console = Console(stderr=True, force_jupyter=False, force_terminal=True, color_system=None)
    else:
        console = Console(stderr=True)
    return Progress(*columns, console=console, disable=hidden, expand=in_notebook)
