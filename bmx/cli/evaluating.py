"""`bmx evaluate`: masks against a reference."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from bmx.cli.app import app


@app.command()
def evaluate(
    masks: Annotated[str, typer.Argument(help="A store of masks, or a folder of NIfTI masks NAME_REGION.nii.gz.")],
    reference: Annotated[str, typer.Argument(help="What they ought to be: another store, or another folder.")],
    region: Annotated[
        str | None, typer.Option(help="Only this one; the region of files whose names don't say theirs.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write every case to this CSV file.")] = None,
) -> None:
    """Compare masks with a reference: Dice as in Table 2 of the paper, 95 % Hausdorff distance and volume.

    Example: bmx evaluate results.masks.zarr truth.zarr --out cases.csv
    """
    from bmx.evaluation.comparison import evaluate as verb
    from bmx.evaluation.summary import regions_table, table2

    cases = verb(masks, reference, region=region)
    typer.echo(f"Dice, in the layout of Table 2\n\n{table2(cases).to_string()}")
    said = "mean ± SD (worst) of Dice, 95 % Hausdorff distance and error of volume; cases with an empty mask"
    typer.echo(f"\n{said}\n\n{regions_table(cases).to_string()}")
    if out is not None:
        cases.to_csv(out, index=False, float_format="%.5g", lineterminator="\n")
        typer.echo(f"\n{len(cases)} cases: {out}")
