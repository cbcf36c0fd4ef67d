from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import bmx
from bmx._optional import require
from bmx.errors import BmxError


@pytest.mark.parametrize(
    "use",
    [
        lambda folder: bmx.open_store("s3://bucket/slabs.zarr"),
        lambda folder: bmx.convert("s3://bucket/dixon", folder / "slabs.zarr", workers=1),
        lambda folder: bmx.convert(folder, "s3://bucket/slabs.zarr", workers=1),
    ],
    ids=["open", "from", "to"],
)
def test_require_for__names_the_extra_wherever_a_url_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, use: Callable[[Path], object]
) -> None:
    """fsspec alone would say that it lacks s3fs, but not how bmx brings it."""
    (tmp_path / "1000001_20201_2_0.zip").touch()
    monkeypatch.setitem(sys.modules, "s3fs", None)  # what Python takes for "not there"
    with pytest.raises(BmxError, match=r"s3://bucket/\S+ needs the package s3fs: pip install 'bmx\[s3\]'"):
        use(tmp_path)


def test_require__does_not_hide_what_a_package_lacks_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that is there but broken is another problem, with another cure."""
    (tmp_path / "broken_package.py").write_text("import what_it_needs")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="what_it_needs"):
        require("broken_package", extra="s3", why="something")
