from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from bmx.errors import ModelError
from bmx.models.library import Model, load_models
from bmx.regions import REGIONS
from tests.networks import write_model


def test_load_models__finds_one_model_for_each_region(tmp_path: Path) -> None:
    for region in REGIONS:
        write_model(tmp_path / f"any name of {region}", region)
    models = load_models(tmp_path)
    assert list(models) == list(REGIONS)
    assert all(model.card.region == region for region, model in models.items())


def test_load_models__a_single_model_directory_is_enough_for_its_region(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    assert list(load_models(folder, regions=("spine",))) == ["spine"]


def test_load_models__names_the_regions_that_have_none(tmp_path: Path) -> None:
    write_model(tmp_path / "one", "spine")
    with pytest.raises(ModelError, match=r"no model of total_hip in .* which has spine; train one"):
        load_models(tmp_path, regions=("spine", "total_hip"))


def test_load_models__a_model_of_another_region_is_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    spine = load_models(folder, regions=("spine",))["spine"]
    with pytest.raises(ModelError, match="the model given for total_hip is a model of spine"):
        load_models({"total_hip": spine}, regions=("total_hip",))


def test_load_models__two_models_of_one_region_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path / "a", "spine")
    write_model(tmp_path / "b", "spine")
    with pytest.raises(ModelError, match="holds two models of spine"):
        load_models(tmp_path, regions=("spine",))


def test_load_models__says_what_a_missing_folder_should_be(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no folder"):
        load_models(tmp_path / "nowhere")


def test_network__weights_changed_after_training_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    weights = folder / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(ModelError, match="not the file that its card describes"):
        load_models(folder, regions=("spine",))["spine"].network()


def test_network__weights_of_another_architecture_are_refused(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    card = json.loads((folder / "model.json").read_text())
    card["sizes"]["widths"] = [4, 3, 4, 5]
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="does not fit the architecture on its card"):
        load_models(folder, regions=("spine",))["spine"].network()


def test_network__is_loaded_once_per_process(tmp_path: Path) -> None:
    model = load_models(write_model(tmp_path / "one", "spine"), regions=("spine",))["spine"]
    assert model.network() is Model(model.folder, model.card).network()


def test_read__a_card_without_an_entry_names_it(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "one", "spine")
    card = json.loads((folder / "model.json").read_text())
    del card["licence"]
    (folder / "model.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="lacks licence"):
        load_models(folder, regions=("spine",))


@pytest.mark.parametrize("region", REGIONS)
def test_load_models__the_shipped_weights_say_that_they_are_not_for_people(region: str) -> None:
    model = load_models("simulated", regions=(region,))[region]
    assert model.card.simulated
    assert "simulated anatomy, not for people" in model.card.intended_use
    assert not model.network().training
    assert all(torch.isfinite(weight).all() for weight in model.network().parameters())
