from __future__ import annotations

import logging
from pathlib import Path

import pytest

from bmx.store.traces import erase_pictures_beside, erase_traces, without_participants

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
    assert changed == 6
    assert "1234567" not in caplog.text
    assert erase_traces(str(tmp_path), GONE, keep=lambda name: name.startswith("records/")) == 0


def test_erase_traces__passes_over_a_folder_that_is_not_there(tmp_path: Path) -> None:
    assert erase_traces(str(tmp_path / "nowhere"), GONE) == 0


def test_erase_pictures_beside__touches_only_their_pictures(tmp_path: Path) -> None:
    """Archives, tables and folders there belong to somebody else; a mosaic may be a figure of a paper."""
    for name in ("1234567.png", "1234567_x.nii", "1234567_20201_2_0.zip", "7654321.png", "mosaic.png", "1234567.csv"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "1234567.pdf").mkdir()
    assert erase_pictures_beside(str(tmp_path / "r.zarr"), GONE) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "1234567.csv", "1234567.pdf", "1234567_20201_2_0.zip", "7654321.png", "mosaic.png",
    ]  # fmt: skip
