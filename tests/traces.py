"""Look for a person in everything below some folders: in every byte, and in everything that the bytes decode to."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import zarr


def find_traces(
    folders: Sequence[Path], scratch: Path, *, eid: int, image: bytes, pieces: Sequence[bytes] = ()
) -> list[str]:
    """Where an EID or a piece of an image is found; empty if nobody could tell that they ever took part.

    Parameters
    ----------
    folders : stores and work folders
    scratch : an empty folder for copies
    eid : looked for in names, text, and integers and floats of any size and byte order
    image : bytes of neighbouring voxels, looked for in raw files and decoded arrays
    pieces : of compressed volumes, looked for in raw files
    """
    found = []
    number = re.compile(rf"(?<!\d){eid}(?!\d)")
    integers = [eid.to_bytes(8, order) for order in ("little", "big")]
    for path in (path for folder in folders for path in folder.rglob("*")):
        if number.search(path.name):
            found.append(f"name of {path}")
        if path.is_file():
            content = path.read_bytes()
            if number.search(content.decode("latin-1")):
                found.append(f"text in {path}")
            if any(piece in content for piece in (*integers, image, *pieces)):
                found.append(f"bytes in {path}")
    for where, values in (item for folder in folders for item in decoded(folder, scratch)):
        if values.dtype.kind in "iuf":
            if np.any(values == eid):
                found.append(f"number in {where}")
            if image in values.tobytes():
                found.append(f"voxels in {where}")
        elif any(number.search(str(text)) for text in values.ravel().tolist()):
            found.append(f"text in {where}")
    return found


def decoded(folder: Path, scratch: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Every array in every npz file and Zarr array, the latter to the ends of its last chunks."""
    for path in folder.rglob("*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            yield from ((f"{path}/{name}", arrays[name]) for name in arrays)
    if (folder / "zarr.json").exists():
        whole = scratch / f"{folder.name}-to-the-ends"
        shutil.rmtree(whole, ignore_errors=True)
        shutil.copytree(folder, whole)
        for metadata in whole.rglob("zarr.json"):
            _lengthen(metadata)
        root = zarr.open_group(whole, mode="r", use_consolidated=False)
        for path, member in root.members(max_depth=None):
            if isinstance(member, zarr.Array):
                yield f"{folder}/{path}", np.asarray(member[:])


def _lengthen(path: Path) -> None:
    """Make an array as long as its chunks, so that what lies beyond its end is read, too."""
    metadata = json.loads(path.read_text())
    if metadata["node_type"] == "array":
        rows, chunk = metadata["shape"][0], metadata["chunk_grid"]["configuration"]["chunk_shape"][0]
        metadata["shape"][0] = -(-rows // chunk) * chunk
        path.write_text(json.dumps(metadata))


def encoded_volumes(shard: Path) -> list[bytes]:
    """Compressed volumes in a shard file, by the index at its end; one that isn't there is empty."""
    content = shard.read_bytes()
    grid = json.loads((shard.parent / "zarr.json").read_text())["chunk_grid"]["configuration"]["chunk_shape"]
    count = int(np.prod(grid[:-3]))
    index = np.frombuffer(content[-16 * count - 4 : -4], "<u8").reshape(count, 2).tolist()
    return [content[start : start + size] if start < len(content) else b"" for start, size in index]


def own_pieces(volume: bytes, others: Sequence[bytes]) -> list[bytes]:
    """Pieces of a compressed volume that are in no other one: background looks the same in everybody."""
    pieces = [volume[at : at + 32] for at in range(0, len(volume) - 32, 64)]
    return [piece for piece in pieces if not any(piece in other for other in others)]
