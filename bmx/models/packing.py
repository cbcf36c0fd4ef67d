"""Weights of eight bits: a half of half precision, for models that are shipped."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_SCALE = ".scale"
_LARGEST = 127


def pack(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round weights of several dimensions to int8, each output channel by a scale of its own; the rest to float16.

    Examples
    --------
    >>> packed = pack({"w": torch.tensor([[1.0, -0.5], [0.0, 0.0]]), "b": torch.tensor([0.25])})
    >>> packed["w"].tolist(), packed["b"].dtype
    ([[127, -64], [0, 0]], torch.float16)
    >>> unpack(packed)["w"].round(decimals=2).tolist()
    [[1.0, -0.5], [0.0, 0.0]]
    """
    packed: dict[str, Tensor] = {}
    for name, tensor in state.items():
        weight = tensor.detach().to("cpu", torch.float32)
        if weight.ndim < 2:
            packed[name] = weight.to(torch.float16).contiguous()
            continue
        # The scale that is stored, not the exact one, decides what a step means.
        largest = weight.abs().amax(dim=tuple(range(1, weight.ndim)), keepdim=True)
        scale = (largest / _LARGEST).to(torch.float16)
        steps = torch.where(scale > 0, weight / scale.float().clamp_min(1e-30), 0)
        packed[name] = steps.round().clamp(-_LARGEST, _LARGEST).to(torch.int8).contiguous()
        packed[name + _SCALE] = scale.contiguous()
    return packed


def unpack(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give float32 weights, whether they were packed or not."""
    return {
        name: tensor.float() * tensors[name + _SCALE].float() if name + _SCALE in tensors else tensor.float()
        for name, tensor in tensors.items()
        if not (name.endswith(_SCALE) and name.removesuffix(_SCALE) in tensors)
    }
