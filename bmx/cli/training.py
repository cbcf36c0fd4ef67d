"""`bmx train`: from simulated participants, or from images and masks that somebody drew."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from bmx.cli.app import Seed, app

if TYPE_CHECKING:
    from bmx.training.options import TrainingOptions

Input = Literal["fat+water", "fat"]

_SIMULATED = 160
_PATIENCE = 8
"""Validations; four hundred steps with the defaults."""


@app.command()
def train(
    out: Annotated[Path, typer.Argument(help="Folder of the new model.")],
    region: Annotated[str, typer.Option(help="spine, femoral_head, total_hip or femoral_diaphysis.")],
    images: Annotated[
        str | None, typer.Option(help="Folder of NIfTI images NAME, or pairs NAME_fat and NAME_water.")
    ] = None,
    masks: Annotated[str | None, typer.Option(help="Folder of NIfTI masks NAME, NAME_mask or NAME_REGION.")] = None,
    simulate: Annotated[
        int | None, typer.Option(min=2, help=f"Learn from this many simulated participants; {_SIMULATED} by default.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(min=2, help="Cross-validate instead: train this often, hold out every case once.")
    ] = None,
    contrast: Annotated[
        Input | None,
        typer.Option(
            "--input",
            help="What the network sees of a pair, by default fat+water; needed for single images: what they show.",
        ),
    ] = None,
    assume_aligned: Annotated[
        bool, typer.Option("--assume-aligned", help="Files of a case that lie apart are of one place all the same.")
    ] = False,
    architecture: Annotated[
        str, typer.Option(help="Which network; an unknown name lists them.")
    ] = "roi_attention_unet",
    steps: Annotated[int, typer.Option(min=1, help="Volumes seen, at most.")] = 800,
    patience: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Stop after so many validations (every 50 steps) without a better Dice. "
            f"By default {_PATIENCE} with masks, none with a simulation.",
        ),
    ] = None,
    zoom: Annotated[bool, typer.Option("--zoom", help="Make bodies smaller and larger while training.")] = False,
    start: Annotated[
        Path | None, typer.Option(help="A model of the region whose weights training begins with.")
    ] = None,
    seed: Seed = 0,
) -> None:
    """Train a network on your own masks, or on simulated participants. Call it again to go on after an interruption.

    Example: bmx train models/spine --region spine --images nifti/ --masks drawn/
    """
    from bmx.regions import get_site
    from bmx.training.options import TrainingOptions

    if (images is None) != (masks is None):
        raise typer.BadParameter("--images and --masks belong together; give both, or neither to learn from simulation")
    if images is not None and simulate is not None:
        raise typer.BadParameter("give --images and --masks, or --simulate, not both")
    get_site(region)
    options = TrainingOptions(
        architecture=architecture, steps=steps, seed=seed, zoom=zoom, patience=patience,
        start=str(start) if start else None,
    )  # fmt: skip
    if images is not None and masks is not None:
        _on_masks(
            out, region, images, masks, contrast, folds, options,
            default_patience=patience is None, assume_aligned=assume_aligned,
        )  # fmt: skip
    else:
        if folds is not None:
            raise typer.BadParameter("--folds needs --images and --masks; simulate more participants instead")
        _on_simulation(out, region, simulate or _SIMULATED, contrast or "fat+water", options)


def _on_masks(
    out: Path,
    region: str,
    images: str,
    masks: str,
    contrast: Input | None,
    folds: int | None,
    options: TrainingOptions,
    *,
    default_patience: bool,
    assume_aligned: bool,
) -> None:
    from dataclasses import replace

    from bmx.training.cross_validation import cross_validate
    from bmx.training.learning import train as verb
    from bmx.training.nifti_examples import read_examples

    examples = read_examples(images, masks, region, contrast=contrast, assume_aligned=assume_aligned)
    if default_patience:
        options = replace(options, patience=_PATIENCE)
    if folds is not None:
        report = cross_validate(region, out, examples=examples, folds=folds, options=options)
        typer.echo(report.summary().round(3).to_string())
        typer.echo(f"all cases: {out / 'held_out.csv'}; the worst, {report.worst.name}: {out / 'worst.png'}")
        return
    model = verb(region, out, examples=examples, options=options)
    _say(model.folder, model.card.held_out)


def _on_simulation(out: Path, region: str, number: int, contrast: Input, options: TrainingOptions) -> None:
    from bmx.regions import get_site
    from bmx.simulation.examples import TRAINING, UNUSUAL, SimulatedExamples
    from bmx.training.learning import train as verb

    which, seed = get_site(region), 2 * options.seed + 20_001
    some = max(number // 10, 1)
    model = verb(
        region, out,
        examples=SimulatedExamples(which, number, seed, contrast, TRAINING),
        # Only patience needs a validation part; seeds of training and held-out participants are below a million.
        validation=SimulatedExamples(which, some, seed + 1_000_000, contrast, UNUSUAL)
        if options.patience is not None else None,
        held_out=SimulatedExamples(which, some, seed + 1, contrast, UNUSUAL),
        training_data=f"{number} participants of bmx simulate, seed {seed}: "
        f"{TRAINING.randomised:.0%} randomised beyond realism, {TRAINING.unusual:.0%} of the others unusual"
        + ", zoomed" * options.zoom,
        options=options,
    )  # fmt: skip
    _say(model.folder, model.card.held_out)


def _say(folder: str, held_out: Mapping[str, float]) -> None:
    parts = [f"held-out Dice {held_out['dice_mean']:.3f} (worst {held_out['dice_worst']:.3f})"]
    if "hausdorff95_mm_mean" in held_out:
        parts.append(f"95 % Hausdorff {held_out['hausdorff95_mm_mean']:.1f} mm")
    if "volume_error_percent_mean" in held_out:
        parts.append(f"volume {held_out['volume_error_percent_mean']:+.1f} %")
    typer.echo(f"{folder}: {', '.join(parts)}; {int(held_out['n'])} cases in held_out.csv, the worst in worst.png")
