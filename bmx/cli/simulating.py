"""Commands that make participants up."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bmx.cli.app import Participants, Seed, Workers, app, numbers


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
        out, participants=participants, seed=seed, slabs=numbers(slabs), faults=chosen, maps=maps, workers=workers
    )
    typer.echo(f"{participants} participants in {folder}: dixon/, truth.zarr, phenotypes.csv")
