from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

import bmx


def fresh(script: str) -> Any:
    """What a script prints as JSON in an interpreter of its own."""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


def test_getattr__every_public_name_resolves_twice() -> None:
    """Once through the lazy lookup, once from what it left behind."""
    for _ in range(2):
        for name in bmx.__all__:
            assert isinstance(getattr(bmx, name), FunctionType | ModuleType), name
    assert set(bmx.__all__) <= set(dir(bmx))


def test_getattr__names_stay_what_they_are_after_importing_everything() -> None:
    """Importing a module sets it as an attribute of its package: no verb may turn into a module by that."""
    kinds = """
import importlib, json, pkgutil, bmx
kinds = lambda: {name: type(getattr(bmx, name)).__name__ for name in bmx.__all__}
found = [kinds()]
for module in pkgutil.walk_packages(bmx.__path__, "bmx."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
found += [kinds(), kinds()]
print(json.dumps(found))
"""
    modules = {"analysis", "plot", "qc", "training"}
    expected = {name: "module" if name in modules else "function" for name in bmx.__all__}
    assert fresh(kinds) == [expected] * 3


def test_getattr__an_unknown_name_lists_the_public_ones() -> None:
    """What someone sees who guessed."""
    with pytest.raises(AttributeError, match="bmx has no public name 'segmant'; it has analysis, convert, evaluate, "):
        _ = bmx.segmant  # type: ignore[attr-defined]


def test_import__loads_nothing_heavy() -> None:
    """A script that only opens a store must not wait for torch, nor start or ask anything."""
    loaded = fresh("import json, sys, bmx; print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))")
    heavy = {
        "torch",
        "matplotlib",
        "distributed",
        "dask",
        "statsmodels",
        "pandas",
        "xarray",
        "zarr",
        "pydicom",
        "typer",
    }
    assert not heavy & set(loaded)


def test_import__opening_a_store_loads_no_torch_matplotlib_or_cluster(simulated: Path) -> None:
    """Reading is what notebooks begin with."""
    script = f"""
import json, sys, bmx
bmx.open_store({str(simulated / "slabs.zarr")!r})
print(json.dumps(sorted({{name.split('.')[0] for name in sys.modules}})))
"""
    assert not {"torch", "matplotlib", "distributed", "statsmodels"} & set(fresh(script))


def test_qc__is_the_module_of_quality_control() -> None:
    """The one public name that is called otherwise than its module."""
    from bmx import quality

    assert bmx.qc is quality
