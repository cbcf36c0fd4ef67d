from __future__ import annotations

import bz2
import gzip
import io
import logging
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from bmx.store.tables import save_table, to_table
from bmx.store.traces import erase_pictures_beside, erase_traces, without_participants
from tests.quality.made import cohort

GONE = (1234567,)


@pytest.mark.parametrize(
    ("name", "content", "rest"),
    [
        ("run.log", b"1234567: cut\n7654321: fine\n", b"7654321: fine\n"),
        ("run.log", b"path/1234567_20201_2_0.zip\r\nother\r\n", b"other\r\n"),
        ("run.log", b"11234567 and 12345670 are others\n", b"11234567 and 12345670 are others\n"),
        ("a.csv", b"eid,x\n1234567,1\n01234567,2\n3,4", b"eid,x\n3,4"),
        ("a.json", b'{"1234567": [1234567, 5]}', b'{"null": [null, 5]}'),
        ("a.json", b'{"x": 1234567.5e3, "y": 1}', None),
        ("a.bin", b"before \0 1234567 after", None),
        ("a.log", b"\x87\xd6\x12\0\0\0\0\0", None),
        ("a.npy", (1234567).to_bytes(8, "big"), None),
        ("a.log", b"nobody", b"nobody"),
    ],
)
def test_without_participants__takes_out_what_names_them(name: str, content: bytes, rest: bytes | None) -> None:
    """Whole lines, since the rest of a line may tell who it was; other numbers stay."""
    assert without_participants(name, content, GONE) == rest


def test_erase_traces__goes_by_names_and_content(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Each row of the table in its docstring; what is kept by name is not even read."""
    gone = ("1234567.png", "deep/1234567_20201_2_0_slab_2_fat.nii.gz", "mosaic.pdf", "deep/sheet.PNG", "data.bin")
    kept = {
        "7654321.png": b"x",
        "deep/run.log": b"fine\n",
        "other.bin": b"x",
        "records/0.npz": b"1234567",
        "empty": b"",
    }
    for name in (*gone, *kept):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "deep/run.log").write_bytes(b"fine\n1234567 cut\n")
    (tmp_path / "data.bin").write_bytes(b"\0 1234567")
    (tmp_path / "records/0.npz").write_bytes(b"1234567")
    (tmp_path / "empty").write_bytes(b"")
    with caplog.at_level(logging.INFO):
        changed = erase_traces(str(tmp_path), GONE, keep=lambda name: name.startswith("records/"))
    left = {str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == kept
    assert (changed.changed, changed.unread) == (6, ())
    assert "1234567" not in caplog.text
    assert erase_traces(str(tmp_path), GONE, keep=lambda name: name.startswith("records/")).changed == 0


def test_erase_traces__passes_over_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert erase_traces(str(tmp_path / "nowhere"), GONE) == (0, ())


def test_erase_pictures_beside__touches_only_their_pictures(tmp_path: Path) -> None:
    """Archives, tables and folders there belong to somebody else; a mosaic may be a figure of a paper."""
    for name in ("1234567.png", "1234567_x.nii", "1234567_20201_2_0.zip", "7654321.png", "mosaic.png", "1234567.csv"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "1234567.pdf").mkdir()
    assert erase_pictures_beside(str(tmp_path / "r.zarr"), GONE) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1234567.csv", "1234567.pdf", "1234567_20201_2_0.zip", "7654321.png", "mosaic.png",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def many() -> xr.Dataset:
    """Five hundred participants: so many that Parquet compresses their numbers."""
    return cohort(500)


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".tsv", ".parquet", ".nc"])
def test_erase_traces__takes_participants_out_of_every_table_of_ours(
    many: xr.Dataset, suffix: str, tmp_path: Path
) -> None:
    """Nobody is left whom a program that reads the table would find; everybody else is as before."""
    path = tmp_path / f"table{suffix}"
    save_table(many, str(path))
    expected = to_table(many)
    gone = expected.index[[0, 123, 499]].tolist()
    assert erase_traces(str(tmp_path), gone) == (1, ())
    if suffix == ".nc":  # there is no row to take out of a file that is no table
        assert not path.exists()
        return
    if suffix == ".parquet":
        found = pd.read_parquet(path)
    else:
        found = pd.read_csv(path, sep="\t" if suffix == ".tsv" else ",", index_col="eid", keep_default_na=False)
    assert found.index.tolist() == [eid for eid in expected.index if eid not in gone]
    kept = pd.to_numeric(found["bmff_spine"], errors="coerce")
    np.testing.assert_allclose(kept, expected["bmff_spine"].drop(gone), rtol=1e-6)
    before = path.read_bytes()
    assert erase_traces(str(tmp_path), gone) == (0, ())
    assert path.read_bytes() == before


@pytest.mark.parametrize("what", [1234567, 1234567.0, "path/1234567_20201_2_0.zip", ["1234567"]])
def test_without_participants__reads_every_column_of_parquet(what: object) -> None:
    """As a number, as one with gaps, in text, in a list; whoever has that row."""
    written, other = io.BytesIO(), [what[0].replace("1", "9")] if isinstance(what, list) else None
    pd.DataFrame({"who": [what, other], "x": [1, 2]}).to_parquet(written)
    rest = without_participants("t.parquet", written.getvalue(), GONE)
    assert rest is not None
    assert pd.read_parquet(io.BytesIO(rest))["x"].tolist() == [2]


def test_without_participants__removes_parquet_whose_columns_are_people() -> None:
    written = io.BytesIO()
    pd.DataFrame({"1234567": [1.0]}).to_parquet(written)
    assert without_participants("t.parquet", written.getvalue(), GONE) is None


def test_without_participants__looks_into_gzip() -> None:
    """Text is cut, what else names somebody goes, and so does the name that gzip keeps of what it holds."""
    rest = without_participants("run.log.gz", gzip.compress(b"fine\n1234567: cut\n"), GONE)
    assert rest is not None
    assert gzip.decompress(rest) == b"fine\n"
    assert without_participants("a.nii.gz", gzip.compress(b"voxels \0 1234567"), GONE) is None
    named = io.BytesIO()
    with gzip.GzipFile("1234567.csv", "wb", fileobj=named) as file:
        file.write(b"fine")
    rest = without_participants("a.csv.gz", named.getvalue(), GONE)
    assert rest is not None
    assert b"1234567" not in rest
    assert gzip.decompress(rest) == b"fine"


def test_erase_traces__names_what_it_does_not_look_into(tmp_path: Path) -> None:
    """Compressed otherwise, or damaged: it may hold somebody, and isn't ours to throw away."""
    with zipfile.ZipFile(tmp_path / "sheet.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("sheet1.xml", b"<c>1234567</c>" * 50)
    with zipfile.ZipFile(tmp_path / "copy.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("1234567.csv", b"x" * 50)
    (tmp_path / "a.csv.bz2").write_bytes(bz2.compress(b"1234567,1\n"))
    (tmp_path / "cut.csv.gz").write_bytes(gzip.compress(b"1234567,1\n" * 100)[:20])
    (tmp_path / "cut.parquet").write_bytes(b"PAR1 and no more")
    found = erase_traces(str(tmp_path), GONE)
    assert found.changed == 1, "a zip tells the names of its files"
    assert [Path(path).name for path in found.unread] == ["a.csv.bz2", "cut.csv.gz", "cut.parquet", "sheet.xlsx"]
