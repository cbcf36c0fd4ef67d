"""Split cases into parts, and train once for each fold, so that every case is held out once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from bmx.core.preparation import InputContrast
from bmx.errors import ModelError
from bmx.regions import get_region
from bmx.training.examples import Examples, Part
from bmx.training.held_out import HeldOut, region_spacing, score, together
from bmx.training.learning import train
from bmx.training.options import TrainingOptions

HELD_OUT_SHARE = VALIDATION_SHARE = 0.15
"""Of the cases; at least one each."""


def split(n: int, seed: int) -> dict[str, list[int]]:
    """Numbers of the cases to train on, to validate on and to hold out, drawn by the seed.

    Raises
    ------
    ModelError
        If there are fewer than four.

    Examples
    --------
    >>> {part: len(cases) for part, cases in split(40, seed=0).items()}
    {'training': 28, 'validation': 6, 'held_out': 6}
    """
    if n < 4:
        raise ModelError(f"expected at least 4 cases: 2 to train on, 1 to validate and 1 to hold out; found {n}")
    order = [int(one) for one in np.random.default_rng([seed, n]).permutation(n)]
    held_out = max(round(HELD_OUT_SHARE * n), 1)
    validation = max(round(VALIDATION_SHARE * n), 1)
    return {
        "training": sorted(order[held_out + validation :]),
        "validation": sorted(order[held_out : held_out + validation]),
        "held_out": sorted(order[:held_out]),
    }


def fold_splits(n: int, folds: int, seed: int) -> list[dict[str, list[int]]]:
    """For each fold what `split` gives; every case is held out exactly once.

    Raises
    ------
    ModelError
        If the cases don't suffice for so many folds.

    Examples
    --------
    >>> sorted(sum((one["held_out"] for one in fold_splits(6, 3, seed=0)), []))
    [0, 1, 2, 3, 4, 5]
    """
    if folds < 2:
        raise ModelError(f"expected at least 2 folds, found {folds}")
    if n < folds or n - -(-n // folds) < 3:
        raise ModelError(
            f"{n} cases are too few for {folds} folds: each needs 1 held out, 1 to validate, 2 to train on"
        )
    order = [int(one) for one in np.random.default_rng([seed, n]).permutation(n)]
    splits = []
    for fold in range(folds):
        held_out = order[fold::folds]
        others = [one for one in order if one not in held_out]
        validation = max(round(VALIDATION_SHARE * n), 1)
        splits.append(
            {
                "training": sorted(others[validation:]),
                "validation": sorted(others[:validation]),
                "held_out": sorted(held_out),
            }
        )
    return splits


def cross_validate(
    region: str,
    out: str | Path,
    *,
    examples: Examples,
    folds: int,
    training_data: str,
    simulated: bool,
    contrast: InputContrast = "fat+water",
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
    progress : called with (fold, step, steps, loss), fold from 1 on

    Raises
    ------
    ModelError
        As `train`, or if there are too few examples.
    """
    options, folder = options or TrainingOptions(), Path(out)
    which = get_region(region)
    parts: list[HeldOut] = []
    for number, chosen in enumerate(fold_splits(len(examples), folds, options.seed), start=1):
        held_out = Part(examples, chosen["held_out"])

        def tell(step: int, steps: int, loss: float, fold: int = number) -> None:
            if progress is not None:
                progress(fold, step, steps, loss)

        model = train(
            region, folder / f"fold_{number}", examples=Part(examples, chosen["training"]),
            validation=Part(examples, chosen["validation"]), held_out=held_out,
            training_data=f"{training_data}; fold {number} of {folds}", simulated=simulated, contrast=contrast,
            options=replace(options, seed=options.seed + number - 1), progress=tell,
        )  # fmt: skip
        parts.append(score(model.network(), held_out, region_spacing(which)))
        parts[-1].cases.insert(1, "fold", number)
    report = together(parts)
    report.write(folder, which)
    return report
