from __future__ import annotations

from pathlib import Path

import fsspec
import pytest

from bmx.sources.places import files_below, is_there, open_place, walk


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A folder with a subfolder, a link to that, a link to another disk, one upwards, and one to nowhere."""
    for name in ("here/b/1", "here/2", "elsewhere/3/4"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    for link, target in (("a", "here/b"), ("disk", "elsewhere"), ("b/up", "here"), ("gone", "nowhere")):
        (tmp_path / "here" / link).symlink_to(tmp_path / target)
    return tmp_path / "here"


def test_files_below__follows_links_to_folders_once(linked: Path) -> None:
    """Archives are spread over disks; a loop ends, and nobody is found twice."""
    fs, root = open_place(str(linked))
    assert files_below(fs, root) == [f"{linked}/{name}" for name in ("2", "b/1", "disk/3/4", "gone")]


def test_walk__leaves_out_what_is_taken_out(linked: Path) -> None:
    """Exams of thousands of files aren't looked into."""
    fs, root = open_place(str(linked))
    seen = []
    for folder, subfolders, _ in walk(fs, root):
        seen.append(folder)
        if "disk" in subfolders:
            subfolders.remove("disk")
    assert seen == [str(linked), f"{linked}/b"]


def test_files_below__of_an_object_store(tmp_path: Path) -> None:
    """There are no links."""
    url = f"memory://{tmp_path.name}/files"
    fsspec.filesystem("memory").pipe_file(f"{url}/a/b", b"")
    fs, root = open_place(url)
    assert files_below(fs, root) == [f"/{tmp_path.name}/files/a/b"]
    assert is_there(url)
    assert not is_there(f"{url}/c")


def test_is_there__tells_an_empty_folder_from_a_full_one(linked: Path) -> None:
    """A disk that isn't mounted leaves one."""
    (linked / "empty").mkdir()
    found = {name: is_there(str(linked / name)) for name in ("b", "2", "disk", "empty", "gone")}
    assert found == {"b": True, "2": True, "disk": True, "empty": False, "gone": False}
