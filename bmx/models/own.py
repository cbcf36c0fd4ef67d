"""Our own models: a model directory with a card, whose network is loaded once in each worker process."""

from __future__ import annotations

import functools
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bmx.core.geometry import voxel_size
from bmx.core.orientation import STORED
from bmx.core.overlap import expected_dice
from bmx.core.preparation import prepare
from bmx.errors import ModelError
from bmx.models.base import Drawing, Side
from bmx.models.cards import CARD, ModelCard
from bmx.models.view import View
from bmx.regions import REGIONS, get_region
from bmx.types import Affine, FloatVolume, IntVolume

if TYPE_CHECKING:
    import torch

    from bmx.nn.network import Network

logger = logging.getLogger(__name__)

_UNUSUAL = 0.02
"""By how much confidence is lower in the least sure of ten whole regions: `benchmarks/neighbours.py`."""

_SAME = 0.02
"""Voxels whose edges differ by less than this share are seen as they are: headers are rounded, and people differ by
far more."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model directory: small enough to travel to any worker, which loads the network itself."""

    folder: str
    card: ModelCard
    device: str | None = None
    """Where the network runs, as torch names it; by default on `best_device()`."""

    @property
    def region(self) -> str:
        """What it draws, one of `bmx.regions.REGIONS`."""
        return self.card.region

    @property
    def digest(self) -> str:
        """Of the weights; identifies the model in results."""
        return self.card.weights_digest

    @property
    def simulated(self) -> bool:
        """Trained on simulated anatomy: refused on images of people unless asked for."""
        return self.card.simulated

    @property
    def sure(self) -> float:
        """A little less than the confidence it usually has on participants that training never saw."""
        return self.card.reference.get("confidence_median", float("nan")) - _UNUSUAL

    def network(self) -> Network:
        """The network where it runs, ready to predict; loaded on first use in this process and kept."""
        return _load_network(self.folder, self.digest, device=self.device)

    def draw(self, fat: IntVolume, water: IntVolume, affine: Affine, *, side: Side = "left") -> Drawing:
        """Draw the region in one volume; see `bmx.models.base.RegionModel`.

        The network sees what the card says, cut to the body; voxels of another size than it has learned are resampled,
        and its mask is laid back. It has learned left femora: a right one is drawn in the mirrored volume.
        """
        if side == "right":
            mirrored = self.draw(fat[..., ::-1], water[..., ::-1], affine)
            return Drawing(mirrored.mask[..., ::-1], mirrored.confidence)
        if np.allclose(voxel_size(affine)[::-1], self.card.spacing, rtol=_SAME, atol=0):
            return self._draw(fat, water)
        view = View(("fat", "water"), STORED, self.card.spacing)
        seen = view.see(fat, water, affine)
        drawing = self._draw(*seen.images)
        return Drawing(view.lay_back(drawing.mask, seen), drawing.confidence)

    def _draw(self, fat: IntVolume | FloatVolume, water: IntVolume | FloatVolume) -> Drawing:
        """Draw in a volume of the voxels that the network has learned."""
        prepared = prepare(fat, water, self.card.input)
        mask = np.zeros(fat.shape, np.uint8)
        if not prepared.volume.any():
            return Drawing(mask, float("nan"))
        logits = self.logits(prepared.volume)
        mask[prepared.box] = logits > 0
        return Drawing(mask, expected_dice(logits))

    def logits(self, volume: FloatVolume) -> npt.NDArray[np.float32]:
        """Logits of a prepared volume, (z, y, x) to (z, y, x); on the CPU if the GPU has no room for it."""
        import torch

        seen = torch.from_numpy(np.ascontiguousarray(volume))[None, None]
        try:
            return _forward(self.network(), seen.to(self.device or best_device()))
        except torch.cuda.OutOfMemoryError:
            # One volume is the smallest batch there is.
            size = " x ".join(map(str, volume.shape))
            logger.warning("%s: a volume of %s doesn't fit the GPU's memory, drawn on the CPU", self.region, size)
            torch.cuda.empty_cache()
        return _forward(_load_network(self.folder, self.digest, device="cpu"), seen)


def best_device() -> torch.device:
    """The GPU of this process if it has one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _forward(network: Network, seen: torch.Tensor) -> npt.NDArray[np.float32]:
    import torch

    with torch.inference_mode():
        logits: npt.NDArray[np.float32] = network(seen).logits[0, 0].cpu().numpy()
    return logits


@functools.lru_cache(maxsize=2 * len(REGIONS))
def _load_network(folder: str, digest: str, *, device: str | None = None) -> Network:
    """The digest is part of the key: a model trained anew in the same folder is loaded anew."""
    from bmx.models.weights import load_weights
    from bmx.nn.build import build

    card = ModelCard.read(Path(folder))
    try:
        network = build(card.architecture, get_region(card.region), card.sizes)
    except (ValueError, TypeError) as exc:
        raise ModelError(f"the card {Path(folder) / CARD} describes no network of this bmx: {exc}") from exc
    load_weights(Path(folder), network, digest, region=card.region, contrast=card.input)
    return network.to(device or best_device()).eval()
