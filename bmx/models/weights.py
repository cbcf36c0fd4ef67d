"""Weights on disk: safetensors of half precision or eight bits, with a digest. Nothing can run code when loaded."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from bmx.core.preparation import InputContrast
from bmx.errors import ModelError
from bmx.models.packing import pack, unpack

WEIGHTS = "weights.safetensors"

_FACTS = "bmx"
"""Entry of the file's metadata. A single one: safetensors writes several in any order, and the digest must hold."""


def save_weights(
    folder: Path, network: nn.Module, *, region: str, contrast: InputContrast, packed: bool = False
) -> str:
    """Write a network's weights as float16, or `packed` into eight bits; give the digest of the file.

    The file says which region they draw in which contrast, so that a card that says otherwise is noticed.
    """
    state = _state(network)
    half = {name: tensor.detach().to("cpu", torch.float16).contiguous() for name, tensor in state.items()}
    # save_file would make a file that only its owner can read; models are for sharing.
    facts = {_FACTS: json.dumps({"region": region, "input": contrast})}
    (folder / WEIGHTS).write_bytes(safetensors.torch.save(pack(state) if packed else half, metadata=facts))
    return file_digest(folder / WEIGHTS)


def load_weights(folder: Path, network: nn.Module, digest: str, *, region: str, contrast: InputContrast) -> None:
    """Load weights into a network of the right shape; `digest` must be that of the file.

    Where the file says what it draws and in which contrast, as `save_weights` writes it, that must be so.
    """
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
        with safetensors.safe_open(path, framework="pt") as file:
            facts = json.loads((file.metadata() or {}).get(_FACTS, "{}"))
    except safetensors.SafetensorError as exc:
        raise ModelError(f"{path} is not a safetensors file ({exc})") from exc
    for name, told in (("region", region), ("input", contrast)):
        if facts.get(name, told) != told:
            raise ModelError(
                f"{path} holds weights of {name} {facts[name]!r}, and its card says {told!r}; "
                "copy the model directory again"
            )
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
