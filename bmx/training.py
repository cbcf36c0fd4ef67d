"""Train a network of the paper (section 2.7) on pairs of volumes and masks; resumable at any moment."""

from __future__ import annotations

import csv
import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from bmx.acquisition import PIXEL_MM, SLABS
from bmx.core.overlap import dice
from bmx.errors import ModelError
from bmx.models.cards import ModelCard
from bmx.models.library import Model, best_device
from bmx.models.weights import load_weights, save_weights
from bmx.nn.augment import augment
from bmx.nn.build import SIZES, build
from bmx.nn.losses import roi_loss
from bmx.nn.roi_unet import RoiUNet
from bmx.regions import Region, get_region
from bmx.types import FloatVolume, Mask

logger = logging.getLogger(__name__)

Examples = Sequence[tuple[FloatVolume, Mask]]
"""(volume, mask), each (z, y, x), as `bmx.core.preparation.prepare` gives the volume."""

CHECKPOINT = "checkpoint.safetensors"
CURVE = "curve.csv"


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a network is trained."""

    architecture: str = "roi_attention_unet"
    """A name of `bmx.nn.build.ARCHITECTURES`."""
    sizes: Mapping[str, Any] | None = None
    """Arguments of the builder; None for those of `bmx.nn.build.SIZES`."""
    steps: int = 800
    """Volumes seen, one at a time."""
    learning_rate: float = 2e-3
    """Of Adam (as the paper), after a short warm-up; falls to nearly zero along a cosine."""
    seed: int = 0
    """Of the initial weights, the order of the examples and their augmentation."""
    checkpoint_every: int = 50
    """Steps after which the state is written; a killed training goes on from there with equal results."""
    zoom: bool = False
    """Whether bodies are made smaller and larger: helps with the smallest people, takes longer to learn, and
    spoils a mask of fixed length such as the diaphysis."""
    start: str | None = None
    """Folder of a model of the same region and sizes whose weights training begins with; None for random ones."""
    centre_jitter: float = 0.06
    """While training, the ROI is cut around the true centre moved by up to this share of the volume."""


def train(
    region: str,
    out: str | Path,
    *,
    examples: Examples,
    held_out: Examples,
    training_data: str,
    simulated: bool,
    options: TrainingOptions | None = None,
    progress: Callable[[int, int, float], None] | None = None,
) -> Model:
    """Train one region's network and write a model directory.

    Works on the GPU of this process if it has one. Call it again after an interruption: it goes on from the
    last checkpoint in `out`, with equal results on the same device.

    Parameters
    ----------
    examples : pairs to learn from
    held_out : pairs that are only used at the end, for the Dice on the card
    training_data : one sentence for the card
    simulated : whether the examples are simulated anatomy; such a model is refused on images of people
    progress : called with (step, steps, loss)

    Raises
    ------
    ModelError
        If there are too few examples, or `out` holds the checkpoint of a training with other options.
    """
    if len(examples) < 2 or len(held_out) < 1:
        raise ModelError(
            f"expected at least 2 examples and 1 held out, found {len(examples)} and {len(held_out)}; give more"
        )
    options = options or TrainingOptions()
    if options.sizes is None and options.architecture in SIZES:
        options = replace(options, sizes=SIZES[options.architecture])
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(options.seed)
    # Initial weights are drawn on the CPU, so that they are the same on any device.
    network = build(options.architecture, get_region(region), options.sizes or {})
    if options.start is not None:
        _begin_with(Path(options.start), network, region)
    network = network.to(best_device())
    optimiser = torch.optim.Adam(network.parameters(), lr=options.learning_rate)
    identity = {key: str(value) for key, value in asdict(options).items()} | {"region": region}
    first = _resume(folder, network, optimiser, identity)
    _forget_curve(folder, first)

    for step in range(first, options.steps):
        for group in optimiser.param_groups:
            group["lr"] = options.learning_rate * _schedule(step, options.steps)
        loss = _train_step(network, optimiser, examples, step, options)
        if not math.isfinite(loss):
            raise ModelError(f"training of {region} diverged at step {step}: the loss is {loss}; lower learning_rate")
        _log(folder, step, loss)
        if progress is not None:
            progress(step + 1, options.steps, loss)
        if (step + 1) % options.checkpoint_every == 0 or step + 1 == options.steps:
            _checkpoint(folder, network, optimiser, identity, step + 1)

    scores = held_out_dice(network.eval(), held_out)
    if not scores:
        raise ModelError(f"no held-out mask of {region} has a voxel, nor was one drawn: hold out other examples")
    logger.info("%s: held-out Dice %.3f (worst %.3f)", region, np.mean(scores), np.min(scores))
    card = _card(get_region(region), options, training_data, simulated, examples, scores)
    card = ModelCard(**{**asdict(card), "weights_digest": save_weights(folder, network)})
    card.write(folder)
    return Model(str(folder), card)


def _begin_with(folder: Path, network: RoiUNet, region: str) -> None:
    """Take the weights of another model of the region: fine-tuning needs fewer steps than a fresh start."""
    card = ModelCard.read(folder)
    if card.region != region:
        raise ModelError(f"{folder} is a model of {card.region}, expected {region}; start from a model of {region}")
    load_weights(folder, network, card.weights_digest)


def held_out_dice(network: RoiUNet, examples: Examples) -> list[float]:
    """Dice of each example, with the ROI where the network itself puts it; none where both masks are empty."""
    scores = []
    device = next(network.parameters()).device
    with torch.inference_mode():
        for volume, mask in examples:
            logits = network(torch.from_numpy(volume)[None, None].to(device)).logits[0, 0].cpu().numpy()
            scores.append(dice(logits > 0, mask))
    return [score for score in scores if not math.isnan(score)]


def _train_step(
    network: RoiUNet,
    optimiser: torch.optim.Optimizer,
    examples: Examples,
    step: int,
    options: TrainingOptions,
) -> float:
    """One example, one update. Everything random depends on the seed and the step alone, so that a resumed
    training takes the same path as one that was never interrupted.
    """
    epoch, place = divmod(step, len(examples))
    order = np.random.default_rng([options.seed, epoch]).permutation(len(examples))
    rng = np.random.default_rng([options.seed, epoch, place])
    volume, mask = examples[int(order[place])]
    seen, target = augment(torch.from_numpy(volume), torch.from_numpy(mask.astype(np.float32)), rng, zoom=options.zoom)
    centre = mask_centre(target)
    jitter = torch.from_numpy(rng.uniform(-1, 1, 3).astype(np.float32)) * options.centre_jitter
    device = next(network.parameters()).device
    optimiser.zero_grad()
    prediction = network(seen[None, None].to(device), at=(centre + jitter)[None].to(device))
    loss = roi_loss(prediction, target[None, None].to(device), centre[None].to(device))
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def mask_centre(mask: Tensor) -> Tensor:
    """Middle of the bounding box of a mask (z, y, x), as z y x in [-1, 1]; 0 if it is empty.

    The middle of the box, not the centre of mass: a ROI cut around it holds the whole structure.
    """
    inside = torch.nonzero(mask)
    if len(inside) == 0:
        return torch.zeros(3)
    middle = (inside.amin(dim=0) + inside.amax(dim=0) + 1) / 2
    return middle / torch.tensor(mask.shape) * 2 - 1


def _schedule(step: int, steps: int) -> float:
    warm_up = min(1.0, (step + 1) / 20)
    return warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / steps)))


def _log(folder: Path, step: int, loss: float) -> None:
    path = folder / CURVE
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        if new:
            writer.writerow(["step", "loss"])
        writer.writerow([step, f"{loss:.5f}"])


def _forget_curve(folder: Path, step: int) -> None:
    """Drop what an interrupted training logged after its last checkpoint: these steps are taken again."""
    path = folder / CURVE
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        path.write_text("".join(lines[: step + 1]), encoding="utf-8") if step else path.unlink()


def _checkpoint(
    folder: Path, network: RoiUNet, optimiser: torch.optim.Optimizer, identity: dict[str, str], step: int
) -> None:
    """Weights and Adam's moments as safetensors (no pickle), replaced atomically."""
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"adam/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    temporary = folder / f"{CHECKPOINT}.tmp"
    metadata = {**identity, "step": str(step)}
    safetensors.torch.save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, metadata=metadata)
    temporary.replace(folder / CHECKPOINT)


def _resume(folder: Path, network: RoiUNet, optimiser: torch.optim.Optimizer, identity: dict[str, str]) -> int:
    """Load the last checkpoint, if there is one; give the next step."""
    path = folder / CHECKPOINT
    if not path.exists():
        return 0
    with safetensors.safe_open(path, framework="pt") as stored:
        metadata = stored.metadata()
        step = int(metadata.pop("step"))
        if different := [f"{key}={metadata.get(key)}" for key in identity if metadata.get(key) != identity[key]]:
            raise ModelError(
                f"{folder} holds an unfinished training with other options ({', '.join(different)}); "
                "train into another folder, or delete this one"
            )
        tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # not a mapping
    network.load_state_dict({k.removeprefix("network/"): v for k, v in tensors.items() if k.startswith("network/")})
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("adam/"):
            _, index, key = name.split("/")
            moments.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    logger.info("going on with step %d of %s", step, folder)
    return step


def _card(
    region: Region, options: TrainingOptions, training_data: str, simulated: bool, examples: Examples,
    scores: list[float],
) -> ModelCard:  # fmt: skip
    slab = SLABS[region.slab]
    voxel_ml = slab.slice_mm * PIXEL_MM**2 / 1000
    volumes = [float(mask.sum()) * voxel_ml for _, mask in examples]
    return ModelCard(
        region=region.name,
        architecture=options.architecture,
        sizes=dict(options.sizes or {}),
        input="fat+water",
        spacing=(slab.slice_mm, PIXEL_MM, PIXEL_MM),
        orientation="z Superior, y Posterior, x Left",
        normalisation="98th percentile of tissue = 1, cut to the body (bmx.core.preparation)",
        training_data=training_data,
        training_steps=options.steps,
        simulated=simulated,
        held_out={
            "dice_mean": float(np.mean(scores)), "dice_sd": float(np.std(scores, ddof=1)) if len(scores) > 1 else 0.0,
            "dice_worst": float(np.min(scores)), "n": len(scores),
        },
        reference={"volume_mean_ml": float(np.mean(volumes)), "volume_sd_ml": float(np.std(volumes, ddof=1))},
        intended_use=(
            "simulated anatomy, not for people: tests, demonstration and teaching" if simulated
            else "research on UK Biobank Dixon images; check the masks before you use the numbers"
        ),
        licence="BSD-3-Clause",
    )  # fmt: skip
