"""Train a network (section 2.7 of the paper) on pairs of volumes and masks; resumable at any moment."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import torch

from bmx.core.preparation import InputContrast
from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.models.own import Model, best_device
from bmx.models.weights import load_weights, save_weights
from bmx.nn.build import SIZES, build
from bmx.nn.network import Network
from bmx.regions import Region, get_site, region_spacing
from bmx.training.checkpoints import Progress, resume, write_checkpoint
from bmx.training.curves import Curve, draw_curve
from bmx.training.describing import Parts, describe, identity_of, write_splits
from bmx.training.examples import Examples, Part, names
from bmx.training.facts import facts_of
from bmx.training.held_out import HeldOut, mean_dice, score
from bmx.training.options import TrainingOptions
from bmx.training.showing import training_bar
from bmx.training.splits import split
from bmx.training.step import train_step

logger = logging.getLogger(__name__)

Report = Callable[[int, int, float], None]
"""Called with (step, steps, loss)."""


def train(
    region: str,
    out: str | Path,
    *,
    examples: Examples,
    held_out: Examples | None = None,
    validation: Examples | None = None,
    training_data: str | None = None,
    simulated: bool | None = None,
    contrast: InputContrast | None = None,
    options: TrainingOptions | None = None,
    progress: Report | None = None,
) -> Model:
    """Train one region's network and write a model directory.

    Works on the GPU of this process if it has one. Call it again after an interruption: it goes on from the
    last checkpoint in `out`, with equal results on the same device and number of threads.

    Besides the model (`model.json`, `weights.safetensors`) it leaves `curve.csv` and its picture, `splits.csv`
    (names of the examples of each part), and of the held-out cases `held_out.csv`, `held_out_summary.csv` and a
    picture of the worst, `worst.png`.

    Parameters
    ----------
    examples : pairs to learn from, for example of `read_examples`; if no others are given, some of them, drawn by
        participants and `options.seed`, are held out and for validation
    held_out : pairs that are only used at the end, for the scores on the card
    validation : pairs on which Dice is measured every `options.validate_every` steps; the weights of the best of
        these steps are kept, and with `options.patience` training stops when it no longer rises; with `held_out`
        alone there are none
    training_data : one sentence for the card; by default the number of the examples and their digest
    simulated : whether the examples are simulated anatomy; such a model is refused on images of people
    contrast : what the volumes show, for the card; like `simulated` only needed if the examples don't say it
    options : TrainingOptions
    progress : called with (step, steps, loss); by default a bar is shown

    Raises
    ------
    ValueError
        If there is no such region or contrast.
    ModelError
        If there are too few examples, patience without a validation part, nothing to score, the loss is no longer
        finite, it isn't known what the examples are, or `out` holds the checkpoint of a training with other options
        or other examples.
    """
    options = options or TrainingOptions()
    parts = _parts(examples, validation, held_out, options)
    facts = facts_of(examples, training_data=training_data, simulated=simulated, contrast=contrast, start=options.start)
    which, folder = get_site(region), Path(out)
    network, options = _begin(which, options)
    network.to(best_device())
    folder.mkdir(parents=True, exist_ok=True)
    identity = {key: str(value) for key, value in asdict(options).items()}
    identity |= {"region": region} | {key: str(value) for key, value in asdict(facts).items()}
    identity |= {f"{name} examples": identity_of(part) for name, part in parts.items()}
    with training_bar(f"training {region}", options.steps, hidden=progress is not None) as show:

        def tell(step: int, loss: float) -> None:
            show(step, loss)
            if progress is not None:
                progress(step, options.steps, loss)

        state = _learn(network, folder, parts, options, identity, tell)
    if state.best:
        network.load_state_dict(state.best)
    draw_curve(folder, best_step=state.best_step)
    write_splits(folder, parts)
    # What is scored is what lies on disk: weights of half precision.
    digest = save_weights(folder, network, region=region, contrast=facts.contrast)
    load_weights(folder, network, digest, region=region, contrast=facts.contrast)
    scores = score(network.eval(), parts["held_out"], region_spacing(which))
    _check_scores(scores, which)
    scores.write(folder, which)
    card = replace(describe(which, options, parts, scores, state, facts), weights_digest=digest)
    card.write(folder)
    return Model(str(folder), card)


def _parts(
    examples: Examples, validation: Examples | None, held_out: Examples | None, options: TrainingOptions
) -> Parts:
    """Examples by what they are used for: as they are given, or drawn."""
    if held_out is None:
        if validation is not None:
            raise ModelError(
                "found validation= without held_out=; give both, or neither to have them drawn from the examples"
            )
        return {part: Part(examples, chosen) for part, chosen in split(names(examples), options.seed).items()}
    if len(examples) < 2 or len(held_out) < 1:
        raise ModelError(
            f"expected at least 2 examples and 1 held out, found {len(examples)} and {len(held_out)}; give more"
        )
    if options.patience is not None and not validation:
        raise ModelError(
            f"patience={options.patience} stops training when Dice on a validation part no longer rises, "
            "but there is none; give validation=, or patience=None to take all steps"
        )
    return {"training": examples, "validation": validation or (), "held_out": held_out}


def _check_scores(scores: HeldOut, region: Region) -> None:
    if scores.cases["dice"].isna().all():
        raise ModelError(f"no held-out mask of {region.name} has a voxel, nor was one drawn: hold out other examples")
    dice = scores.cases["dice"]
    logger.info("%s: held-out Dice %.3f (worst %.3f)", region.name, dice.mean(), dice.min())


def _begin(region: Region, options: TrainingOptions) -> tuple[Network, TrainingOptions]:
    """The network before its first step, and the options with its sizes.

    Weights are drawn on the CPU, so that they are the same on any device.
    """
    torch.manual_seed(options.seed)
    if options.start is None:
        options = replace(options, sizes=options.sizes or SIZES.get(options.architecture))
        return build(options.architecture, region, options.sizes or {}), options
    # Fine-tuning needs fewer steps than a fresh start.
    folder = Path(options.start)
    card = ModelCard.read(folder)
    if (card.region, card.architecture) != (region.name, options.architecture):
        raise ModelError(
            f"{folder} is a {card.architecture} of {card.region}, asked for a {options.architecture} of {region.name}; "
            "ask for the same, or start from another model"
        )
    options = replace(options, sizes=options.sizes or card.sizes)
    network = build(options.architecture, region, options.sizes or {})
    load_weights(folder, network, card.weights_digest, region=card.region, contrast=card.input)
    return network, options


def _learn(
    network: Network,
    folder: Path,
    parts: Parts,
    options: TrainingOptions,
    identity: dict[str, str],
    tell: Callable[[int, float], None],
) -> Progress:
    """Take all steps, or as many as patience allows."""
    examples, validation = parts["training"], parts["validation"]
    optimiser = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    state = resume(folder, network, optimiser, identity)
    curve = Curve(folder, state.step)
    while state.step < options.steps and (options.patience is None or state.waited < options.patience):
        loss = train_step(network, optimiser, examples, state.step, options)
        if not math.isfinite(loss):
            raise ModelError(
                f"training of {identity['region']} diverged at step {state.step}: the loss is {loss}; "
                "lower learning_rate"
            )
        state.step += 1
        last = state.step == options.steps
        dice = None
        if len(validation) and (last or state.step % options.validate_every == 0):
            dice = mean_dice(network.eval(), validation)
            network.train()
            state.validated(dice, network)
        curve.log(state.step - 1, loss, dice)
        tell(state.step, loss)
        stops = options.patience is not None and state.waited >= options.patience
        if last or stops or state.step % options.checkpoint_every == 0:
            write_checkpoint(folder, network, optimiser, identity, state)
    if state.step < options.steps:
        logger.info(
            "%s: stopped after step %d of %d: Dice of the validation part has not risen since step %d",
            identity["region"], state.step, options.steps, state.best_step,
        )  # fmt: skip
    return state
