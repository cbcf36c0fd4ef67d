"""Where a run writes, and whether what lies there is of this very run: values made in two ways never stand together.

Places don't tell runs apart, since folders are moved, mounted elsewhere and seen through links. What lies there does.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Any

import fsspec
import numpy as np
import xarray as xr
import zarr

from bmx.acquisition import CONTRASTS, slab_number
from bmx.errors import StoreError
from bmx.partitions.plan import Plan
from bmx.partitions.work import WorkFolder
from bmx.store.layout import find_store
from bmx.store.results import MASKS_FORMAT, RESULTS_FORMAT, VERSION
from bmx.store.withdrawal import is_tombstone

logger = logging.getLogger(__name__)

_WHERE = ("store", "masks")
"""Options of a plan that say where things lie, or lay when it was written."""


def contents_of(slabs: xr.DataTree) -> dict[str, Any]:
    """What a store holds besides its participants that values depend on, as options of a plan."""
    names = sorted(name for name in slabs.children if name.startswith("slab_"))
    return {
        # Neighbours are looked at, and swaps are found in all slabs together.
        "slabs": [slab_number(name) for name in names],
        "contrasts": [name for name in CONTRASTS if all(name in slabs[slab] for slab in names)],
        "instance": slabs.attrs.get("ukb_instance"),
    }


def parameters(options: Mapping[str, Any]) -> dict[str, Any]:
    """What the values of a run depend on besides the images, by the words of a message.

    Examples
    --------
    >>> parameters({"store": "a.zarr", "recipe": "paper", "models": {"spine": {"digest": "01ab"}}})
    {'recipe': 'paper', 'model of spine': '01ab'}
    """
    kept = {name: value for name, value in options.items() if name not in (*_WHERE, "models")}
    # Models may lie elsewhere if their weights are the same.
    return kept | {f"model of {name}": told["digest"] for name, told in options.get("models", {}).items()}


def parameters_digest(options: Mapping[str, Any]) -> str:
    """Digest of the parameters: 32 hexadecimal digits, the same wherever store and models lie."""
    text = json.dumps(parameters(options), sort_keys=True)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def choose_place(target: str, options: Mapping[str, Any], *, beside: bool) -> str:
    """Where results go: `target`, or a place named by our parameters if others are there, and `beside` is wanted."""
    work = WorkFolder.beside(target)
    if not beside or not work.has_plan() or parameters(work.read_plan().options) == parameters(options):
        return target
    other = f"{target.removesuffix('.zarr')}-{parameters_digest(options)[:8]}.zarr"
    logger.warning("run: %s holds a run of other parameters, this one goes to %s", target, other)
    return other


def check_place(work: WorkFolder, plan: Plan, target: str, masks_url: str) -> bool:
    """Say whether the results are there; refuse places that hold anything but an earlier call of this very run.

    Raises
    ------
    StoreError
        What is there, and what differs.
    """
    if masks_url == target:
        raise StoreError(f"masks and results can't both lie at {target}; give masks= another place, or leave it out")
    results = find_store(target, RESULTS_FORMAT, VERSION)
    masks = find_store(masks_url, MASKS_FORMAT, VERSION)
    if not work.has_plan():
        # Nothing is written over that this run has not made, whatever it is.
        if taken := [place for place in (target, masks_url) if _something_at(place)]:
            raise StoreError(
                f"{taken[0]} exists, but {work.url} does not, which would say how it was made; "
                "write to another place, or delete it first"
            )
        return False
    before = work.read_plan()
    _refuse_other_run(before, plan, target)
    if masks is None and len(work.missing(before)) < len(before):
        raise StoreError(
            f"{masks_url} is gone, but {work.url} says that it was made; delete that folder to start anew, or say with "
            "masks= where it lies now"
        )
    if masks is not None and not _holds_masks_of(masks, plan):
        raise StoreError(
            f"{masks_url} holds the masks of another run than {target}; say with masks= where those of this run lie"
        )
    return results is not None


def _holds_masks_of(masks: zarr.Group, plan: Plan) -> bool:
    """Whether a masks store, which may be shorter or half lengthened, is of this run."""
    if masks.attrs.get("parameters") != parameters_digest(plan.options):
        return False
    if "participant" not in masks:  # killed while it was laid out
        return True
    array = masks["participant"]
    assert isinstance(array, zarr.Array)
    held = np.asarray(array[:])
    # 0 isn't written yet, and below are tombstones of a withdrawal, which the store may not know yet.
    rows = np.flatnonzero(held > 0)
    return len(held) <= len(plan.eids) and np.array_equal(held[rows], np.asarray(plan.eids, np.int64)[rows])


def _something_at(place: str) -> bool:
    fs, path = fsspec.core.url_to_fs(place)
    return bool(fs.exists(path))


def _refuse_other_run(before: Plan, now: Plan, target: str) -> None:
    """Refuse what isn't the same run; participants may have been added."""
    then, wanted = parameters(before.options), parameters(now.options)
    problems = [
        f"{name}: was {then.get(name)}, asked for {wanted[name]}" for name in wanted if then.get(name) != wanted[name]
    ]
    beside = ", or beside it with beside=True (--beside)" if problems else ""
    if before.size != now.size or before.eids != now.eids[: len(before.eids)]:
        gone = sum(is_tombstone(eid) and eid != old for old, eid in zip(before.eids, now.eids, strict=False))
        problems.append(
            f"participants: {gone} participants were withdrawn from the store and are still in the results; call "
            "bmx.withdraw with these results"
            if gone
            else "participants: the store holds others, or not in the same order or partitions"
        )
    if problems:
        raise StoreError(
            f"{target} holds another run. {'; '.join(problems)}. "
            f"Write to another place{beside}, or delete it together with its masks and its .work folder"
        )
