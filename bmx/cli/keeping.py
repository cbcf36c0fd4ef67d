"""Commands that keep a store in order: compare it with its archives, take people out, take images and results along."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from bmx.cli.app import Seed, Workers, app


@app.command()
def verify(
    store: Annotated[str, typer.Argument(help="A store from bmx convert; its work folder knows the archives.")],
    everyone: Annotated[bool, typer.Option("--all", help="Compare all participants.")] = False,
    sample: Annotated[int, typer.Option(min=1, help="How many to compare, drawn at random.")] = 32,
    seed: Seed = 0,
    workers: Workers = None,
) -> None:
    """Read archives again and compare them with the store; ends with 1 if anything differs or an archive changed.

    | outcome | means |
    |---|---|
    | equal | every voxel, affine, status, flag and reason is what the archive gives today |
    | differs | the archive is the same as then, and gives something else |
    | source_missing | the archive is gone |
    | source_changed | the archive is another one than then; if it was unreadable, bmx convert --retry reads it |

    Example: bmx verify ukbb.zarr --sample 100
    """
    from bmx.ingest.verification import OUTCOMES
    from bmx.ingest.verification import verify as verb

    table = verb(store, sample=None if everyone else sample, seed=seed, workers=workers)
    if len(rest := table[table["outcome"] != "equal"]):
        typer.echo(rest.to_string(index=False))
    counts = table["outcome"].value_counts()
    typer.echo(", ".join(f"{counts.get(name, 0)} {name}" for name in OUTCOMES))
    if counts.get("differs", 0) or counts.get("source_changed", 0):
        raise typer.Exit(1)


@app.command()
def withdraw(
    store: Annotated[str, typer.Argument(help="A store from bmx convert.")],
    eids: Annotated[
        Path | None, typer.Argument(help="A list of EIDs, one a line; none to finish a killed call.")
    ] = None,
    results: Annotated[
        list[str] | None, typer.Option(help="Results of bmx run on this store; give all of them.")
    ] = None,
    folder: Annotated[
        list[str] | None,
        typer.Option(
            help="A folder of pictures, logs or tables to clear; pictures named after nobody are removed, too: "
            "they may show anybody. Compressed files but gzip and Parquet are named, and yours to check."
        ),
    ] = None,
) -> None:
    """Erase participants from store, masks, results, records, logs and pictures, for good.

    Their archives, backups and copies of tables elsewhere are yours to delete. A later convert refuses their archives.

    Example: bmx withdraw ukbb.zarr w12345_20260101.csv --results results.zarr
    """
    from bmx.ingest.withdrawing import withdraw as verb
    from bmx.partitions.withdrawn import read_eids

    who = [] if eids is None else read_eids(eids)
    typer.echo(str(verb(store, who, results=results or [], folders=folder or [])))


@app.command()
def status(
    place: Annotated[str, typer.Argument(help="A store or results, finished or under way, here or elsewhere.")],
    log: Annotated[bool, typer.Option("--log", help="One line of JSON for each partition that is done.")] = False,
) -> None:
    """Tell how far a conversion or a run is: participants done, failed, per second, time left.

    Example: bmx status results.zarr
    """
    from bmx.partitions.progress import logs
    from bmx.partitions.progress import status as verb

    if log:
        for one in logs(place):
            typer.echo(json.dumps(one))
    else:
        typer.echo(str(verb(place)))


@app.command()
def export(
    place: Annotated[str, typer.Argument(help="A store from bmx convert, or results from bmx run.")],
    eid: Annotated[int | None, typer.Argument(help="Of a store: one participant.")] = None,
    nifti: Annotated[str | None, typer.Option(help="Of a store: folder for the NIfTI files.")] = None,
    masks: Annotated[str | None, typer.Option(help="Masks of bmx run, to be written beside the images.")] = None,
    table: Annotated[
        str | None, typer.Option(help="Of results: a file .csv, .csv.gz, .tsv, .parquet or .nc, judged by bmx.qc.")
    ] = None,
    to_ukb: Annotated[
        str | None,
        typer.Option("--return-to-ukb", help="Of results: folder for what UK Biobank takes back, and its dictionary."),
    ] = None,
) -> None:
    """Write the images of one participant as NIfTI, where 3D Slicer finds them in their right places; or results as a
    table of a row for each participant.

    Example: bmx export ukbb.zarr 1234567 --nifti nifti/ --masks results.masks.zarr

    bmx export results.zarr --table results.csv

    bmx export results.zarr --return-to-ukb return/
    """
    if nifti is not None:
        from bmx.store.exporting import export as verb

        if eid is None or table is not None or to_ukb is not None:
            raise typer.BadParameter("--nifti takes a store and one EID, and nothing else")
        for path in verb(place, eid, nifti, masks=masks):
            typer.echo(path)
        return
    if (table is None) == (to_ukb is None) or eid is not None or masks is not None:
        raise typer.BadParameter("expected STORE EID --nifti, or RESULTS with --table or --return-to-ukb")
    from bmx import quality
    from bmx.store.results import open_results
    from bmx.store.returning import return_to_ukb
    from bmx.store.tables import save_table

    judged = quality.flag(open_results(place))
    if table is not None:
        save_table(judged, table)
        typer.echo(table)
    else:
        for path in return_to_ukb(judged, str(to_ukb)):
            typer.echo(path)
