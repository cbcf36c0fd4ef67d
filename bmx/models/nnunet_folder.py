"""The model folder of nnU-Net v2 as a model of bmx: `dataset.json`, `plans.json`, `fold_*/checkpoint_final.pth`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bmx.core.femur_parts import FemurCut
from bmx.core.geometry import voxel_size
from bmx.errors import ModelError
from bmx.models.base import RegionModel
from bmx.models.digests import digest_of
from bmx.models.label_tables import LabelTable, get_table
from bmx.models.multi_label import from_labels
from bmx.models.nnunet_facts import Facts, channel_inputs, choose_orientation, read_facts
from bmx.models.view import Contrast, View, refuse_too_many
from bmx.models.weights import file_digest
from bmx.types import Affine, IntVolume


def from_nnunet(
    folder: str | Path,
    *,
    labels: str | LabelTable | Mapping[str, int],
    input: Contrast | Mapping[str, Contrast],  # noqa: A002  # what a model card calls it, too
    orientation: str | None = None,
    folds: Sequence[int | str] | None = None,
    checkpoint: str = "checkpoint_final.pth",
    mirroring: bool = False,
    simulated: bool = False,
    cut: FemurCut | None = None,
) -> dict[str, RegionModel]:
    """Models of all regions that an nnU-Net v2 model gives; reads its lists and digests its files, loads nothing.

    The weights are loaded once in each worker process, on first use, by a reader that runs no code
    (`bmx.models.nnunet_checkpoint`); nnU-Net itself then predicts, and resamples to its own spacing and back. The
    volume is turned to the model's orientation, and the labels back. It is labelled once for all its regions.

    Parameters
    ----------
    folder : what `nnUNetv2_predict_from_modelfolder` takes, such as `…/nnUNetTrainer__nnUNetPlans__3d_fullres`
    labels : name of one of `LABEL_TABLES`, a `LabelTable`, or region -> label
    input : the contrast that the model shall see; for several channels, name in `channel_names` -> contrast
    orientation : directions in which the first, second and third axis of the arrays grow that nnU-Net was trained on:
        "SAR" for NIfTI files in RAS+, "SPL" for those in LPS+. By default what `dataset.json`, the image reader in
        `plans.json` or the label table says
    folds : which to average; by default all that are there
    checkpoint : file in each fold
    mirroring : average over mirrored images where the model allows it; eight times slower
    simulated : trained on simulated anatomy; refused on images of people unless asked for
    cut : how regions are cut out of a femur

    Returns
    -------
    Region -> model, for `models=` of `bmx.run` and `bmx.segment`.

    Raises
    ------
    ModelError
        If the folder isn't one, lacks files, or contradicts what was said of its channels, labels or orientation. When
        drawing, if a file has changed, holds more than weights, or doesn't fit the network.
    """
    table = get_table(labels)
    facts = read_facts(Path(folder), folds=folds, checkpoint=checkpoint)
    table.check(facts.labels, f"{facts.folder}/dataset.json")
    view = View(channel_inputs(facts, input), choose_orientation(facts, orientation, table))
    digests = tuple((name, file_digest(Path(facts.folder) / name)) for name in facts.files)
    return from_labels(NnUNet(facts, digests, view, mirroring, simulated), labels=table, cut=cut)


@dataclass(frozen=True, slots=True)
class NnUNet:
    """A trained model of nnU-Net v2; see `bmx.models.multi_label.LabelModel`."""

    facts: Facts
    digests: tuple[tuple[str, str], ...]
    """File in the folder, and its digest; loading checks them."""
    view: View
    mirroring: bool
    simulated: bool

    @property
    def name(self) -> str:
        """Of data set and folder."""
        return f"{self.facts.dataset} ({Path(self.facts.folder).name})"

    @property
    def digest(self) -> str:
        """Of all its files, and of what it is shown; where it lies doesn't matter."""
        return digest_of(self.digests, self.view, self.mirroring)

    def label(self, fat: IntVolume, water: IntVolume, affine: Affine) -> npt.NDArray[np.uint16]:
        """Labels of one volume, (z, y, x)."""
        from bmx.models.nnunet_predictor import predict

        seen = self.view.see(fat, water, affine)
        spacing = voxel_size(seen.affine)[::-1].tolist()
        if self.facts.spacing is not None:
            refuse_too_many(seen.images[0].shape, spacing, self.facts.spacing)
        labels = predict(self, np.stack(seen.images), spacing)
        if labels.shape != seen.images[0].shape:
            raise ModelError(
                f"{self.name} gave labels of shape {labels.shape} for a volume of {seen.images[0].shape}; "
                "is nnunetv2 of a version that bmx doesn't know?"
            )
        return self.view.lay_back(labels.astype(np.uint16), seen)
