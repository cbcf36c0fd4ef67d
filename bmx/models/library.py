"""Find models on disk and load their networks, once in each worker process."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bmx.errors import ModelError
from bmx.models.cards import CARD, ModelCard
from bmx.regions import REGIONS, get_region

if TYPE_CHECKING:
    import torch

    from bmx.nn.network import Network

SHIPPED = Path(__file__).parent / "simulated"
"""Weights trained on simulated anatomy; `models="simulated"` means these."""


@dataclass(frozen=True, slots=True)
class Model:
    """A model directory: small enough to travel to any worker, which loads the network itself."""

    folder: str
    card: ModelCard

    @property
    def digest(self) -> str:
        """Of the weights; identifies the model in results."""
        return self.card.weights_digest

    def network(self) -> Network:
        """The network on `best_device()`, ready to predict; loaded on first use in this process and kept."""
        return _load_network(self.folder, self.digest)


Models = Mapping[str, Model]
"""By region."""


def load_models(models: str | Path | Models, *, regions: tuple[str, ...] = tuple(REGIONS)) -> dict[str, Model]:
    """Find one model for each region; reads cards only.

    Parameters
    ----------
    models : a directory of model directories, one model directory, "simulated" for the weights that
        ship with bmx (trained on simulated anatomy), or a mapping that this function gave
    regions : the regions for which a model must be found

    Raises
    ------
    ModelError
        If a region has no model or two, or a card is damaged.

    Examples
    --------
    >>> sorted(load_models("simulated", regions=("spine",)))
    ['spine']
    """
    wanted = [get_region(name).name for name in regions]
    if isinstance(models, Mapping):
        found = dict(models)
        where = "the models given"
    else:
        folder = SHIPPED if models == "simulated" else Path(models)
        where = str(folder)
        if not folder.is_dir():
            raise ModelError(f"there is no folder {folder}; models= takes a directory of models, or 'simulated'")
        found = {}
        for candidate in [folder] if (folder / CARD).is_file() else sorted(folder.iterdir()):
            if not (candidate / CARD).is_file():
                continue
            card = ModelCard.read(candidate)
            if card.region in found:
                raise ModelError(
                    f"{folder} holds two models of {card.region}: {found[card.region].folder} and {candidate}; keep one"
                )
            found[card.region] = Model(str(candidate), card)
    if missing := [name for name in wanted if name not in found]:
        raise ModelError(
            f"no model of {', '.join(missing)} in {where}, which has {', '.join(found) or 'none'}; "
            "train one with `bmx train`, or ask only for regions that have one"
        )
    for name in wanted:
        if found[name].card.region != name:
            raise ModelError(f"the model given for {name} is a model of {found[name].card.region}")
    return {name: found[name] for name in wanted}


def best_device() -> torch.device:
    """The GPU of this process if it has one, else the CPU."""
    import torch

    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


@functools.lru_cache(maxsize=len(REGIONS))
def _load_network(folder: str, digest: str) -> Network:
    """The digest is part of the key: a model trained anew in the same folder is loaded anew."""
    from bmx.models.weights import load_weights
    from bmx.nn.build import build

    card = ModelCard.read(Path(folder))
    try:
        network = build(card.architecture, get_region(card.region), card.sizes)
    except ValueError as exc:
        raise ModelError(f"the card {Path(folder) / CARD} describes no network of this bmx: {exc}") from exc
    load_weights(Path(folder), network, digest)
    return network.to(best_device()).eval()
