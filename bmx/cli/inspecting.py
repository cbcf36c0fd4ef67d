"""Commands that look at what there is."""

from __future__ import annotations

from pathlib import Path
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


@app.command()
def fields(
    own: Annotated[
        Path | None, typer.Option(help="A file of further fields, in the form of bmx's fields.toml.")
    ] = None,
    instance: Annotated[int, typer.Option(help="The imaging visit.")] = 2,
    columns: Annotated[
        bool, typer.Option("--columns", help="Only the columns as the Research Analysis Platform spells them.")
    ] = False,
) -> None:
    """List the UK Biobank fields that bmx reads: what to request, and what to extract.

    Example: bmx fields --columns > columns.txt
    """
    from bmx.cli.tables import field_table, show
    from bmx.phenotypes.fields import load_fields, platform_column

    known = load_fields(own)
    if columns:
        for name in ("eid", *(platform_column(one, instance=instance) for one in known.values())):
            typer.echo(name)
    else:
        show(field_table(list(known.values()), instance=instance))
