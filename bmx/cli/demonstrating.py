"""The command that goes the whole way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bmx.cli.app import Participants, Seed, app


@app.command()
def demo(
    out: Annotated[Path, typer.Option(help="Folder for everything the demo makes.")] = Path("demo-output"),
    participants: Participants = 24,
    seed: Seed = 2024,
    workers: Annotated[int, typer.Option(min=1, help="Worker processes.")] = 2,
) -> None:
    """Go the whole way on simulated participants: zips, store, masks, BMFF, QC, DXA, regression, one picture.

    Example: bmx demo --out demo-output --participants 24
    """
    from bmx.demo import demo as verb

    verb(out, participants=participants, seed=seed, workers=workers, echo=typer.echo)
