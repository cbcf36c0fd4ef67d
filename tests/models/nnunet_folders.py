"""Tiny model folders as `nnUNetv2_train` leaves them, with or without a network that has learned something."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch

PLACE = "Dataset900_Tiny/nnUNetTrainer__nnUNetPlans__3d_fullres"
SPACING = (4.5, 2.5, 2.5)

DATASET: dict[str, Any] = {
    "channel_names": {"0": "MRI"},
    "labels": {"background": 0, "left_half": 1, "right_half": 2},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def _resampling(name: str, order: int) -> dict[str, Any]:
    return {
        f"resampling_fn_{name}": "resample_data_or_seg_to_shape",
        f"resampling_fn_{name}_kwargs": {
            "is_seg": name == "seg",
            "order": order,
            "order_z": 0,
            "force_separate_z": None,
        },
    }


PLANS: dict[str, Any] = {
    "dataset_name": "Dataset900_Tiny",
    "plans_name": "nnUNetPlans",
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "label_manager": "LabelManager",
    "foreground_intensity_properties_per_channel": {
        "0": {"mean": 1.0, "std": 1.0, "percentile_00_5": 0.0, "percentile_99_5": 2.0}
    },
    "configurations": {
        "3d_fullres": {
            "data_identifier": "nnUNetPlans_3d_fullres",
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2,
            "patch_size": [16, 32, 32],
            "spacing": list(SPACING),
            "normalization_schemes": ["ZScoreNormalization"],
            "use_mask_for_norm": [False],
            "batch_dice": True,
            **_resampling("data", 3),
            **_resampling("seg", 1),
            **_resampling("probabilities", 1),
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                "arch_kwargs": {
                    "n_stages": 2,
                    "features_per_stage": [8, 16],
                    "conv_op": "torch.nn.modules.conv.Conv3d",
                    "kernel_sizes": [[3, 3, 3], [3, 3, 3]],
                    "strides": [[1, 1, 1], [2, 2, 2]],
                    "n_conv_per_stage": [1, 2],
                    "n_conv_per_stage_decoder": [1],
                    "conv_bias": True,
                    "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                    "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                    "dropout_op": None,
                    "dropout_op_kwargs": None,
                    "nonlin": "torch.nn.LeakyReLU",
                    "nonlin_kwargs": {"inplace": True},
                },
                "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
            },
        }
    },
}


def write_lists(folder: Path, *, dataset: dict[str, Any] | None = None, plans: dict[str, Any] | None = None) -> Path:
    """`dataset.json` and `plans.json`, with some entries changed."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.json").write_text(json.dumps(DATASET | (dataset or {})))
    (folder / "plans.json").write_text(json.dumps(PLANS | (plans or {})))
    return folder


def with_configuration(**changed: Any) -> dict[str, Any]:
    """Plans whose only configuration has some entries changed."""
    return {"configurations": {"3d_fullres": PLANS["configurations"]["3d_fullres"] | changed}}


def checkpoint(**changed: Any) -> dict[str, Any]:
    """What a checkpoint holds, with weights of no network; numbers as nnU-Net logs them."""
    return {
        "network_weights": {"weight": torch.ones(2)},
        "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01}]},
        "grad_scaler_state": None,
        "logging": {"mean_fg_dice": [np.float64(0.5)], "train_losses": [np.float32(1.5)], "epoch": [np.int64(3)]},
        "_best_ema": np.float64(0.5),
        "current_epoch": 1,
        "init_args": {"configuration": "3d_fullres", "fold": 0, "device": torch.device("cpu")},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    } | changed


def write_folder(place: Path, *, dataset: dict[str, Any] | None = None, plans: dict[str, Any] | None = None) -> Path:
    """A model folder whose weights are those of no network."""
    folder = write_lists(place / PLACE, dataset=dataset, plans=plans)
    (folder / "fold_0").mkdir()
    torch.save(checkpoint(), folder / "fold_0/checkpoint_final.pth")
    return folder
