"""The program itself: its options, what several commands share, and how errors are shown."""

from __future__ import annotations

import logging
import signal
import sys
from functools import partial
from typing import Annotated

import typer
from rich.console import Console
from rich.highlighter import NullHighlighter
from rich.logging import RichHandler

from bmx.acquisition import CONTRASTS, ContrastName
from bmx.errors import BmxError

app = typer.Typer(
    name="bmx",
    help="Bone marrow fat fraction (BMFF) from UK Biobank neck-to-knee Dixon MRI.\n\n"
    "The usual order: convert zips to a store, run segmentation and measurement on it, regress the results.\n"
    "Nothing at hand? `bmx demo` goes the whole way on simulated participants.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
)
errors = Console(stderr=True)

Workers = Annotated[int | None, typer.Option(min=1, help="Local worker processes; by default one per core.")]
Participants = Annotated[int, typer.Option(min=1, help="How many to simulate.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same participants.")]


def numbers(text: str) -> tuple[int, ...]:
    """Give (2, 4) for `2,4`."""
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as exc:
        raise typer.BadParameter(f"expected numbers such as 2,4,5, found {text!r}") from exc


def contrast_names(text: str) -> tuple[ContrastName, ...]:
    """Give ("fat", "water") for `fat,water`."""
    wanted = [part.strip() for part in text.split(",")]
    found = tuple(name for name in CONTRASTS if name in wanted)
    if unknown := [name for name in wanted if name not in CONTRASTS]:
        raise typer.BadParameter(f"no contrast is called {unknown[0]!r}; expected some of {', '.join(CONTRASTS)}")
    return found


@app.callback()
def options(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Only errors.")] = False,
) -> None:
    """Options before the command hold for all commands."""
    level = logging.ERROR if quiet else logging.INFO
    handler = RichHandler(
        console=errors, show_time=False, show_level=False, show_path=False, highlighter=NullHighlighter()
    )
    handler.addFilter(partial(_is_news, debug=debug))
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("bmx").setLevel(logging.DEBUG if debug else level)


_LOOPS = ("tornado", "asyncio")
"""Who tells at length of connections that break while a run is stopped, which the command tells in a line."""


def _is_news(record: logging.LogRecord, *, debug: bool) -> bool:
    """What concerns a user: Dask tells at INFO of every worker that comes and goes; from others only warnings do."""
    if record.name.startswith(_LOOPS) and not debug:
        return False
    return record.name.startswith("bmx") or record.levelno >= logging.WARNING


def main() -> None:
    """Run the command line; an expected error is one message, a traceback only with --debug."""
    # A batch system that is out of time ends a job as the terminal does with Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except (BmxError, ValueError, ImportError, OSError, MemoryError) as exc:
        if "--debug" in sys.argv:
            raise
        notes = "".join(f"\n  {note}" for note in getattr(exc, "__notes__", ()))
        # Not wrapped: paths in a message are to be copied.
        errors.print(f"[bold red]error:[/] {type(exc).__name__}: ", end="", soft_wrap=True)
        errors.print(f"{exc}{notes}", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None
