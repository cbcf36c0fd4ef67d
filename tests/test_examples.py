"""The scripts that people copy: each runs from beginning to end, in a folder of its own, without network."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bmx.simulation.cohorts import DIXON
from bmx.store.results import open_results

ROOT = Path(__file__).parents[1]
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PLACES = sorted((ROOT / "conversion").rglob("*.*"))
SCREEN = 50
"""Lines."""


def run_script(path: Path, *words: object, cwd: Path) -> str:
    """What a script prints; a failure shows what it said."""
    nowhere = "http://127.0.0.1:9"
    environment = os.environ | {"http_proxy": nowhere, "https_proxy": nowhere, "PYTHONWARNINGS": "error"}
    done = subprocess.run(
        [sys.executable, str(path), *map(str, words)],
        cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_examples__there_are_some() -> None:
    """A glob that finds nothing would pass."""
    assert EXAMPLES
    assert PLACES


@pytest.mark.slow
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_examples__run_offline_and_leave_nothing_behind(path: Path, tmp_path: Path) -> None:
    """As anyone would try them: without arguments, from any folder."""
    assert run_script(path, cwd=tmp_path).strip()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("path", [*EXAMPLES, *PLACES], ids=lambda path: str(path.relative_to(ROOT)))
def test_examples__stay_under_a_screen(path: Path) -> None:
    """A recipe for a place calls only bmx verbs; what is longer belongs into the package."""
    assert len(path.read_text().splitlines()) <= SCREEN


@pytest.mark.parametrize("path", [*EXAMPLES, *(path for path in PLACES if path.suffix == ".py")], ids=lambda p: p.stem)
def test_examples__use_nothing_but_the_public_names(path: Path) -> None:
    """Everything else may change without notice."""
    tree = ast.parse(path.read_text())
    modules = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    modules += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    assert [name for name in modules if name.startswith("bmx.")] == []
    assert "bmx" in modules


@pytest.mark.parametrize("path", [path for path in PLACES if path.suffix == ".sh"], ids=lambda path: path.stem)
def test_conversion__shell_scripts_can_be_read_by_a_shell(path: Path) -> None:
    """They need a place that a test doesn't have; a slip of the pen shows all the same."""
    subprocess.run(["bash", "-n", str(path)], check=True)


@pytest.mark.slow
def test_conversion__the_laptop_recipe_works(simulated: Path, untrained: Path, tmp_path: Path) -> None:
    """With the arguments that it names."""
    script = ROOT / "conversion/laptop/convert_and_run.py"
    run_script(script, simulated / DIXON, "ukbb.zarr", "results.zarr", untrained, cwd=tmp_path)
    assert open_results(tmp_path / "results.zarr").sizes == {"participant": 4, "region": 4, "world_axis": 3}
