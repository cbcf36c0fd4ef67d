"""Weights out of an nnU-Net checkpoint, without unpickling anything that could run code.

nnU-Net v2 saves checkpoints with `torch.save`, which is a pickle, and reads them with `weights_only=False`, which runs
whatever is in them. Here PyTorch's restricted reader does it: it can make tensors, plain containers and, since nnU-Net
logs them, NumPy numbers. It refuses everything else, and so do we.
"""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from bmx.errors import ModelError

_NUMBERS = "?bhilqBHILQefd"
"""NumPy's type characters of truth values, whole and real numbers."""


class Checkpoint(NamedTuple):
    """What inference needs of a checkpoint."""

    weights: Mapping[str, Any]
    """Name -> torch.Tensor, on the CPU."""
    configuration: str
    """`3d_fullres`, `2d`, …"""
    trainer: str
    """Class that trained it."""
    mirroring_axes: tuple[int, ...] | None
    """Axes over whose mirrored images a prediction may be averaged."""


def read_checkpoint(path: Path) -> Checkpoint:
    """Read the weights of one fold.

    Parameters
    ----------
    path : `fold_0/checkpoint_final.pth`

    Raises
    ------
    ModelError
        If the file holds anything but numbers and text, or isn't a checkpoint of nnU-Net v2.
    """
    import torch

    try:
        with torch.serialization.safe_globals(_numpy_numbers()):
            entries = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as exc:
        raise ModelError(
            f"{path} holds more than weights, numbers and text, or is damaged, and loading it could run code of its "
            "author: bmx doesn't. If you trust it, save it again with these entries alone: network_weights, "
            f"init_args, trainer_name, inference_allowed_mirroring_axes. PyTorch says: {_first_line(exc)}"
        ) from exc
    except (RuntimeError, EOFError, OSError) as exc:
        raise ModelError(f"{path} can't be read as a PyTorch file ({_first_line(exc)}); copy the model again") from exc
    try:
        axes = entries.get("inference_allowed_mirroring_axes")
        return Checkpoint(
            weights=_plain_names(entries["network_weights"]),
            configuration=str(entries["init_args"]["configuration"]),
            trainer=str(entries["trainer_name"]),
            mirroring_axes=None if axes is None else tuple(int(axis) for axis in axes),
        )
    except (KeyError, TypeError, AttributeError) as exc:
        found = ", ".join(map(str, entries)) if isinstance(entries, Mapping) else type(entries).__name__
        raise ModelError(
            f"{path} is no checkpoint of nnU-Net v2: expected network_weights, init_args and trainer_name, "
            f"found {found or 'nothing'}"
        ) from exc


def _numpy_numbers() -> list[Any]:
    """What a logged NumPy number is made of; NumPy 1 had the same function under another name."""
    scalar = np.float64(0).__reduce__()[0]
    return [
        scalar,
        (scalar, "numpy.core.multiarray.scalar"),
        np.dtype,
        *{type(np.dtype(character)) for character in _NUMBERS},
    ]


def _plain_names(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights of a network that was trained on several GPUs, or compiled, are called as those of any other."""
    prefixes = ("module.", "_orig_mod.")
    named = {}
    for name, tensor in weights.items():
        for prefix in prefixes:
            name = name.removeprefix(prefix)
        named[name] = tensor
    return named


def _first_line(exc: BaseException) -> str:
    """PyTorch's messages are pages; what it refused is in a line of its own."""
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()]
    named = [line for line in lines if "GLOBAL" in line or "Unsupported" in line]
    return (named or lines or [type(exc).__name__])[0]
