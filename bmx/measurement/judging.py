"""What became of each measurement: status, flags and reason."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bmx.core.bmff import Measurement
from bmx.types import TEXT
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS, SLAB_FLAGS, SLAB_STATUS

MEASURABLE = (SLAB_STATUS["complete"], SLAB_STATUS["incomplete"])
_STATUS_FLAGS = {"absent": "slab_absent", "incomplete": "slab_incomplete", "unreadable": "slab_unreadable"}


def judge(
    numbers: npt.NDArray[np.float64],
    slab_status: npt.NDArray[np.uint8],
    slab_flags: npt.NDArray[np.uint16],
    slab_reason: npt.NDArray[np.generic],
    given: npt.NDArray[np.bool_],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint16], npt.NDArray[np.generic]]:
    """Status, flags and reason of every measurement, (participant, region).

    Parameters
    ----------
    numbers : (participant, region, number) float64, the fields of `Measurement` and whether the slab is bright at all
    slab_status, slab_flags, slab_reason : (participant, 1)
    given : (participant, region), whether there is a mask, empty or not
    """
    names = (*Measurement._fields, "bright")
    column = dict(zip(names, np.moveaxis(numbers, -1, 0), strict=True))
    flags = column["flags"].astype(np.uint16)
    for slab_value, flag in _STATUS_FLAGS.items():
        flags |= np.where(slab_status == SLAB_STATUS[slab_value], RESULT_FLAGS[flag], 0).astype(np.uint16)
    repeated = slab_flags & SLAB_FLAGS["repeated_series"] > 0
    flags |= np.where(repeated, RESULT_FLAGS["repeated_series"], 0).astype(np.uint16)

    # Of whom nothing is left no mask was to be given.
    asked = given | (slab_status == SLAB_STATUS["withdrawn"])
    flags |= np.where(asked, 0, RESULT_FLAGS["no_mask"]).astype(np.uint16)

    told = slab_reason.astype(object)
    outside = flags & RESULT_FLAGS["outside_slab"] > 0
    cases: list[tuple[npt.NDArray[np.bool_], str, object]] = [
        (slab_status == SLAB_STATUS["withdrawn"], "not_attempted", "the participant has withdrawn"),
        (~asked, "not_attempted", "no mask was given"),
        (slab_status == SLAB_STATUS["absent"], "not_attempted", np.where(told == "", "the slab is absent", told)),
        (slab_status == SLAB_STATUS["unreadable"], "failed", np.where(told == "", "the slab is unreadable", told)),
        ((column["voxels"] == 0) & outside, "empty", "the mask lies outside the slices that were acquired"),
        (column["voxels"] == 0, "empty", "the mask has no voxel"),
        (column["eroded_voxels"] == 0, "failed", "nothing of the mask is left after erosion"),
        (column["bright"] == 0, "failed", np.where(told == "", "fat and water are zero everywhere in the slab", told)),
        (np.isnan(column["bmff"]), "failed", "fat and water are too dark everywhere in the mask"),
    ]
    conditions = [np.broadcast_to(condition, flags.shape) for condition, _, _ in cases]
    status = np.select(conditions, [MEASUREMENT_STATUS[name] for _, name, _ in cases], MEASUREMENT_STATUS["measured"])
    reason = np.select(conditions, [np.broadcast_to(np.asarray(text, object), flags.shape) for *_, text in cases], "")
    return status.astype(np.uint8), flags, reason.astype(TEXT)
