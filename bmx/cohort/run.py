"""`run`: segment and measure every participant of a store, on any Dask cluster, resumable at any moment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from bmx.acquisition import slab_number
from bmx.cohort.partition import THREADS, run_partition
from bmx.errors import StoreError
from bmx.measurement import get_recipe
from bmx.models.library import Models, load_models
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder, absolute_place
from bmx.regions import REGIONS, get_region
from bmx.segmentation import check_allowed
from bmx.store.reading import open_store
from bmx.store.results import create_masks, masks_beside, open_results, write_results

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)


def run(
    store: str | Path,
    results: str | Path,
    *,
    models: str | Path | Models,
    regions: Sequence[str] | None = None,
    recipe: str = "paper",
    masks: str | Path | None = None,
    allow_simulated: bool = False,
    client: Client | None = None,
    workers: int | None = None,
) -> xr.Dataset:
    """Segment and measure all participants; give the lazy results Dataset.

    The partitioned form of `measure(slabs, masks=segment(slabs, models=models))`. Masks go to a store of
    their own. Call it again after any interruption: only the missing partitions are done, a finished run
    does nothing, and of a store that has grown only the new participants are measured.

    Parameters
    ----------
    store : from `bmx.convert`
    results : where the results go, `something.zarr`
    models : a directory of models, or "simulated" for the weights that ship with bmx
    regions : which to measure; by default all whose slab is in the store
    recipe : how fat fraction is computed, see `bmx.measure`
    masks : where the masks go; by default `something.masks.zarr` beside the results
    allow_simulated : use models trained on simulated anatomy on images of people all the same
    client, workers : Dask client to work on (default: the active one), or the number of local processes

    Returns
    -------
    Dataset, participant x region; every participant of the store has a row.

    Raises
    ------
    StoreError
        If `results` holds a run with another store, model, recipe or choice of regions.
    ModelError
        If a region has no model, or a model trained on simulation meets a store that isn't simulated.
    """
    url, target = absolute_place(store), absolute_place(results)
    slabs = open_store(url)
    chosen = _regions(slabs, regions)
    found = load_models(models, regions=tuple(chosen))
    check_allowed(slabs, found, allow_simulated=allow_simulated)
    masks_url = absolute_place(masks) if masks is not None else masks_beside(target)
    plan = Plan(
        eids=tuple(slabs["participant"].to_numpy().tolist()),
        size=int(slabs.attrs["partition_size"]),
        options={
            "store": url,
            "masks": masks_url,
            "regions": chosen,
            "models": {name: [absolute_place(model.folder), model.digest] for name, model in found.items()},
            "recipe": get_recipe(recipe).name,
            "bmx_version": version("bmx"),
        },
    )
    work = WorkFolder.beside(target)
    if work.has_plan():
        _refuse_other_run(work.read_plan(), plan, target)
    if work.is_finished(plan) and not work.missing(plan):
        logger.info("run: %s is finished, nothing to do", target)
        return open_results(target)
    attrs = {
        # The name alone: where it lies may change, and would make two equal runs differ.
        "source": url.rstrip("/").rpartition("/")[2],
        "partition_size": plan.size,
        "bmx_version": version("bmx"),
        "threads": THREADS,
        "simulated": bool(slabs.attrs["simulated"]),
        "models_simulated": any(model.card.simulated for model in found.values()),
    }
    digests = {name: model.digest for name, model in found.items()}
    work.write_plan(plan)
    create_masks(masks_url, eids=plan.eids, shard=plan.size, models=digests, attrs=attrs)
    run_missing(run_partition, work, plan, client=client, workers=workers, label="run")
    work.sweep()
    records = [work.read_record(part.index) for part in plan.partitions()]
    attrs |= get_recipe(recipe).attrs
    write_results(target, records, eids=plan.eids, regions=chosen, models=digests, attrs=attrs)
    work.write_finished(plan)
    return open_results(target)


def _regions(slabs: xr.DataTree, asked: Sequence[str] | None) -> list[str]:
    """The regions to measure, in their fixed order."""
    if asked is not None:
        names = {get_region(name).name for name in asked}
        return [name for name in REGIONS if name in names]
    here = {slab_number(name) for name in slabs.children if name.startswith("slab_")}
    return [region.name for region in REGIONS.values() if region.slab in here]


def _refuse_other_run(before: Plan, now: Plan, target: str) -> None:
    """Values made in different ways must never stand in one results store; participants may be added."""
    problems = [
        f"{name} {before.options.get(name)}, now {now.options[name]}"
        for name in now.options
        if before.options.get(name) != now.options[name]
    ]
    if before.size != now.size or before.eids != now.eids[: len(before.eids)]:
        problems.append("participants that this store no longer holds in the same order")
    if problems:
        raise StoreError(
            f"{target} holds a run with other {'; '.join(problems)}. "
            "Write to another place, or delete it together with its .work folder"
        )
