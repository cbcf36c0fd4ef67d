"""What every network here has in common: full-size logits, and a prediction that knows its own loss."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import Protocol

from torch import Tensor, nn


class Prediction(Protocol):
    """What a network says of a batch of volumes."""

    @property
    def logits(self) -> Tensor:
        """(b, 1, z, y, x), of the whole volume; above 0 is inside."""

    def loss(self, target: Tensor, centre: Tensor) -> Tensor:
        """What training makes small, a scalar.

        Parameters
        ----------
        target : (b, 1, z, y, x) 0 or 1
        centre : (b, 3) true centre of the mask, z y x in [-1, 1], where ±1 are the outer faces of the volume
        """


class Network(nn.Module):
    """A network that draws one region. Who trains or runs it need not know which one it is."""

    __call__: Callable[..., Prediction]

    @abstractmethod
    def forward(self, volume: Tensor, at: Tensor | None = None) -> Prediction:
        """Segment (b, 1, z, y, x) of any size.

        `at` (b, 3), z y x in [-1, 1], is where a network with a ROI shall look instead of where it would by
        itself: training gives the true place, because a network that still looks elsewhere learns no borders.
        """
