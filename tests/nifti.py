"""NIfTI files for tests: slabs and masks, with any axes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from bmx.sources.header import SIMULATED_COMMENT
from bmx.types import Affine


def write_nifti(
    path: Path,
    volume: npt.NDArray[Any],
    affine: Affine,
    *,
    axes: str = "LPS",
    slope: float = 1.0,
    comment: str = SIMULATED_COMMENT,
    kind: type = nib.Nifti1Image,
) -> Path:
    """Write (z, y, x) voxels with the axes of the file towards `axes`, as nibabel turns them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = kind(np.ascontiguousarray(volume.transpose(2, 1, 0)), np.vstack([affine, [0, 0, 0, 1]]))
    found = nib.orientations.io_orientation(image.affine)
    image = image.as_reoriented(nib.orientations.ornt_transform(found, nib.orientations.axcodes2ornt(axes)))
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    image.header["descrip"] = comment.encode()
    if slope != 1:
        image.header.set_slope_inter(slope, 0)
    image.to_filename(path)
    return path
