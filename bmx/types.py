"""Names for the arrays that travel through bmx."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

IntVolume = npt.NDArray[np.uint16]
"""(..., z, y, x) Dixon magnitudes, arbitrary scanner units."""

FloatVolume = npt.NDArray[np.float32]
"""(..., z, y, x) derived values, for example percent fat fraction."""

Mask = npt.NDArray[np.bool_]
"""(..., z, y, x) true inside."""

Affine = npt.NDArray[np.float64]
"""(3, 4) voxel index (x, y, z, 1) to RAS+ millimetres."""

TEXT = np.dtype("O", metadata={"element_type": str})
"""The dtype of text in memory, as xarray itself marks it. NumPy's variable-length text can't hold that a value is
missing, so that `where`, `reindex` and outer joins of a whole Dataset raise."""
