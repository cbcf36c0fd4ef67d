"""nnU-Net v2 itself, on weights that bmx has read: loaded once in each worker process, one volume at a time."""

from __future__ import annotations

import contextlib
import functools
import importlib
import io
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from bmx._optional import require
from bmx.errors import ModelError
from bmx.models.nnunet_checkpoint import Checkpoint, read_checkpoint
from bmx.models.nnunet_facts import LISTS, read_json
from bmx.models.own import best_device
from bmx.models.weights import file_digest
from bmx.types import FloatVolume

if TYPE_CHECKING:
    from bmx.models.nnunet_folder import NnUNet

EXTRA = "nnunet"

_LOADED = 2
"""Models kept in a process: TotalSegmentator has its vertebrae in one and its femora in another."""
_TRUSTED = {
    "network": ("dynamic_network_architectures.", "nnunetv2."),
    "part": ("torch.nn.",),
}
"""Where the classes that `plans.json` names may come from: it must not name what runs other code."""

_one_at_a_time = threading.Lock()
"""A predictor puts the weights of one fold after another into its one network."""


def predict(model: NnUNet, images: FloatVolume, spacing: list[float]) -> npt.NDArray[np.integer[Any]]:
    """Labels of one volume.

    Parameters
    ----------
    model : NnUNet
    images : (channel, ·, ·, ·) float32, in the model's orientation
    spacing : of the last three axes, mm

    Returns
    -------
    (·, ·, ·) whole numbers
    """
    with _one_at_a_time:
        predictor = _load(model.facts.folder, model.digests, model.mirroring)
        labels: npt.NDArray[np.integer[Any]] = predictor.predict_single_npy_array(images, {"spacing": spacing})
    return labels


@functools.lru_cache(maxsize=_LOADED)
def _load(folder: str, digests: tuple[tuple[str, str], ...], mirroring: bool) -> Any:
    """An `nnUNetPredictor`; the digests are part of the key: a model trained anew is loaded anew."""
    require("nnunetv2", extra=EXTRA, why=f"the model {folder}")
    for name, digest in digests:
        if (found := file_digest(Path(folder) / name)) != digest:
            raise ModelError(
                f"{Path(folder) / name} has changed since the model was described: expected digest {digest}, found "
                f"{found}; describe it anew with bmx.models.from_nnunet, or copy the model folder again"
            )
    dataset, plans = (read_json(Path(folder) / name) for name in LISTS)
    folds = [read_checkpoint(Path(folder) / name) for name, _ in digests if name not in LISTS]
    module = importlib.import_module("nnunetv2.inference.predict_from_raw_data")
    plan = importlib.import_module("nnunetv2.utilities.plans_handling.plans_handler").PlansManager(plans)
    configuration = plan.get_configuration(folds[0].configuration)
    network = _network(plan, configuration, dataset)
    for (name, _), fold in zip(digests[len(LISTS) :], folds, strict=True):
        _check_fit(network, fold, Path(folder) / name)
    with contextlib.redirect_stdout(io.StringIO()):  # it prints advice about devices
        predictor = module.nnUNetPredictor(
            use_mirroring=mirroring, device=best_device(), allow_tqdm=False, perform_everything_on_device=True
        )
    predictor.manual_initialization(
        network, plan, configuration, [fold.weights for fold in folds], dataset, folds[0].trainer,
        folds[0].mirroring_axes,
    )  # fmt: skip
    return predictor


def _network(plan: Any, configuration: Any, dataset: Mapping[str, Any]) -> Any:
    """The network that the plans describe, without weights."""
    kwargs = configuration.network_arch_init_kwargs
    parts = [kwargs.get(name) for name in configuration.network_arch_init_kwargs_req_import]
    for kind, names in (("network", [configuration.network_arch_class_name]), ("part", parts)):
        for name in names:
            if name is not None and not str(name).startswith(_TRUSTED[kind]):
                raise ModelError(
                    f"plans.json builds its network of {name!r}, expected something of "
                    f"{' or '.join(_TRUSTED[kind])}…: a model must not bring code of its own"
                )
    count = importlib.import_module("nnunetv2.utilities.label_handling.label_handling").determine_num_input_channels
    build = importlib.import_module("nnunetv2.utilities.get_network_from_plans").get_network_from_plans
    return build(
        configuration.network_arch_class_name,
        kwargs,
        configuration.network_arch_init_kwargs_req_import,
        count(plan, configuration, dataset),
        plan.get_label_manager(dataset).num_segmentation_heads,
        allow_init=False,
        deep_supervision=False,
    )


def _check_fit(network: Any, fold: Checkpoint, path: Path) -> None:
    """Each tensor must be there and of its shape; nnU-Net would say so only while predicting, and in pages."""
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    found = {name: tuple(tensor.shape) for name, tensor in fold.weights.items()}
    if different := sorted(name for name in expected.keys() | found.keys() if expected.get(name) != found.get(name)):
        name = different[0]
        raise ModelError(
            f"{path} does not fit the network of plans.json: {len(different)} tensors differ, first {name}: expected "
            f"shape {expected.get(name)}, found {found.get(name)}. It was trained by {fold.trainer}; if that builds "
            "another network than its plans say, bmx can't run it"
        )
