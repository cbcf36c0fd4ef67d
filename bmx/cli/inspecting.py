"""Commands that look at what there is."""

from __future__ import annotations

from typing import Annotated

import typer

from bmx.cli.app import app


@app.command()
def inspect(
    path: Annotated[str, typer.Argument(help="A zip, a folder of DICOM files, or a store.")],
    eid: Annotated[int | None, typer.Argument(help="One participant of a store.")] = None,
) -> None:
    """Show every DICOM series: what it was identified as, whether it is used, and why.

    Of a store without EID: how many series were used or not, by reason.

    Example: bmx inspect dixon/1234567_20201_2_0.zip
    """
    from bmx.cli.tables import cohort_table, series_tables, show
    from bmx.ingest.inspection import inspect as verb

    series = verb(path, eid=eid)
    if "participant" in series and eid is None:
        show(cohort_table(series))
    else:
        show(*series_tables(series))
