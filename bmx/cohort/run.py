"""`run`: segment and measure every participant of a store, on any Dask cluster, resumable at any moment."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from bmx.cohort.changed import forget_changed
from bmx.cohort.failed import forget_failed, tell_of_failed
from bmx.cohort.partition import THREADS, run_partition
from bmx.cohort.places import check_place, choose_place, contents_of, parameters_digest
from bmx.core.recipes import Recipe, recipe_for_plan
from bmx.measurement import DEFAULT_RECIPE, ORIGIN, get_recipe
from bmx.models.base import Models
from bmx.models.told import tell_model
from bmx.partitions.engine import run_missing
from bmx.partitions.plan import Plan
from bmx.partitions.rescue import rescue
from bmx.partitions.work import WorkFolder, absolute_place, sweep_partial
from bmx.regions import get_region
from bmx.segmentation import Sides, check_allowed, choose_regions, models_of, regions_by_slab
from bmx.store.reading import open_store
from bmx.store.results import commit_masks, create_masks, masks_beside, open_results, write_results

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)


def run(
    store: str | Path,
    results: str | Path,
    *,
    models: str | Path | Models,
    regions: str | Sequence[str] | None = None,
    side: Sides = "left",
    recipe: str | Recipe = DEFAULT_RECIPE,
    neighbours: bool = True,
    swaps: bool = True,
    masks: str | Path | None = None,
    beside: bool = False,
    retry: bool = False,
    allow_simulated: bool = False,
    client: Client | None = None,
    workers: int | None = None,
    timeout: float | None = None,
) -> xr.Dataset:
    """Segment and measure all participants; give the lazy results Dataset.

    The partitioned form of `measure(slabs, masks=segment(slabs, models=models))`. Masks go to a store of
    their own. Call it again after any interruption: only the missing partitions are done, a finished run
    does nothing, and of a store that has grown only the new participants are measured. Where a participant's archive
    is another one than that which was measured, its partition is done again. Between calls, store, results with their
    work folder, masks and models may be moved: what they hold tells whether it is the same run, not where they lie.

    Parameters
    ----------
    store : from `bmx.convert`
    results : where the results go, `something.zarr`
    models : a directory of models, "simulated" for the weights that ship with bmx, or region -> model, such as
        `bmx.models.from_nnunet` and `from_callable` make; a function must be one that the workers can import
    regions : which to measure; by default all whose slab is in the store
    side : of the femora, "left" as in the paper, "right" or "both", see `bmx.segment`
    recipe : how fat fraction is computed, see `bmx.measure`
    neighbours : look for a region beside its slab where it leaves that, see `bmx.segment`
    swaps : find where fat and water are exchanged, and measure them exchanged back, see `bmx.segment`
    masks : where the masks go; by default `something.masks.zarr` beside the results
    beside : if `results` holds a run of other models or another recipe, write to `something-<digest>.zarr` beside it
    retry : measure participants again, with all of their partition, who failed because a model raised or a worker died
        or hung. Without it they stay as they are
    allow_simulated : use models trained on simulated anatomy on images of people all the same
    client, workers : Dask client to work on (default: the active one), or the number of local processes. Workers that
        declare a resource GPU do no more tasks at once than they have of it
    timeout : seconds that one partition may take; a worker that takes longer is killed and replaced

    Returns
    -------
    Dataset, participant x region; every participant of the store has a row. What was measured in each vertebra lies
    beside it, see `bmx.open_vertebrae`. One whose images make a model raise, kill the process that works on them or
    block it beyond `timeout`, is `failed` with that reason, and the log says how many are.

    Raises
    ------
    StoreError
        If `results` or `masks` holds anything but an earlier call of the same run, or can't be written.
    MemoryError
        If a model wants more memory than there is.
    ModelError
        If a region has no model or its slab is not in the store, a model trained on simulation meets a store that
        isn't simulated, or workers can't make a model anew: `segment` takes any.
    """
    url = absolute_place(store)
    slabs = open_store(url)
    chosen = choose_regions(slabs, regions, side)
    found = models_of(chosen, models)
    check_allowed(slabs, found, allow_simulated=allow_simulated)
    options: dict[str, Any] = {
        "store": url,
        **contents_of(slabs),
        "regions": chosen,
        "models": {get_region(name).site: tell_model(model) for name, model in found.items()},
        "recipe": recipe_for_plan(recipe),
        "neighbours": neighbours,
        "swaps": swaps,
        "bmx_version": version("bmx"),
    }
    target = choose_place(absolute_place(results), options, beside=beside)
    masks_url = absolute_place(masks) if masks is not None else masks_beside(target)
    plan = Plan(
        eids=tuple(slabs["participant"].to_numpy().tolist()),
        size=int(slabs.attrs["partition_size"]),
        options=options | {"masks": masks_url},
    )
    work = WorkFolder.beside(target)
    exists = check_place(work, plan, target, masks_url)
    missing = set(work.missing(plan))
    finished = exists and work.is_finished(plan) and not missing
    done = [part for part in plan.partitions() if part.index not in missing]
    measured = open_results(target) if finished else None
    again = forget_changed(work, done, slabs.to_dataset()["source_digest"], measured, store=url)
    if retry:
        again += forget_failed(work, done, slabs, chosen)
    if measured is not None and not again:
        logger.info("run: %s is finished, nothing to do", target)
        tell_of_failed(measured, slabs)
        return measured
    attrs = {
        **{name: slabs.attrs[name] for name in ORIGIN if name in slabs.attrs},
        # The name alone: where it lies may change, and would make two equal runs differ.
        "source": url.rstrip("/").rpartition("/")[2],
        "partition_size": plan.size,
        "bmx_version": version("bmx"),
        "parameters": parameters_digest(options),
        "threads": THREADS,
        "models_simulated": any(model.simulated for model in found.values()),
    }
    digests = {name: model.digest for name, model in found.items()}
    # Left from an earlier call, whose results may be gone, it would have half-written ones taken for finished.
    work.remove_file("finished")
    work.write_plan(plan)
    by_slab = regions_by_slab(slabs, chosen, neighbours=neighbours)
    create_masks(masks_url, eids=plan.eids, shard=plan.size, regions=by_slab, models=digests, swaps=swaps, attrs=attrs)
    run_missing(
        run_partition, work, plan, client=client, workers=workers, label="run",
        rescue=partial(rescue, task=run_partition, timeout=timeout), timeout=timeout, resource="GPU",
    )  # fmt: skip
    work.sweep()
    sweep_partial(masks_url)
    commit_masks(masks_url)
    records = list(work.read_records(range(len(plan))))
    used = get_recipe(recipe)
    attrs |= {**used.attrs, "correction": ""}
    write_results(target, records, eids=plan.eids, regions=chosen, models=digests, erosion=used.erosion, attrs=attrs)
    work.write_finished(plan)
    tell_of_failed(measured := open_results(target), slabs)
    return measured
