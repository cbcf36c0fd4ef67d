"""Commands from a store to a regression."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bmx.cli.app import Seed, Workers, app, errors


@app.command()
def run(
    store: Annotated[str, typer.Argument(help="A store from bmx convert.")],
    results: Annotated[str, typer.Argument(help="Where the results go, something.zarr.")],
    models: Annotated[str, typer.Option(help='A folder of models, or "simulated" for those that ship with bmx.')],
    recipe: Annotated[str, typer.Option(help="How fat fraction is computed: paper or none.")] = "paper",
    allow_simulated: Annotated[
        bool, typer.Option("--allow-simulated", help="Use models trained on simulation on images of people.")
    ] = False,
    workers: Workers = None,
) -> None:
    """Segment and measure everyone in a store. Call it again to go on after an interruption.

    Example: bmx run ukbb.zarr results.zarr --models models/
    """
    from bmx import quality
    from bmx.cohort.run import run as verb

    measured = verb(store, results, models=models, recipe=recipe, allow_simulated=allow_simulated, workers=workers)
    typer.echo(quality.counts(quality.flag(measured)).to_string())


@app.command()
def train(
    out: Annotated[Path, typer.Argument(help="Folder of the new model.")],
    region: Annotated[str, typer.Option(help="spine, femoral_head, total_hip or femoral_diaphysis.")],
    simulate: Annotated[int, typer.Option(min=2, help="Number of simulated participants to learn from.")] = 160,
    steps: Annotated[int, typer.Option(min=1, help="Volumes seen.")] = 800,
    zoom: Annotated[bool, typer.Option("--zoom", help="Make bodies smaller and larger while training.")] = False,
    start: Annotated[
        Path | None, typer.Option(help="A model of the region whose weights training begins with.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train the paper's network on simulated participants. Call it again to go on after an interruption.

    Example: bmx train models/spine --region spine --simulate 160 --steps 800
    """
    from rich.progress import Progress

    from bmx.models.cards import ModelCard
    from bmx.regions import get_region
    from bmx.simulation.examples import SimulatedExamples
    from bmx.training import TrainingOptions
    from bmx.training import train as verb

    which = get_region(region)
    with Progress(console=errors) as bar:
        task = bar.add_task(f"training {region}", total=steps)
        model = verb(
            region,
            out,
            examples=SimulatedExamples(which, simulate, seed=2 * seed + 20_001),
            held_out=SimulatedExamples(which, max(simulate // 10, 1), seed=2 * seed + 20_002),
            training_data=f"{simulate} participants of bmx simulate, seed {2 * seed + 20_001}"
            + ", zoomed" * zoom
            + (f"; begun with the weights {ModelCard.read(start).weights_digest}" if start else ""),
            simulated=True,
            options=TrainingOptions(steps=steps, seed=seed, zoom=zoom, start=str(start) if start else None),
            progress=lambda done, _, loss: bar.update(
                task, completed=done, description=f"training {region}, loss {loss:.2f}"
            ),
        )
    held_out = model.card.held_out
    typer.echo(f"{model.folder}: held-out Dice {held_out['dice_mean']:.3f} (worst {held_out['dice_worst']:.3f})")


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
