"""Commands from a store to a regression."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from bmx.cli.app import Workers, app


@app.command()
def run(
    store: Annotated[str, typer.Argument(help="A store from bmx convert.")],
    results: Annotated[str, typer.Argument(help="Where the results go, something.zarr.")],
    models: Annotated[str, typer.Option(help='A folder of models, or "simulated" for those that ship with bmx.')],
    side: Annotated[
        Literal["left", "right", "both"], typer.Option(help="Of the femora: left as in the paper, right or both.")
    ] = "left",
    recipe: Annotated[
        str, typer.Option(help="How fat fraction is computed: mask_aware, paper, released_code or none.")
    ] = "mask_aware",
    neighbours: Annotated[
        bool, typer.Option(help="Look for a region in the slabs beside its own where it leaves that.")
    ] = True,
    swaps: Annotated[
        bool, typer.Option(help="Find where fat and water are exchanged, and measure them exchanged back.")
    ] = True,
    allow_simulated: Annotated[
        bool, typer.Option("--allow-simulated", help="Use models trained on simulation on images of people.")
    ] = False,
    beside: Annotated[
        bool, typer.Option("--beside", help="If RESULTS was made with other models or options, write beside it.")
    ] = False,
    workers: Workers = None,
    timeout: Annotated[
        float | None, typer.Option(min=1, help="Seconds that one partition may take; a worker that hangs is replaced.")
    ] = None,
) -> None:
    """Segment and measure everyone in a store. Call it again to go on after an interruption.

    Example: bmx run ukbb.zarr results.zarr --models models/
    """
    from bmx import quality
    from bmx.cohort.run import run as verb

    measured = verb(
        store, results, models=models, side=side, recipe=recipe, neighbours=neighbours, swaps=swaps,
        allow_simulated=allow_simulated, beside=beside, workers=workers, timeout=timeout,
    )  # fmt: skip
    typer.echo(quality.counts(quality.flag(measured)).to_string())


@app.command()
def regress(
    results: Annotated[str, typer.Argument(help="Results from bmx run.")],
    phenotypes: Annotated[Path, typer.Argument(help="A UK Biobank table with an eid column.")],
    formula: Annotated[str, typer.Argument(help='For example "bmd_spine ~ bmff_spine + sex + bmi".')],
    instance: Annotated[int, typer.Option(help="Imaging visit of the phenotypes.")] = 2,
) -> None:
    """Fit a linear model to results joined with phenotypes.

    Example: bmx regress results.zarr dxa.csv "bmd_spine ~ bmff_spine + sex + bmi"
    """
    from bmx import quality
    from bmx.analysis import regress as verb
    from bmx.phenotypes.join import join
    from bmx.phenotypes.read import read_phenotypes
    from bmx.store.results import open_results

    cohort = join(quality.flag(open_results(results)), read_phenotypes(phenotypes, instance=instance))
    typer.echo(str(verb(cohort, formula)))
