"""The state of a training on disk: safetensors (no pickle), replaced atomically."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from bmx.errors import ModelError

logger = logging.getLogger(__name__)

CHECKPOINT = "checkpoint.safetensors"


@dataclass(slots=True)
class Progress:
    """How far a training has come."""

    step: int = 0
    """Steps taken."""
    best_dice: float = -1.0
    """Highest mean Dice of the validation part so far; -1 before the first validation."""
    best_step: int = 0
    waited: int = 0
    """Validations since then."""
    best: dict[str, Tensor] = field(default_factory=dict)
    """The weights of that step, on the CPU."""

    def validated(self, dice: float, network: nn.Module) -> None:
        """Note one validation, and keep the weights if they are the best so far."""
        if dice > self.best_dice:
            self.best_dice, self.best_step, self.waited = dice, self.step, 0
            self.best = {name: tensor.detach().to("cpu").clone() for name, tensor in network.state_dict().items()}
        else:
            self.waited += 1


def write_checkpoint(
    folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, identity: dict[str, str], progress: Progress
) -> None:
    """Write weights, Adam's moments and how far training has come; `identity` says which training this is."""
    tensors = {f"network/{name}": tensor for name, tensor in network.state_dict().items()}
    tensors |= {f"best/{name}": tensor for name, tensor in progress.best.items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"adam/{index}/{key}": torch.as_tensor(value) for key, value in state.items()}
    # repr() gives the very same number back.
    numbers = {name: repr(getattr(progress, name)) for name in ("step", "best_dice", "best_step", "waited")}
    temporary = folder / f"{CHECKPOINT}.tmp"
    separate = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    safetensors.torch.save_file(separate, temporary, metadata={**identity, **numbers})
    temporary.replace(folder / CHECKPOINT)


def resume(folder: Path, network: nn.Module, optimiser: torch.optim.Optimizer, identity: dict[str, str]) -> Progress:
    """Load the last checkpoint, if there is one.

    Raises
    ------
    ModelError
        If it is damaged, or of a training with other options.
    """
    path = folder / CHECKPOINT
    if not path.exists():
        return Progress()
    try:
        with safetensors.safe_open(path, framework="pt") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  # not a mapping
    except safetensors.SafetensorError as exc:
        raise ModelError(f"{path} is damaged ({exc}); delete it to train from the beginning") from exc
    if different := [f"{key}={metadata.get(key)}" for key in identity if metadata.get(key) != identity[key]]:
        raise ModelError(
            f"{folder} holds a training with other options or examples ({', '.join(different)}); "
            "train into another folder, or delete this one"
        )
    parts: dict[str, dict[str, Tensor]] = {"network": {}, "best": {}, "adam": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition("/")
        parts[part][rest] = tensor
    network.load_state_dict(parts["network"])
    moments: dict[int, dict[str, Tensor]] = {}
    for name, tensor in parts["adam"].items():
        index, _, key = name.partition("/")
        moments.setdefault(int(index), {})[key] = tensor
    optimiser.load_state_dict({**optimiser.state_dict(), "state": moments})
    progress = Progress(
        step=int(metadata["step"]), best_dice=float(metadata["best_dice"]), best_step=int(metadata["best_step"]),
        waited=int(metadata["waited"]), best=parts["best"],
    )  # fmt: skip
    logger.info("going on with step %d of %s", progress.step, folder)
    return progress
