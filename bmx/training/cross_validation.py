"""Train once for each fold, so that every case is held out once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bmx.core.preparation import InputContrast
from bmx.regions import get_site, region_spacing
from bmx.training.examples import Examples, Part, names
from bmx.training.facts import facts_of
from bmx.training.held_out import HeldOut, score, together
from bmx.training.learning import train
from bmx.training.options import TrainingOptions
from bmx.training.showing import training_bar
from bmx.training.splits import fold_splits


def cross_validate(
    region: str,
    out: str | Path,
    *,
    examples: Examples,
    folds: int,
    training_data: str | None = None,
    simulated: bool | None = None,
    contrast: InputContrast | None = None,
    options: TrainingOptions | None = None,
    progress: Callable[[int, int, int, float], None] | None = None,
) -> HeldOut:
    """Train `folds` networks, each on what the others hold out, and report on every case. Resumable as `train` is.

    Leaves a model directory `fold_1`, `fold_2` … for each fold, and beside them what `train` leaves for its held-out
    cases (`held_out.csv`, `held_out_summary.csv`, `worst.png`) for all cases. It tells how good training is with these
    data; the model to use is then trained with `train`, on as many of them as possible.

    Parameters
    ----------
    examples : all pairs, for example of `read_examples`
    folds : how many parts to hold out in turn
    training_data, simulated, contrast, options : as `train` has them; folds differ in their seed
    progress : called with (fold, step, steps, loss), fold from 1 on; by default a bar is shown

    Raises
    ------
    ModelError
        As `train`, or if there are too few examples.
    """
    options, folder = options or TrainingOptions(), Path(out)
    which = get_site(region)
    facts = facts_of(examples, training_data=training_data, simulated=simulated, contrast=contrast)
    parts: list[HeldOut] = []
    with training_bar(f"training {region}", folds * options.steps, hidden=progress is not None) as show:
        for number, chosen in enumerate(fold_splits(names(examples), folds, options.seed), start=1):
            held_out = Part(examples, chosen["held_out"])

            def tell(step: int, steps: int, loss: float, fold: int = number) -> None:
                show((fold - 1) * steps + step, loss)
                if progress is not None:
                    progress(fold, step, steps, loss)

            model = train(
                region, folder / f"fold_{number}", examples=Part(examples, chosen["training"]),
                validation=Part(examples, chosen["validation"]), held_out=held_out,
                training_data=f"{facts.training_data}; fold {number} of {folds}", simulated=facts.simulated,
                contrast=facts.contrast, options=replace(options, seed=options.seed + number - 1), progress=tell,
            )  # fmt: skip
            parts.append(score(model.network(), held_out, region_spacing(which)))
            parts[-1].cases.insert(1, "fold", number)
    report = together(parts)
    report.write(folder, which)
    return report
