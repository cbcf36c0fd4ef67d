"""Models in plain text: what a plan holds of them, and a worker makes them anew from.

Nothing is unpickled: a model is a value of a few known classes, and a function is told by where it is imported from.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bmx.core.femur_parts import FemurCut
from bmx.errors import ModelError
from bmx.models.base import RegionModel
from bmx.models.callables import CallableLabels, CallableRegion
from bmx.models.cards import ModelCard
from bmx.models.label_tables import LabelTable
from bmx.models.multi_label import LabelledRegion
from bmx.models.nnunet_facts import Facts
from bmx.models.nnunet_folder import NnUNet
from bmx.models.own import Model
from bmx.models.view import View

_CLASSES: dict[str, type] = {
    one.__name__: one
    for one in (LabelledRegion, NnUNet, CallableRegion, CallableLabels, View, Facts, LabelTable, FemurCut)
}


def tell_model(model: RegionModel) -> dict[str, Any]:
    """Say in JSON what a model is, and with which digest.

    Parameters
    ----------
    model : one that `bmx train`, `from_nnunet`, `from_callable` or `from_labels_callable` made

    Raises
    ------
    ModelError
        If it is of another class, or of a function that another process can't import.

    Examples
    --------
    >>> from bmx.models.library import load_models
    >>> told = tell_model(load_models("simulated")["spine"])
    >>> told["digest"] == make_model(told).digest
    True
    """
    if isinstance(model, Model):
        return {"digest": model.digest, "folder": str(Path(model.folder).absolute())}
    if not isinstance(model, LabelledRegion | CallableRegion):
        raise ModelError(
            f"a plan can't hold the model of {model.region}, a {type(model).__name__}: its workers make models of "
            "bmx.models.from_nnunet, from_callable and from_labels_callable anew, and those of `bmx train`. Wrap it by "
            "from_callable, or draw with bmx.segment(slabs, models=...) and measure with bmx.measure(slabs, masks=...)"
        )
    return {"digest": model.digest, "model": _tell(model)}


def make_model(told: Mapping[str, Any]) -> RegionModel:
    """The model that `tell_model` has told of.

    Raises
    ------
    ModelError
        If it isn't the same any more, or its function can't be imported here.
    """
    if "folder" in told:
        model: RegionModel = Model(told["folder"], ModelCard.read(Path(told["folder"])))
    else:
        model = _make(told["model"])
    if model.digest != told["digest"]:
        raise ModelError(
            f"{told.get('folder', f'the model of {model.region}')} changed since this run began (weights "
            f"{told['digest']}, now {model.digest}); put the old model back, or run into another place"
        )
    return model


def _tell(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: _tell(getattr(value, field.name)) for field in dataclasses.fields(value)}
        return {"class": _known(value), "fields": fields}
    if isinstance(value, Mapping):  # JSON would make text of keys that are numbers
        return {"items": [[key, _tell(entry)] for key, entry in value.items()]}
    if isinstance(value, list | tuple):
        return [_tell(entry) for entry in value]
    if callable(value):
        return {"function": _place_of(value)}
    return value if value is None or isinstance(value, str | int | float) else _known(value)


def _known(value: object) -> str:
    """The name of its class, if a worker makes such values anew."""
    name = type(value).__name__
    if _CLASSES.get(name) is not type(value):
        raise ModelError(f"a plan can't hold a {name}; label volumes by from_nnunet or from_labels_callable")
    return name


def _make(told: Any) -> Any:
    if isinstance(told, list):  # all sequences in models are tuples: they are values
        return tuple(_make(entry) for entry in told)
    if not isinstance(told, dict):
        return told
    if "class" in told:
        return _CLASSES[told["class"]](**{name: _make(entry) for name, entry in told["fields"].items()})
    if "items" in told:
        return {key: _make(entry) for key, entry in told["items"]}
    return _import(told["function"])


def _place_of(function: Callable[..., Any]) -> str:
    """Where another process finds a function, `module:name`."""
    module, name = getattr(function, "__module__", None), getattr(function, "__qualname__", None)
    place = f"{module}:{name}"
    if (
        name is None
        or module in (None, "__main__")
        or getattr(sys.modules.get(str(module)), name, None) is not function
    ):
        raise ModelError(
            f"other processes can't import the function {name or function!r} of {module}; run needs one that is "
            "defined at the top of a module, a file that your script imports and that the workers find, too. A "
            "function of any kind will do for bmx.segment(slabs, models=...)"
        )
    return place


def _import(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    try:
        function: Callable[..., Any] = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as exc:
        raise ModelError(
            f"a worker can't import {name} from {module} ({exc}), which the plan says is a model; install that module "
            "where the workers run, or add its folder to their PYTHONPATH"
        ) from exc
    return function
