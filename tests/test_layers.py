"""The layers of DESIGN: an import may only point down."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import bmx

PACKAGE = Path(bmx.__file__).parent

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "types", "_console", "_optional", "_lazy"),
    ("acquisition", "regions", "variables", "schema"),
    ("core", "nn"),
    ("store", "sources", "models", "phenotypes", "partitions"),
    (
        "ingest", "segmentation", "measurement", "quality", "cohort", "training", "evaluation", "simulation",
        "analysis", "plot",
    ),
    ("cli", "demo", "reproduction", "__init__", "__main__"),
)  # fmt: skip
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}

VERBS = LEVEL["ingest"]
MAY_CALL_VERBS = {"cohort", "simulation"}

ARRAYS_ONLY = LEVEL["core"]
UNKNOWN_TO_ARRAYS = {"xarray", "dask", "distributed", "zarr", "fsspec", "pathlib", "pydicom", "nibabel"}


def imports(source: str) -> Iterator[str]:
    """Full names of all modules that a source imports, wherever in the file it does so."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            # `from bmx import quality` imports a part of bmx, not its root.
            yield from (f"bmx.{alias.name}" for alias in node.names) if module == "bmx" else (module,)


def part_of(module: str) -> str:
    """Give `store` for `bmx.store.reading`, and `__init__` for bmx itself and the names it resolves."""
    part = module.split(".")[1] if "." in module else "__init__"
    return part if part in LEVEL else "__init__"


def wrong_arrows(part: str, source: str) -> list[str]:
    """What is wrong with the imports of one source that belongs to this part of bmx."""
    wrong = []
    for module in imports(source):
        if module.split(".")[0] != "bmx":
            if LEVEL[part] == ARRAYS_ONLY and module.split(".")[0] in UNKNOWN_TO_ARRAYS:
                wrong.append(f"{part} works on arrays and must not know {module}")
            continue
        target = part_of(module)
        if LEVEL[target] > LEVEL[part]:
            wrong.append(f"{part} imports {module}, which lies above it")
        elif LEVEL[target] == LEVEL[part] == VERBS and target != part and part not in MAY_CALL_VERBS:
            wrong.append(f"{part} is a verb and must not call the verb {module}")
    return wrong


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers__imports_point_down(path: Path) -> None:
    """A cycle between layers can't be taken out again later."""
    part = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    assert part in LEVEL, f"{part} belongs to no layer: give it one in DESIGN and here"
    assert wrong_arrows(part, path.read_text()) == []


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_layers__a_file_holds_one_idea(path: Path) -> None:
    """At most 300 lines; before that, look for the second idea."""
    assert len(path.read_text().splitlines()) <= 300


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*/__init__.py")), ids=lambda path: path.parent.name)
def test_layers__packages_do_nothing_when_imported(path: Path) -> None:
    """A package is a docstring, or names that are resolved lazily: importing one never loads the others' weight."""
    source = path.read_text()
    assert ast.get_docstring(ast.parse(source))
    heavy = {"torch", "matplotlib", "distributed", "statsmodels"}
    top = [node for node in ast.parse(source).body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not heavy & {name.split(".")[0] for node in top for name in imports(ast.unparse(node))}


@pytest.mark.parametrize(
    ("part", "source", "message"),
    [
        (
            "store",
            "from bmx.ingest.encode import encode_partition",
            "store imports bmx.ingest.encode, which lies above it",
        ),
        ("core", "def f():\n    import bmx.store.layout", "core imports bmx.store.layout, which lies above it"),
        ("cohort", "import bmx", "cohort imports bmx, which lies above it"),
        ("ingest", "from bmx import convert", "ingest imports bmx.convert, which lies above it"),
        (
            "ingest",
            "from bmx.simulation.exams import write_exam",
            "ingest is a verb and must not call the verb bmx.simul",
        ),
        ("nn", "import xarray as xr", "nn works on arrays and must not know xarray"),
    ],
)
def test_wrong_arrows__finds_them(part: str, source: str, message: str) -> None:
    """The test of the test: each kind of wrong arrow is seen, also inside functions."""
    (found,) = wrong_arrows(part, source)
    assert found.startswith(message)


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("ingest", "from bmx.store.layout import consolidate\nfrom bmx.ingest.options import ConvertOptions"),
        ("cohort", "from bmx.measurement import measure"),
        ("simulation", "from bmx.ingest.conversion import convert"),
        ("store", "import xarray\nfrom bmx.partitions.plan import Plan"),
        ("cli", "from bmx import quality, run"),
    ],
)
def test_wrong_arrows__allows_the_rest(part: str, source: str) -> None:
    """Down, and along where DESIGN says so."""
    assert wrong_arrows(part, source) == []
