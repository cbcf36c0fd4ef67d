"""Find models on disk: one for each region, by their cards alone."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from bmx.errors import ModelError
from bmx.models.base import Models, RegionModel
from bmx.models.cards import CARD, ModelCard
from bmx.models.own import Model
from bmx.regions import REGIONS, get_site

SHIPPED = Path(__file__).parent / "simulated"
"""Weights trained on simulated anatomy; `models="simulated"` means these."""


def load_models(models: str | Path | Models, *, regions: tuple[str, ...] = tuple(REGIONS)) -> dict[str, RegionModel]:
    """Find one model for each region; reads cards only.

    Parameters
    ----------
    models : a directory of model directories, one model directory, "simulated" for the weights that
        ship with bmx (trained on simulated anatomy), or a mapping from region to model, its
        own or any `bmx.models.base.RegionModel`
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
    wanted = [get_site(name).name for name in regions]
    if isinstance(models, Mapping):
        found: dict[str, RegionModel] = dict(models)
        where = "the models given"
    else:
        folder = SHIPPED if models == "simulated" else Path(models)
        where = str(folder)
        if not folder.is_dir():
            raise ModelError(f"there is no folder {folder}; models= takes a directory of models, or 'simulated'")
        found = {}
        folders: dict[str, Path] = {}
        for candidate in [folder] if (folder / CARD).is_file() else sorted(folder.iterdir()):
            if not (candidate / CARD).is_file():
                continue
            card = ModelCard.read(candidate)
            if card.region in found:
                raise ModelError(
                    f"{folder} holds two models of {card.region}: {folders[card.region]} and {candidate}; keep one"
                )
            found[card.region] = Model(str(candidate), card)
            folders[card.region] = candidate
    if missing := [name for name in wanted if name not in found]:
        raise ModelError(
            f"no model of {', '.join(missing)} in {where}, which has {', '.join(found) or 'none'}; "
            "train one with `bmx train`, or ask only for regions that have one"
        )
    for name in wanted:
        if found[name].region != name:
            raise ModelError(f"the model given for {name} is a model of {found[name].region}")
    return {name: found[name] for name in wanted}
