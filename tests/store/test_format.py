"""The normative page of the format says what the code does: its tables are compared with the declared variables."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest
import zarr
from distributed import Client

import bmx.store
from bmx.acquisition import SLABS
from bmx.cohort.run import run
from bmx.partitions.engine import log_name
from bmx.partitions.work import WorkFolder
from bmx.store.layout import COLUMN_CHUNK, create_column
from bmx.store.reading import open_store
from bmx.store.results import masks_beside, open_masks, open_results
from bmx.variables import MEASUREMENT_STATUS, RESULT_FLAGS, SLAB_FLAGS, SLAB_STATUS, SWAP, Variable, variables_of
from tests.cohorts import make_store

PAGE = (Path(bmx.store.__file__).parent / "FORMAT.md").read_text()
DECLARED = variables_of("store", "slab", "series", "masks", "results", "vertebrae")


def rows(width: int) -> dict[str, list[str]]:
    """Cells of all table rows with so many columns that begin with one name in backticks, by that name."""
    found = {}
    for line in PAGE.splitlines():
        cells = [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) == width and (name := re.fullmatch(r"`(\w+)`", cells[0])):
            assert name[1] not in found, f"{name[1]} stands in the page twice"
            found[name[1]] = cells[1:]
    return found


def fill_of(variable: Variable) -> str:
    """How the page says what stands where nothing was written, from an array made by the code."""
    root = zarr.create_group({}, zarr_format=3)
    create_column(root, variable, zarr.zeros((1,) * len(variable.dims), dtype="int8")[:])
    array = root[variable.name]
    assert isinstance(array, zarr.Array)
    return {"": "empty", "False": "false", "nan": "NaN", "0": "0"}[str(array.fill_value)]


def test_format__has_a_row_for_every_variable() -> None:
    """And none for what isn't there."""
    assert sorted(rows(6)) == sorted(variable.name for variable in DECLARED)


@pytest.mark.parametrize("variable", DECLARED, ids=lambda variable: variable.name)
def test_format__says_what_is_declared(variable: Variable) -> None:
    """Dims, dtype, units, fill and meaning; change the page together with the variable, if the version allows it."""
    dims, dtype, units, fill, meaning = rows(6)[variable.name]
    assert dims == ", ".join(variable.dims)
    assert dtype == variable.dtype
    assert units == (variable.units or "–")
    assert fill == fill_of(variable)
    assert meaning == variable.long_name


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("slab_status", SLAB_STATUS),
        ("slab_flags", SLAB_FLAGS),
        ("status", MEASUREMENT_STATUS),
        ("flags", RESULT_FLAGS),
        ("swap", SWAP),
    ],
)
def test_format__lists_statuses_and_bits(name: str, codes: dict[str, int]) -> None:
    """A bit means the same for ever."""
    (listed,) = rows(2)[name]
    assert listed == ", ".join(f"{value} {meaning}" for meaning, value in codes.items())


def test_format__knows_the_lengths_of_the_z_axes() -> None:
    lengths = ", ".join(str(slab.stored_slices) for slab in SLABS.values())
    assert f"{lengths} places for slabs 1 to 6" in PAGE.replace("\n  ", " ")
    assert f"{COLUMN_CHUNK:,} along their first dimension" in PAGE


def attributes(heading: str) -> set[str]:
    """Names in the first column of the table of attributes below a heading that MUST be there."""
    below = PAGE.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    lines = [line.split("|") for line in below.splitlines() if line.startswith("| `")]
    return {name for cells in lines if cells[2].strip() == "MUST" for name in re.findall(r"`(\w+)`", cells[1])}


def test_format__names_the_attributes_that_stores_have(tmp_path: Path, untrained: Path, threads: Client) -> None:
    """All of them, in a store that convert made and in what run made of it."""
    store = make_store(tmp_path, (1000001,), slabs=(4,), client=threads)
    assert set(open_store(store).attrs) == attributes("## Root attributes")
    results = run(store, tmp_path / "r.zarr", models=untrained, regions=["femoral_head"], client=threads)
    must = attributes("## Root attributes of both")
    assert set(open_results(tmp_path / "r.zarr").attrs) == set(results.attrs) == must
    of_recipe = {name for name in must if name.startswith("recipe")} | {"correction"}
    assert set(open_masks(masks_beside(tmp_path / "r.zarr")).attrs) == must - of_recipe
    files = {path.name if path.parent.name.endswith(".work") else f"{path.parent.name}/NNNNNN{path.suffix}"
             for path in Path(f"{store}.work").rglob("*") if path.is_file()}  # fmt: skip
    assert all(f"`{name}`" in PAGE for name in files), files


def test_format__says_how_a_digest_looks() -> None:
    """Whoever checks an archive against the store must know which digest it is, and how long."""
    assert f"`source_digest` is {len(hashlib.sha256().hexdigest())} hexadecimal digits" in PAGE


def test_format__says_what_a_log_holds(tmp_path: Path, threads: Client) -> None:
    """Each entry that the engine writes."""
    work = WorkFolder.beside(make_store(tmp_path, (9000001,), slabs=(5,), client=threads))
    log = json.loads(work.read_file(log_name(0)) or b"")
    (line,) = (line for line in PAGE.splitlines() if line.startswith("| `logs/NNNNNN.json` |"))
    assert re.findall(r"`(\w+)`", line) == list(log)
