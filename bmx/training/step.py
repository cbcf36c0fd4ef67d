"""One example, one update. All that training knows of a network's interface is here."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from bmx.nn.augment import augment
from bmx.nn.network import Network
from bmx.training.examples import Examples
from bmx.training.options import TrainingOptions
from bmx.types import FloatVolume


def train_step(
    network: Network,
    optimiser: torch.optim.Optimizer,
    examples: Examples,
    step: int,
    options: TrainingOptions,
    *,
    done: float | None = None,
) -> float:
    """Take one step; give its loss.

    `done`, 0 to 1, is how much of the training is over: it sets the learning rate. By default it is the share of the
    steps; a training that ends by the clock gives the share of its time.

    Everything random depends on the seed and the step alone, so that a resumed training takes the same path as
    one that was never interrupted.
    """
    epoch, place = divmod(step, len(examples))
    order = np.random.default_rng([options.seed, epoch]).permutation(len(examples))
    rng = np.random.default_rng([options.seed, epoch, place])
    volume, mask = examples[int(order[place])]
    seen, target = augment(torch.from_numpy(volume), torch.from_numpy(mask.astype(np.float32)), rng, zoom=options.zoom)
    centre = mask_centre(target)
    jitter = torch.from_numpy(rng.uniform(-1, 1, 3).astype(np.float32)) * options.centre_jitter
    device = next(network.parameters()).device
    for group in optimiser.param_groups:
        group["lr"] = options.learning_rate * schedule(step, step / options.steps if done is None else done)
    optimiser.zero_grad()
    with torch.autocast(device.type, dtype=torch.bfloat16, enabled=_mixed(device)):
        prediction = network(seen[None, None].to(device), at=(centre + jitter)[None].to(device))
        loss = prediction.loss(target[None, None].to(device), centre[None].to(device))
    loss.backward()  # type: ignore[no-untyped-call]  # torch does not annotate it
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def predict(network: Network, volume: FloatVolume) -> FloatVolume:
    """Logits (z, y, x) that a network gives a volume (z, y, x), with the ROI where the network itself puts it."""
    device = next(network.parameters()).device
    with torch.inference_mode():
        logits: FloatVolume = network(torch.from_numpy(volume)[None, None].to(device)).logits[0, 0].cpu().numpy()
    return logits


def mask_centre(mask: Tensor) -> Tensor:
    """Middle of the bounding box of a mask (z, y, x), as z y x in [-1, 1]; 0 if it is empty.

    The middle of the box, not the centre of mass: a ROI cut around it holds the whole structure.
    """
    inside = torch.nonzero(mask)
    if len(inside) == 0:
        return torch.zeros(3)
    middle = (inside.amin(dim=0) + inside.amax(dim=0) + 1) / 2
    return middle / torch.tensor(mask.shape) * 2 - 1


def schedule(step: int, done: float) -> float:
    """Share of the learning rate: a warm-up of 20 steps, then a cosine down to a hundredth when all is done."""
    warm_up = min(1.0, (step + 1) / 20)
    return warm_up * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * done)))


def _mixed(device: torch.device) -> bool:
    """Half of the bits where a GPU has bfloat16, whose range needs no scaling of the loss; never on a CPU."""
    return device.type == "cuda" and torch.cuda.is_bf16_supported()
