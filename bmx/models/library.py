"""Find models on disk: one for each region, by their cards alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from bmx.errors import ModelError
from bmx.models.base import Models, RegionModel
from bmx.models.cards import CARD, ModelCard
from bmx.models.own import Model
from bmx.regions import REGIONS, get_site

SHIPPED = {name: Path(__file__).parent / name for name in ("simulated", "simulated_fat")}
"""Weights trained on simulated anatomy: `models="simulated"` sees F + W, which a fat-water swap can't change;
`models="simulated_fat"` sees fat alone, as the paper does."""


def load_models(
    models: str | Path | Models, *, regions: str | Sequence[str] = tuple(REGIONS)
) -> dict[str, RegionModel]:
    """Find one model for each region; reads cards only.

    Parameters
    ----------
    models : a directory of model directories, one model directory, "simulated" for the weights that
        ship with bmx (trained on simulated anatomy; "simulated_fat" for those that see fat alone), or a
        mapping from region to model, its own or any `bmx.models.base.RegionModel`
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
    wanted = [get_site(name).name for name in ([regions] if isinstance(regions, str) else regions)]
    if isinstance(models, Mapping):
        found: dict[str, RegionModel] = dict(models)
        where = "the models given"
    else:
        folder = SHIPPED.get(str(models), Path(models))
        where = str(folder)
        if not folder.is_dir():
            raise ModelError(f"there is no folder {folder}; models= takes a directory of models, or 'simulated'")
        if (folder / "plans.json").is_file():
            raise ModelError(
                f"{folder} is a model of nnU-Net, and somebody must say what its labels and channels are: give "
                "models=bmx.models.from_nnunet(folder, labels=..., input=...), in Python"
            )
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
            "train one with `bmx train`, or ask only for regions that have one: regions=[...] (--regions)"
        )
    for name in wanted:
        if found[name].region != name:
            raise ModelError(f"the model given for {name} is a model of {found[name].region}")
    return {name: found[name] for name in wanted}
