from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bmx.errors import ModelError
from bmx.models.base import RegionModel
from bmx.models.callables import CallableRegion, from_callable, from_labels_callable
from bmx.models.library import load_models
from bmx.models.nnunet_folder import from_nnunet
from bmx.models.told import make_model, tell_model
from bmx.types import Affine
from tests.models.functions import bands, ellipsoid
from tests.models.nnunet_folders import write_folder

AFFINE: Affine = np.array([[-2.0, 0, 0, 40], [0, -2.0, 0, 30], [0, 0, 4.0, -30]])
FAT = np.full((12, 30, 40), 700, np.uint16)


def function_model(**changed: Any) -> RegionModel:
    given: dict[str, Any] = {"region": "total_hip", "name": "ellipsoid", "version": "1"} | changed
    return from_callable(given.pop("function", ellipsoid), **given)


def labelled(**changed: Any) -> dict[str, RegionModel]:
    given: dict[str, Any] = {"labels": "mrsegmentator", "name": "bands", "version": "1"} | changed
    return from_labels_callable(bands, **given)


def through_text(model: RegionModel) -> RegionModel:
    """As a plan keeps it."""
    return make_model(json.loads(json.dumps(tell_model(model))))


@pytest.mark.parametrize(
    "model",
    [
        function_model(),
        function_model(input=("fat", "water"), orientation="SAR", spacing=(3.0, 2.5, 2.0), simulated=True),
        *labelled().values(),
        *labelled(labels={"spine": 1, "femoral_head": 2}).values(),
    ],
    ids=lambda model: f"{type(model).__name__} {model.region}",
)
def test_make_model__is_the_model_that_was_told(model: RegionModel) -> None:
    """Every field of it: what differs would draw otherwise, and be called the same."""
    made = through_text(model)
    assert made == model
    assert made.digest == model.digest


def test_make_model__draws_the_same() -> None:
    model = function_model()
    drawn = model.draw(FAT, FAT, AFFINE).mask
    assert drawn.any()
    np.testing.assert_array_equal(through_text(model).draw(FAT, FAT, AFFINE).mask, drawn)


def test_make_model__of_nnunet_needs_its_folder_only_to_draw(tmp_path: Path) -> None:
    """Weights of hundreds of megabytes aren't digested anew for each partition; loading them checks their digest."""
    folder = write_folder(tmp_path)
    models = from_nnunet(folder, labels={"spine": 1}, input="water", orientation="SPL", mirroring=True)
    folder.rename(tmp_path / "elsewhere")
    assert through_text(models["spine"]) == models["spine"]


def test_make_model__of_our_own_is_read_from_its_folder() -> None:
    model = load_models("simulated")["spine"]
    assert through_text(model) == model


def test_make_model__refuses_what_is_told_with_another_digest() -> None:
    told = tell_model(function_model())
    with pytest.raises(ModelError, match="model of total_hip changed since this run began"):
        make_model(told | {"digest": function_model(version="2").digest})


def nested() -> Any:
    def inner(image: Any, affine: Affine) -> Any:
        return image > 100

    return inner


@pytest.mark.parametrize(
    ("function", "named"),
    [(lambda image, affine: image > 100, "<lambda>"), (nested(), "inner"), (partial(ellipsoid), "functools.partial")],
    ids=["lambda", "nested", "partial"],
)
def test_tell_model__refuses_functions_that_another_process_cannot_import(function: Any, named: str) -> None:
    with pytest.raises(ModelError, match=rf"can't import the function .*{named}.* top of a module.*bmx\.segment"):
        tell_model(function_model(function=function))


def test_tell_model__refuses_models_of_unknown_classes() -> None:
    class Mine(CallableRegion):
        """Whatever this one draws, a `CallableRegion` draws something else."""

    model = Mine(ellipsoid, "spine", "mine", "1", function_model().view, False)  # type: ignore[attr-defined]
    with pytest.raises(ModelError, match="can't hold a Mine"):
        tell_model(model)
    other = replace(labelled()["spine"], model=SimpleNamespace(digest="1"))  # type: ignore[type-var]
    with pytest.raises(ModelError, match="can't hold a SimpleNamespace"):
        tell_model(other)


def test_make_model__says_that_a_module_is_missing_here() -> None:
    told = tell_model(function_model())
    told["model"]["fields"]["function"] = {"function": "nowhere.models:draw"}
    with pytest.raises(ModelError, match=r"can't import draw from nowhere\.models .* PYTHONPATH"):
        make_model(told)
