"""Weights on disk: safetensors of half precision or eight bits, with a digest. Nothing can run code when loaded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from bmx.errors import ModelError
from bmx.models.packing import pack, unpack

WEIGHTS = "weights.safetensors"


def save_weights(folder: Path, network: nn.Module, *, packed: bool = False) -> str:
    """Write a network's weights as float16, or `packed` into eight bits; give the digest of the file."""
    state = _state(network)
    half = {name: tensor.detach().to("cpu", torch.float16).contiguous() for name, tensor in state.items()}
    # save_file would make a file that only its owner can read; models are for sharing.
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(pack(state) if packed else half))
    return file_digest(folder / WEIGHTS)


def load_weights(folder: Path, network: nn.Module, digest: str) -> None:
    """Load weights into a network of the right shape; `digest` must be that of the file."""
    path = folder / WEIGHTS
    if not path.is_file():
        raise ModelError(f"{folder} has no {WEIGHTS}; copy the whole model directory")
    if (found := file_digest(path)) != digest:
        raise ModelError(
            f"{path} is not the file that its card describes: expected digest {digest}, found {found}; "
            "copy the model directory again"
        )
    try:
        tensors = unpack(safetensors.torch.load_file(path))
    except safetensors.SafetensorError as exc:
        raise ModelError(f"{path} is not a safetensors file ({exc})") from exc
    expected = {name: tuple(tensor.shape) for name, tensor in _state(network).items()}
    shapes = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    if different := sorted(name for name in expected.keys() | shapes.keys() if expected.get(name) != shapes.get(name)):
        name = different[0]
        raise ModelError(
            f"{path} does not fit the architecture on its card: {len(different)} tensors differ, "
            f"first {name}: expected shape {expected.get(name)}, found {shapes.get(name)}"
        )
    network.load_state_dict(tensors)


def file_digest(path: Path) -> str:
    """BLAKE2 digest of a file, 32 hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _state(network: nn.Module) -> Mapping[str, Tensor]:
    state: dict[str, Tensor] = network.state_dict()
    return state
