"""The command line: each command is a thin layer over the function of the same name."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
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
_errors = Console(stderr=True)

Workers = Annotated[int | None, typer.Option(min=1, help="Local worker processes; by default one per core.")]
Participants = Annotated[int, typer.Option(min=1, help="How many to simulate.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same participants.")]


def _numbers(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as exc:
        raise typer.BadParameter(f"expected numbers such as 2,4,5, found {text!r}") from exc


def _contrasts(text: str) -> tuple[ContrastName, ...]:
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
        console=_errors, show_time=False, show_level=False, show_path=False, highlighter=NullHighlighter()
    )
    # Dask tells at INFO of every worker that comes and goes; from others only warnings are news here.
    handler.addFilter(lambda record: record.name.startswith("bmx") or record.levelno >= logging.WARNING)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", handlers=[handler], force=True)
    logging.getLogger("bmx").setLevel(logging.DEBUG if debug else level)


def _list_faults(wanted: bool) -> None:
    """Print every fault and leave."""
    if wanted:
        from bmx.simulation.faults.registry import FAULTS

        width = max(map(len, FAULTS))
        for name, kind in FAULTS.items():
            typer.echo(f"{name:{width}}  {kind.stage:9}  {kind.meaning}")
        raise typer.Exit


@app.command()
def simulate(
    out: Annotated[Path, typer.Argument(help="Folder for the cohort.")],
    participants: Participants = 24,
    seed: Seed = 0,
    slabs: Annotated[str, typer.Option(help="Which slabs the exams hold, for example 2,4,5.")] = "1,2,3,4,5,6",
    faults: Annotated[
        str,
        typer.Option(help="none; paper (at the rates of its Table 3); or names, one per participant in turn."),
    ] = "none",
    maps: Annotated[bool, typer.Option(help="Keep fat fraction without noise, voxel by voxel.")] = True,
    workers: Workers = None,
    list_faults: Annotated[
        bool, typer.Option("--list-faults", help="List the names of all faults.", callback=_list_faults, is_eager=True)
    ] = False,
) -> None:
    """Simulate participants: Dixon zips, what is true of them, and a phenotype table.

    | written | what it is |
    |---|---|
    | dixon/EID_20201_2_0.zip | an exam as the archive holds it: one DICOM file a slice, a manifest |
    | truth.zarr/slab_N | mask of each region, labels of bones, swapped voxels, fat fraction without noise |
    | truth.zarr/results | BMFF by region and recipe, share of a region in its slab, expected cause of failure |
    | truth.zarr/faults | a row for each fault: who, what, which slab, details |
    | phenotypes.csv | sex, age, BMI and DXA, columns as on the Research Analysis Platform |

    Example: bmx simulate cohort --participants 24 --seed 1 --slabs 2,4,5

    bmx simulate cohort --participants 100 --faults paper

    bmx simulate cohort --participants 3 --faults swap_leg,missing_slice,begun_too_high+wrong_manifest
    """
    from bmx.simulation.cohorts import simulate as verb

    chosen = faults if faults in ("none", "paper") else [name.strip() for name in faults.split(",")]
    folder = verb(
        out, participants=participants, seed=seed, slabs=_numbers(slabs), faults=chosen, maps=maps, workers=workers
    )
    typer.echo(f"{participants} participants in {folder}: dixon/, truth.zarr, phenotypes.csv")


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
        slabs=_numbers(slabs),
        contrasts=_contrasts(contrasts),
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
    with Progress(console=_errors) as bar:
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


def main() -> None:
    """Run the command line; an expected error is one message, a traceback only with --debug."""
    try:
        app()
    except (BmxError, ValueError, ImportError, OSError) as exc:
        if "--debug" in sys.argv:
            raise
        notes = "".join(f"\n  {note}" for note in getattr(exc, "__notes__", ()))
        # Not wrapped: paths in a message are to be copied.
        _errors.print(f"[bold red]error:[/] {type(exc).__name__}: ", end="", soft_wrap=True)
        _errors.print(f"{exc}{notes}", markup=False, highlight=False, soft_wrap=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
