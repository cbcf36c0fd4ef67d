"""A progress bar, for whom gives no callback: trainings take minutes to hours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from bmx._console import progress_line


@contextmanager
def training_bar(label: str, steps: int, *, hidden: bool = False) -> Iterator[Callable[[int, float], None]]:
    """Show how far a training has come; call what this gives with (steps done, loss)."""
    with progress_line(hidden=hidden) as bar:
        task = bar.add_task(label, total=steps)
        yield lambda done, loss: bar.update(task, completed=done, description=f"{label}, loss {loss:.2f}")
