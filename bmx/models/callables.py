"""Any Python function as a model, on its own responsibility: what it answers is checked, what it is called is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bmx.core.femur_parts import FemurCut
from bmx.core.orientation import STORED
from bmx.errors import ModelError, did_you_mean
from bmx.models.base import Drawing, RegionModel, Side
from bmx.models.digests import digest_of
from bmx.models.label_tables import LabelTable, get_table
from bmx.models.multi_label import from_labels
from bmx.models.view import Contrast, View
from bmx.regions import REGIONS
from bmx.types import Affine, FloatVolume, IntVolume

Function = Callable[..., Any]
"""`function(*images, affine)`: one float32 volume for each contrast of `input`, and a (3, 4) affine that takes the
voxel index, last axis first, to RAS+ millimetres; gives a volume of the same shape."""


def from_callable(
    function: Function,
    *,
    region: str,
    name: str,
    version: str,
    input: Contrast | tuple[Contrast, ...] = "fat+water",  # noqa: A002  # what a model card calls it, too
    orientation: str = STORED,
    spacing: tuple[float, float, float] | None = None,
    simulated: bool = False,
) -> RegionModel:
    """Make a model of one region of a Python function.

    The function is called as `function(*images, affine)` and gives a mask, or a mask and a confidence from 0 to 1. Of
    two femora it sees the left one: for the right one it is shown the mirrored volume. For
    `bmx.segment` it travels to the workers by cloudpickle, so that anything which Dask can send will do; for `bmx.run`
    they import it, from the module at whose top it stands. What is large it should load there, and keep.

    Parameters
    ----------
    function : takes float32 volumes, one for each contrast, and an affine; gives 0 and 1 (bool, integer or float) of
        their shape
    region : one of `bmx.regions.REGIONS`
    name, version : what stands for the function in the digest. A function can't be digested: whoever changes what it
        draws changes the version
    input : a contrast or several
    orientation : directions in which the three axes shall grow; "SPL" is how bmx stores volumes
    spacing : of these axes, mm; None for that of the slab
    simulated : made on simulated anatomy; refused on images of people unless asked for

    Returns
    -------
    RegionModel

    Raises
    ------
    ModelError
        If the region, a contrast or the orientation is unknown; when drawing, if the answer isn't a mask.

    Examples
    --------
    >>> bright = from_callable(lambda image, affine: image > 100, region="spine", name="threshold", version="1")
    >>> bright.draw(np.full((1, 2, 2), 60, np.uint16), np.full((1, 2, 2), 70, np.uint16), np.eye(3, 4)).mask.sum()
    np.uint64(4)
    """
    if region not in REGIONS:
        raise ModelError(f"no region is called {region!r}; {did_you_mean(region, REGIONS)}")
    view = View((input,) if isinstance(input, str) else tuple(input), orientation, spacing)
    return CallableRegion(function, region, name, version, view, simulated)


def from_labels_callable(
    function: Function,
    *,
    labels: str | LabelTable | Mapping[str, int],
    name: str,
    version: str,
    input: Contrast | tuple[Contrast, ...] = "fat+water",  # noqa: A002  # as above
    orientation: str | None = None,
    spacing: tuple[float, float, float] | None = None,
    simulated: bool = False,
    cut: FemurCut | None = None,
) -> dict[str, RegionModel]:
    """Make models of all regions that the labels of one Python function give.

    Parameters
    ----------
    function : as in `from_callable`, but gives whole numbers, the labels
    labels : name of one of `LABEL_TABLES`, a `LabelTable`, or region -> label
    name, version, input, orientation, spacing, simulated : as in `from_callable`
    cut : how regions are cut out of a femur

    Returns
    -------
    Region -> model, for `models=` of `bmx.run` and `bmx.segment`. The function is called once for each volume.

    Examples
    --------
    >>> models = from_labels_callable(
    ...     lambda image, affine: np.zeros(image.shape, int), labels="mrsegmentator", name="none", version="1"
    ... )
    >>> list(models)
    ['spine', 'femoral_head', 'total_hip', 'femoral_diaphysis']
    """
    table = get_table(labels)
    chosen = orientation or table.orientation or STORED
    view = View((input,) if isinstance(input, str) else tuple(input), chosen, spacing)
    return from_labels(CallableLabels(function, name, version, view, simulated), labels=table, cut=cut)


@dataclass(frozen=True, slots=True)
class CallableRegion:
    """A function that draws one region; see `bmx.models.base.RegionModel`."""

    function: Function
    region: str
    name: str
    version: str
    view: View
    simulated: bool

    @property
    def digest(self) -> str:
        """Of name, version and what the function is shown."""
        return digest_of(self.name, self.version, self.region, self.view)

    @property
    def sure(self) -> float:
        """Unknown: whatever confidence a function gives is its own."""
        return float("nan")

    def draw(self, fat: IntVolume, water: IntVolume, affine: Affine, *, side: Side = "left") -> Drawing:
        """Draw the region in one volume."""
        if side == "right" and REGIONS[self.region].side != "both":
            mirrored = self.draw(fat[..., ::-1], water[..., ::-1], affine)
            return Drawing(np.ascontiguousarray(mirrored.mask[..., ::-1]), mirrored.confidence)
        if not (fat.any() or water.any()):
            return Drawing(np.zeros(fat.shape, np.uint8), float("nan"))
        seen = self.view.see(fat, water, affine)
        answer = _call(self.function, seen.images, seen.affine, self.name)
        mask, confidence = answer if isinstance(answer, tuple) and len(answer) == 2 else (answer, float("nan"))
        checked = check_mask(mask, seen.images[0].shape, self.name)
        return Drawing(self.view.lay_back(checked, seen), _checked_confidence(confidence, self.name))


@dataclass(frozen=True, slots=True)
class CallableLabels:
    """A function that gives labels; see `bmx.models.multi_label.LabelModel`."""

    function: Function
    name: str
    version: str
    view: View
    simulated: bool

    @property
    def digest(self) -> str:
        """Of name, version and what the function is shown."""
        return digest_of(self.name, self.version, self.view)

    def label(self, fat: IntVolume, water: IntVolume, affine: Affine) -> npt.NDArray[np.uint16]:
        """Labels of one volume, (z, y, x)."""
        seen = self.view.see(fat, water, affine)
        labels = check_labels(
            _call(self.function, seen.images, seen.affine, self.name), seen.images[0].shape, self.name
        )
        return self.view.lay_back(labels, seen)


def check_mask(answer: Any, shape: tuple[int, ...], name: str) -> npt.NDArray[np.uint8]:
    """A mask of 0 and 1 on the grid that was shown, or one clear error.

    Examples
    --------
    >>> check_mask(np.array([[[0.0, 0.5]]]), (1, 1, 2), "ours")
    Traceback (most recent call last):
    ...
    bmx.errors.ModelError: the model ours gave values other than 0 and 1, the first 0.5; expected a mask: ...
    """
    labels = check_labels(
        answer, shape, name, kind="a mask", advice="; expected a mask: compare with a threshold first"
    )
    return labels.astype(np.uint8)


def check_labels(
    answer: Any, shape: tuple[int, ...], name: str, *, kind: str = "labels", advice: str = ""
) -> npt.NDArray[np.uint16]:
    """Whole numbers from 0 on the grid that was shown, or one clear error."""
    found = np.asarray(answer)
    if found.dtype.kind not in "biuf":
        raise ModelError(f"the model {name} gave {type(answer).__name__}, expected {kind} as an array of numbers")
    if found.shape != shape:
        raise ModelError(
            f"the model {name} gave {kind} of shape {found.shape}, expected {shape}, as the images it was shown; "
            "let it undo its own padding and resampling"
        )
    allowed = np.isin(found, (0, 1)) if advice else (found >= 0) & (found < 2**16) & (found == np.floor(found))
    if not allowed.all():
        worst = float(found[~allowed][0])
        what = "NaN" if worst != worst else f"values other than 0 and 1, the first {worst:g}"
        what = what if advice or worst != worst else f"{worst:g}, which is no label: labels are whole numbers from 0"
        raise ModelError(f"the model {name} gave {what}{advice}")
    return found.astype(np.uint16)


def _checked_confidence(confidence: Any, name: str) -> float:
    try:
        value = float(confidence)
    except (TypeError, ValueError) as exc:
        raise ModelError(
            f"the model {name} gave a confidence of {confidence!r}, expected a number from 0 to 1"
        ) from exc
    if not (np.isnan(value) or 0 <= value <= 1):
        raise ModelError(f"the model {name} gave a confidence of {value:g}, expected 0 to 1, or NaN if it can't say")
    return value


def _call(function: Function, images: tuple[FloatVolume, ...], affine: Affine, name: str) -> Any:
    """What the function answers; whose error it is, is said."""
    try:
        return function(*images, affine)
    except Exception as exc:
        exc.add_note(f"in the model {name}, given {len(images)} volumes of shape {images[0].shape} and an affine")
        raise
