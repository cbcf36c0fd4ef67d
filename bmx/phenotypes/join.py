"""Put phenotypes beside results, participant by participant."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd
import xarray as xr

from bmx.errors import PhenotypeError, name_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Unmatched:
    """Who a join would lose."""

    results: npt.NDArray[np.int64]
    """EIDs that have results and no phenotypes."""
    phenotypes: npt.NDArray[np.int64]
    """EIDs that have phenotypes and no results."""


def join(results: xr.Dataset, phenotypes: xr.Dataset) -> xr.Dataset:
    """Results and phenotypes of the participants that have both.

    Matched by EID, in the order of `results`; nothing of a Dask-backed dataset is computed. Who is left out is counted
    in the log and in `attrs`; `unmatched` names them. The rows of those who have withdrawn are dropped and not counted.

    Parameters
    ----------
    results : Dataset with dim `participant`
        From `bmx.open_results` or `bmx.qc.flag`.
    phenotypes : Dataset with dim `participant`
        From `bmx.read_phenotypes`.

    Returns
    -------
    Dataset
        Variables of both; `attrs["join_participants"]` counts who is on both sides, `attrs["join_only_results"]` and
        `attrs["join_only_phenotypes"]` who was left out.

    Raises
    ------
    PhenotypeError
        A side is no Dataset, has no `participant` coordinate or an EID twice, both have a variable of the same name,
        or no participant is on both sides.

    Examples
    --------
    >>> results = xr.Dataset({"bmff": ("participant", [40.0, 50.0])}, {"participant": [11, 12]})
    >>> phenotypes = xr.Dataset({"age": ("participant", [61.0, 62.0])}, {"participant": [12, 13]})
    >>> cohort = join(results, phenotypes)
    >>> cohort["bmff"].values.tolist(), cohort["age"].values.tolist()
    ([50.0], [61.0])
    >>> unmatched(results, phenotypes).phenotypes
    array([13])
    """
    left, right = _eids(results, "results"), _eids(phenotypes, "phenotypes")
    shared = sorted(set(map(str, results.variables)) & set(map(str, phenotypes.variables)) - {"participant"})
    if shared:
        raise PhenotypeError(
            f"results and phenotypes both have {', '.join(shared)}; expected different names: "
            "drop them on one side with drop_vars"
        )
    position = right.get_indexer(left)
    both = np.flatnonzero((position >= 0) & _is_eid(left))
    only_results, only_phenotypes = int(_is_eid(left).sum()) - len(both), len(right) - len(both)
    if not len(both):
        raise PhenotypeError(
            f"none of the {len(left)} participants with results is among the {len(right)} with phenotypes "
            f"(first EIDs {_first(left)} and {_first(right)}); are both of the same UK Biobank application?"
        )
    _log.info(
        "joined %d participants; left out %d with results only and %d with phenotypes only",
        len(both), only_results, only_phenotypes,
    )  # fmt: skip
    _compare_visits(results, phenotypes)
    # Taking everybody by index would cut the Dask chunks to pieces for nothing.
    kept = results if len(both) == len(left) else results.isel(participant=both)
    beside = phenotypes.isel(participant=position[both])
    counts = {
        "join_participants": len(both),
        "join_only_results": only_results,
        "join_only_phenotypes": only_phenotypes,
    }
    # What names the columns of a table of traits comes along.
    named = kept.assign_coords({name: beside[name].variable for name in beside.coords if name != "participant"})
    return named.assign({name: beside[name].variable for name in beside.data_vars}).assign_attrs(counts)


def _compare_visits(results: xr.Dataset, phenotypes: xr.Dataset) -> None:
    """Bones of one visit beside marrow of another, years apart, look like any others."""
    imaged, asked = results.attrs.get("ukb_instance"), phenotypes.attrs.get("phenotype_instance")
    if imaged is not None and asked is not None and int(imaged) not in np.atleast_1d(asked).tolist():
        _log.warning(
            "the images are of visit %d, the phenotypes of visit %s; read_phenotypes(..., instance=%d) takes those of "
            "the same day", int(imaged), asked, int(imaged),
        )  # fmt: skip


def unmatched(results: xr.Dataset, phenotypes: xr.Dataset) -> Unmatched:
    """The EIDs that `join` leaves out, on each side; arguments and errors as there."""
    left, right = _eids(results, "results"), _eids(phenotypes, "phenotypes")
    return Unmatched(
        results=left[~left.isin(right) & _is_eid(left)].to_numpy(),
        phenotypes=right[~right.isin(left)].to_numpy(),
    )


def _eids(data: xr.Dataset, side: str) -> pd.Index[int]:
    if not isinstance(data, xr.Dataset):
        raise PhenotypeError(
            f"{side} are no Dataset, but {name_of(data)}; open results with bmx.open_results, read phenotypes with "
            "bmx.read_phenotypes, then bmx.join(results, phenotypes)"
        )
    if "participant" not in data.indexes:
        raise PhenotypeError(
            f"{side} has no coordinate 'participant' with EIDs; found dims {', '.join(map(str, data.sizes)) or 'none'}"
        )
    eids = data.indexes["participant"]
    repeated = eids[eids.duplicated() & _is_eid(eids)].unique()
    if len(repeated):
        raise PhenotypeError(
            f"{len(repeated)} participants are more than once in {side}, expected once: {_first(repeated)}; "
            "keep one row of each"
        )
    return eids


def _is_eid(eids: pd.Index[int]) -> npt.NDArray[np.bool_]:
    """Where somebody is: negative numbers stand in a store where a participant has withdrawn."""
    return np.asarray(eids >= 0, np.bool_)


def _first(eids: pd.Index[int], most: int = 5) -> str:
    return ", ".join(map(str, eids[:most])) + (", ..." if len(eids) > most else "")
