"""What every model is to the rest of bmx, whoever trained it: something that draws one region in one volume.

Our own networks (`bmx.models.own`), nnU-Net folders and Python callables stand behind this one Protocol; a
segmentation asks for nothing else of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from bmx.types import Affine, IntVolume

Side = Literal["left", "right"]
"""Of a paired bone; what has no side is drawn alike for both."""


class Drawing(NamedTuple):
    """What a model draws in one volume."""

    mask: npt.NDArray[np.uint8]
    """(z, y, x), 1 inside, on the grid of the images."""
    confidence: float
    """0-1, the higher the better; NaN if the model can't say, and where there is nothing to draw in."""


class RegionModel(Protocol):
    """Draws one region. It must survive `pickle`, since it travels to the workers, and load what is large there."""

    @property
    def region(self) -> str:
        """One of `bmx.regions.REGIONS`."""

    @property
    def digest(self) -> str:
        """Of whatever decides what is drawn; identifies the model in results."""

    @property
    def simulated(self) -> bool:
        """Trained on simulated anatomy: refused on images of people unless asked for."""

    @property
    def sure(self) -> float:
        """Confidence from which on a drawing needs no second look; NaN if the model can't say how sure it is."""

    def draw(self, fat: IntVolume, water: IntVolume, affine: Affine, *, side: Side = "left") -> Drawing:
        """Draw the region in one volume: a plain function of arrays.

        Parameters
        ----------
        fat, water : (z, y, x) uint16, arbitrary scanner units; acquired slices only, z towards Superior, y towards
            Posterior, x towards Left
        affine : (3, 4) float64, voxel index (x, y, z, 1) to RAS+ millimetres
        side : which of two femora; of no meaning for the spine

        Returns
        -------
        Drawing, on the grid of the images; NaN confidence and nothing drawn if they are zero everywhere.
        """


Models = Mapping[str, RegionModel]
"""By region."""
