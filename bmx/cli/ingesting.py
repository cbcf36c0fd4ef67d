"""Commands from archives to a store."""

from __future__ import annotations

from typing import Annotated

import typer

from bmx.cli.app import Workers, app, contrast_names, numbers


@app.command()
def convert(
    source: Annotated[str, typer.Argument(help="Folder (or URL) of EID_20201_2_0.zip files.")],
    store: Annotated[str, typer.Argument(help="Where the store goes, something.zarr.")],
    slabs: Annotated[str, typer.Option(help="Slabs to keep.")] = "1,2,3,4,5,6",
    contrasts: Annotated[str, typer.Option(help="Images to keep.")] = "fat,water",
    instance: Annotated[int, typer.Option(help="Imaging visit: 2 is the first, 3 the repeat.")] = 2,
    workers: Workers = None,
) -> None:
    """Turn Dixon zips into a chunked Zarr store. Call it again to go on after an interruption.

    Example: bmx convert "Bulk/Whole Body MRI/Dixon" ukbb.zarr --slabs 2,4,5
    """
    from bmx.ingest.conversion import convert as verb

    report = verb(
        source,
        store,
        slabs=numbers(slabs),
        contrasts=contrast_names(contrasts),
        instance=instance,
        workers=workers,
    )
    typer.echo(str(report))


@app.command()
def inspect(
    path: Annotated[str, typer.Argument(help="A zip, a folder of DICOM files, or a store.")],
    eid: Annotated[int | None, typer.Argument(help="One participant of a store.")] = None,
) -> None:
    """Show every DICOM series: what it was identified as, and whether it is used.

    Example: bmx inspect dixon/1234567_20201_2_0.zip
    """
    from bmx.ingest.inspection import inspect as verb

    typer.echo(verb(path, eid=eid).to_string(index=False))
