from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch

from bmx.errors import BmxError, ModelError
from bmx.models.label_tables import LabelTable
from bmx.models.nnunet_checkpoint import read_checkpoint
from bmx.models.nnunet_folder import from_nnunet
from bmx.types import Affine
from tests.models.nnunet_folders import DATASET, checkpoint, with_configuration, write_folder

TABLE = LabelTable("halves", regions={"femoral_head": 1, "total_hip": 2})
AFFINE: Affine = np.array([[-2.0, 0, 0, 40], [0, -2.0, 0, 30], [0, 0, 4.0, -30]])


def models_of(folder: Path, **changed: Any) -> Any:
    given: dict[str, Any] = {"labels": TABLE, "input": "fat+water", "orientation": "SAR"} | changed
    return from_nnunet(folder, **given)


class RunsCode:
    """What a checkpoint of somebody unfriendly holds."""

    def __init__(self, place: Path) -> None:
        self.place = place

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.place),)


def test_read_checkpoint__reads_what_nnunet_saves(tmp_path: Path) -> None:
    torch.save(checkpoint(), tmp_path / "one.pth")
    found = read_checkpoint(tmp_path / "one.pth")
    assert (found.configuration, found.trainer, found.mirroring_axes) == ("3d_fullres", "nnUNetTrainer", (0, 1, 2))
    assert torch.equal(found.weights["weight"], torch.ones(2))


def test_read_checkpoint__runs_no_code(tmp_path: Path) -> None:
    """The file would make a folder; it is refused, and the folder isn't made."""
    torch.save(checkpoint(logging=RunsCode(tmp_path / "made")), tmp_path / "one.pth")
    with pytest.raises(ModelError, match=r"loading it could run code .*mkdir"):
        read_checkpoint(tmp_path / "one.pth")
    assert not (tmp_path / "made").exists()


def test_read_checkpoint__forgets_how_the_network_was_wrapped(tmp_path: Path) -> None:
    torch.save(checkpoint(network_weights={"module._orig_mod.weight": torch.ones(2)}), tmp_path / "one.pth")
    assert list(read_checkpoint(tmp_path / "one.pth").weights) == ["weight"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"not a checkpoint", "can't be read|damaged"),
        ({"state_dict": {}}, "no checkpoint of nnU-Net v2: .*found state_dict"),
        ([1, 2], "no checkpoint of nnU-Net v2: .*found list"),
    ],
)
def test_read_checkpoint__says_what_is_wrong(tmp_path: Path, content: Any, message: str) -> None:
    path = tmp_path / "one.pth"
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    with pytest.raises(ModelError, match=message):
        read_checkpoint(path)


def test_from_nnunet__describes_a_folder_without_loading_it(tmp_path: Path) -> None:
    """And without nnU-Net, so that the one who submits a run needs neither package nor memory."""
    models = models_of(write_folder(tmp_path))
    assert list(models) == ["femoral_head", "total_hip"]
    assert not models["total_hip"].simulated
    travelled = cloudpickle.loads(cloudpickle.dumps(models))
    assert travelled["total_hip"].digest == models["total_hip"].digest


def test_digest__is_that_of_the_files_and_what_they_are_shown_wherever_they_lie(tmp_path: Path) -> None:
    one, other = write_folder(tmp_path / "a"), write_folder(tmp_path / "b")
    digest = models_of(one)["total_hip"].digest
    assert models_of(other)["total_hip"].digest == digest
    assert models_of(other, input="fat")["total_hip"].digest != digest
    assert models_of(other, orientation="SPL")["total_hip"].digest != digest
    assert models_of(other, mirroring=True)["total_hip"].digest != digest
    weights = {"weight": torch.zeros(2)}
    torch.save(checkpoint(network_weights=weights), other / "fold_0/checkpoint_final.pth")
    assert models_of(other)["total_hip"].digest != digest


def test_from_nnunet__the_model_says_its_orientation_itself(tmp_path: Path) -> None:
    """VIBESegmentator does in `dataset.json`, for x, y, z; one of nnU-Net's readers turns all files to RAS+."""
    said = write_folder(tmp_path / "a", dataset={"orientation": ["R", "A", "S"]})
    reader = write_folder(tmp_path / "b", plans={"image_reader_writer": "NibabelIOWithReorient"})
    for folder in (said, reader):
        assert models_of(folder, orientation=None)["total_hip"].model.view.orientation == "SAR"
        with pytest.raises(ModelError, match=r"orientation='SPL' was given .* says 'SAR'; leave orientation= out"):
            models_of(folder, orientation="SPL")


@pytest.mark.parametrize(
    ("changed", "given", "message"),
    [
        ({}, {"orientation": None}, "doesn't say in which orientation it was trained"),
        ({"dataset": {"orientation": "RAX"}}, {}, "dataset.json has orientation 'RAX'"),
        ({"dataset": {"channel_names": {"0": "water", "1": "fat"}}}, {}, r"takes 2 channels \(water, fat\)"),
        (
            {"dataset": {"channel_names": {"0": "water", "1": "fat"}}},
            {"input": {"water": "water", "fatt": "fat"}},
            "no channel 'fatt'; .*did you mean fat",
        ),
        (
            {"dataset": {"channel_names": {"0": "water", "1": "fat"}}},
            {"input": {"water": "water"}},
            "no contrast was given for channel 'fat'",
        ),
        (
            {"dataset": {"channel_names": {"0": "water", "1": "fat"}}},
            {"input": {"water": "fat", "fat": "water"}},
            "channel 'water' .* has learned water images, found input='fat'",
        ),
        ({"dataset": {"channel_names": {"0": "In-Phase"}}}, {"input": "fat"}, "has learned in_phase images"),
        ({}, {"labels": "mrsegmentator"}, "has no label 25"),
        ({"dataset": {"labels": {"background": 0, "both": [1, 2]}}}, {}, "labels that overlap, such as 'both'"),
        ({}, {"folds": [0, 3]}, r"has no fold_3/checkpoint_final.pth; it has fold_0/checkpoint_final.pth"),
        ({}, {"checkpoint": "checkpoint_best.pth"}, r"has no fold_\*/checkpoint_best.pth"),
        ({"plans": with_configuration(normalization_schemes=["CTNormalization"])}, {}, "in Hounsfield units"),
        ({"plans": with_configuration(previous_stage="3d_lowres")}, {}, "second stage of a cascade"),
        ({"plans": {"configurations": {"2d": {}, "3d_lowres": {}}}}, {}, "must be called …__CONFIGURATION"),
        ({"plans": {"configurations": None}}, {}, "has no configurations; is it of nnU-Net v1"),
    ],
)
def test_from_nnunet__what_contradicts_the_folder_is_refused(
    tmp_path: Path, changed: dict[str, Any], given: dict[str, Any], message: str
) -> None:
    folder = write_folder(tmp_path, **changed)
    with pytest.raises(ModelError, match=message):
        models_of(folder, **given)


def test_from_nnunet__several_channels_come_in_their_order(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, dataset={"channel_names": {"1": "fat", "0": "water", "2": "sum"}})
    given = {"sum": "in_phase", "fat": "fat", "water": "water"}
    assert models_of(folder, input=given)["total_hip"].model.view.input == ("water", "fat", "in_phase")


def test_from_nnunet__another_folder_is_pointed_out(tmp_path: Path) -> None:
    folder = write_folder(tmp_path)
    with pytest.raises(ModelError, match=r"is no model folder .*did you mean .*3d_fullres\?"):
        models_of(folder.parent)
    (folder / "plans.json").write_text("{")
    with pytest.raises(ModelError, match=r"plans.json can't be read as JSON"):
        models_of(folder)


def test_draw__without_nnunet_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = models_of(write_folder(tmp_path))["total_hip"]
    monkeypatch.setitem(__import__("sys").modules, "nnunetv2", None)
    with pytest.raises(BmxError, match=r"needs the package nnunetv2: pip install 'bmx\[nnunet\]'"):
        model.draw(np.ones((2, 3, 4), np.uint16), np.ones((2, 3, 4), np.uint16), AFFINE)


def test_draw__a_spacing_that_no_body_has_is_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, plans=with_configuration(spacing=[0.01, 0.01, 0.01]))
    image = np.ones((4, 50, 60), np.uint16)
    with pytest.raises(ValueError, match="is the spacing in millimetres, and the model one of bodies"):
        models_of(folder)["total_hip"].draw(image, image, AFFINE)


def test_facts__labels_are_those_of_the_list(tmp_path: Path) -> None:
    model = models_of(write_folder(tmp_path))["total_hip"].model
    assert model.facts.labels == {1: "left_half", 2: "right_half"}
    assert json.loads((Path(model.facts.folder) / "dataset.json").read_text())["labels"] == DATASET["labels"]
    assert model.facts.spacing == (4.5, 2.5, 2.5)
