"""Commands from archives to a store."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated

import typer

from bmx.cli.app import Workers, app, contrast_names, numbers

if TYPE_CHECKING:
    from bmx.cohort.forecast import Cluster
    from bmx.ingest.conversion import ConvertReport

Source = Annotated[
    str, typer.Argument(help="Folder (or URL) of EID_20201_2_0.zip files, or of such exams as NIfTI or DICOM.")
]
Store = Annotated[str, typer.Argument(help="Where the store goes, something.zarr.")]
Slabs = Annotated[
    str | None, typer.Option(help="Slabs to keep, 2,4,5; by default all, or those that the store was begun with.")
]
Contrasts = Annotated[
    str | None, typer.Option(help="Images to keep; by default fat,water, or those that the store was begun with.")
]
Instance = Annotated[int | None, typer.Option(help="Imaging visit: 2 is the first (the default), 3 the repeat.")]
MaxMemory = Annotated[str, typer.Option(help="What one task may use, 500MB or 2GB.")]
Physics = Annotated[
    bool | None,
    typer.Option(help="Check that in = W + F and opposed = |W - F|, even for images that aren't kept (slower)."),
]


@app.command()
def plan(
    source: Source,
    store: Store,
    slabs: Slabs = None,
    contrasts: Contrasts = None,
    instance: Instance = None,
    workers: Workers = None,
    max_memory: MaxMemory = "700MB",
    write: Annotated[
        bool, typer.Option("--write", help="Write the plan, for several bmx convert --partitions to share.")
    ] = False,
    physics: Physics = None,
    cluster: Annotated[
        list[str] | None, typer.Option(help="Cores, or cores+GPUs as 16+1, of a cluster to think of; may be repeated.")
    ] = None,
    participants: Annotated[
        int | None, typer.Option(min=1, help="For --cluster: how many; by default those in the folder.")
    ] = None,
    models: Annotated[str | None, typer.Option(help="For --cluster: models that a run will use.")] = None,
    trial: Annotated[
        str | None, typer.Option(help="For --cluster: a store of a few people to try them on; by default STORE.")
    ] = None,
    price: Annotated[float | None, typer.Option(help="For --cluster: of an hour of a core.")] = None,
    gpu_price: Annotated[float | None, typer.Option(help="For --cluster: of an hour of a GPU.")] = None,
    allow_simulated: Annotated[bool, typer.Option("--allow-simulated", help="As for bmx run.")] = False,
) -> None:
    """Say what a conversion will take: partitions, memory, disk, time. Converts a few exams to find out.

    With --cluster also what the whole journey takes there, measured on a few participants here.

    Example: bmx plan dixon/ ukbb.zarr --workers 16 --max-memory 2GB

    bmx plan dixon/ ukbb.zarr --models models/ --trial few.zarr --participants 100000 --cluster 64 --cluster 16+1
    """
    from bmx.ingest.planning import plan as verb

    wanted = _clusters(cluster or [], models)
    forecast = verb(
        source,
        store,
        slabs=numbers(slabs) if slabs else None,
        contrasts=contrast_names(contrasts) if contrasts else None,
        instance=instance,
        workers=workers,
        max_memory=number_of_bytes(max_memory),
        write=write,
        physics=physics,
    )
    typer.echo(str(forecast))
    if wanted and models is not None:
        from bmx.cohort.forecast import forecast_cohort, try_run

        rate = try_run(trial or store, models, allow_simulated=allow_simulated)
        count = participants or forecast.participants
        table = forecast_cohort(
            count, wanted, convert_seconds=forecast.rate.seconds, run=rate, price=price, gpu_price=gpu_price
        )
        typer.echo(f"\nhours for {count:,} participants, if its cores are like this one")
        typer.echo(table.to_string(index=False, float_format="{:,.1f}".format))
        typer.echo(
            f"one participant on one core: convert {forecast.rate.seconds:.2f} s, run {rate.seconds:.2f} s "
            f"(networks {rate.network:.2f} s), measured on {rate.tried}"
        )


@app.command()
def convert(
    source: Source,
    store: Store,
    slabs: Slabs = None,
    contrasts: Contrasts = None,
    instance: Instance = None,
    workers: Workers = None,
    max_memory: MaxMemory = "700MB",
    only_plan: Annotated[bool, typer.Option("--plan", help="Say what it will take, and do nothing.")] = False,
    partitions: Annotated[
        str | None,
        typer.Option(help="Of a written plan do only these: 0-31, or 3/200 for share 3 of 200, counted from 0."),
    ] = None,
    finalise: Annotated[
        bool, typer.Option("--finalise", help="Make a store readable whose partitions are all done.")
    ] = False,
    physics: Physics = None,
    retry: Annotated[
        bool, typer.Option("--retry", help="Read archives again that couldn't be read, after they were replaced.")
    ] = False,
) -> None:
    """Turn Dixon zips into a chunked Zarr store. Call it again to go on after an interruption.

    Example: bmx convert "Bulk/Whole Body MRI/Dixon" ukbb.zarr --slabs 2,4,5
    """
    from bmx.ingest.conversion import convert as verb
    from bmx.ingest.conversion import finish

    if only_plan + (partitions is not None) + finalise + retry > 1:
        raise typer.BadParameter("--plan, --partitions, --finalise and --retry exclude each other; give one of them")
    if only_plan:
        plan(source, store, slabs, contrasts, instance, workers, max_memory, physics=physics)
        return
    if finalise:
        _show(finish(store))
        return
    report = verb(
        source,
        store,
        slabs=numbers(slabs) if slabs else None,
        contrasts=contrast_names(contrasts) if contrasts else None,
        instance=instance,
        workers=workers,
        max_memory=number_of_bytes(max_memory),
        partitions=None if partitions is None else partition_range(partitions, store),
        physics=physics,
        retry=retry,
    )
    _show(report)


def _clusters(words: list[str], models: str | None) -> list[Cluster]:
    """What is asked with --cluster; refused before anything is measured."""
    from bmx.cohort.forecast import Cluster

    if words and models is None:
        raise typer.BadParameter("--cluster needs --models, which a run will use")
    try:
        return [Cluster.parse(one) for one in words]
    except ValueError as exc:
        raise typer.BadParameter(str(exc)) from exc


def _show(report: ConvertReport) -> None:
    """What was done, and once the store can be read, what became of whose slabs."""
    from bmx.cli.tables import report_table, show
    from bmx.ingest.report import ingest_report

    typer.echo(str(report))
    if report.finished:
        show(report_table(ingest_report(report.store)))


def number_of_bytes(text: str) -> int:
    """Give 2_000_000_000 for `2GB`."""
    from dask.utils import parse_bytes

    try:
        return int(parse_bytes(text))
    except ValueError as exc:
        raise typer.BadParameter(f"expected a size such as 500MB or 2GB, found {text!r}") from exc


def partition_range(text: str, store: str) -> range:
    """Give range(0, 32) for `0-31`, range(5, 6) for `5`, and the partitions of a share for `3/200`."""
    from bmx.ingest.conversion import share

    found = re.fullmatch(r"(?P<first>\d+)(?:(?P<sign>[-/])(?P<second>\d+))?", text)
    if found is None or (found["sign"] == "-" and int(found["second"]) < int(found["first"])):
        raise typer.BadParameter(f"expected partitions such as 0-31, 5 or 3/200, found {text!r}")
    first, second = int(found["first"]), int(found["second"] or found["first"])
    return share(store, first, of=second) if found["sign"] == "/" else range(first, second + 1)
