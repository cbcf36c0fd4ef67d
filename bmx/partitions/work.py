"""What the disk knows about work under way: plan, records and done-markers, beside the store.

Everything that a restart needs lies in `<store>.work/`, nothing in a scheduler. Files appear whole or
not at all, so whoever is killed leaves nothing that looks finished.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import uuid
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import numpy.typing as npt
from fsspec.implementations.local import LocalFileSystem

from bmx._optional import require_for
from bmx.errors import StoreError
from bmx.partitions.plan import Plan

logger = logging.getLogger(__name__)

SUFFIX = ".work"
_PARTIAL = ".partial"
_PLAN_FORMAT = 1
_AT_ONCE = 64
"""Files that are read together."""
_LOCAL = tuple(f"{protocol}://" for protocol in LocalFileSystem.protocol)
_FULL = {errno.ENOSPC, errno.EDQUOT}
_NO_PLACE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR}
"""Errors that say that a place is the wrong one: no permission, a read-only disk, a file where a folder should be."""
_AWAY = {errno.EIO, errno.EREMOTEIO, errno.ETIMEDOUT, errno.ECONNREFUSED, errno.ECONNRESET, errno.EPIPE}
_OF_NETWORKS = ("botocore", "aiobotocore", "aiohttp")
"""Packages whose errors mean that object storage doesn't answer; fsspec passes some of them on."""


class WorkFolder:
    """The folder `<store>.work/`, on a local disk or behind any URL that fsspec knows."""

    def __init__(self, url: str | Path) -> None:
        self.url = str(url).rstrip("/")
        require_for(self.url)
        self._fs, self._root = fsspec.core.url_to_fs(self.url)

    @classmethod
    def beside(cls, store: str | Path) -> WorkFolder:
        """Give the work folder of a store."""
        return cls(str(store).rstrip("/") + SUFFIX)

    @property
    def store_url(self) -> str:
        """Where the store lies that this folder belongs to."""
        return self.url.removesuffix(SUFFIX)

    def __repr__(self) -> str:
        return f"WorkFolder({self.url!r})"

    def write_plan(self, plan: Plan) -> None:
        """Write the plan, in place of an earlier one."""
        content = {
            "format": _PLAN_FORMAT,
            "size": plan.size,
            "eids": list(plan.eids),
            "options": dict(plan.options),
        }
        self._write("plan.json", json.dumps(content).encode())

    def has_plan(self) -> bool:
        """Whether a plan was written."""
        return bool(self._fs.exists(self._path("plan.json")))

    def read_plan(self) -> Plan:
        """Read the plan.

        Raises
        ------
        StoreError
            If there is none, or another version of bmx wrote it.
        """
        try:
            content = json.loads(self._fs.cat_file(self._path("plan.json")))
        except FileNotFoundError as exc:
            raise StoreError(f"{self.url} holds no plan.json: work on this store was never begun") from exc
        if content["format"] != _PLAN_FORMAT:
            raise StoreError(
                f"{self.url}/plan.json has format {content['format']}, expected {_PLAN_FORMAT}; "
                "finish with the version of bmx that began"
            )
        return Plan(tuple(content["eids"]), content["size"], content["options"])

    def write_record(self, index: int, record: Mapping[str, npt.NDArray[Any]]) -> None:
        """Keep the small arrays that partition `index` made; text as NumPy `U` arrays, no objects."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, array in record.items():
                # Written member by member: np.savez dates its members with the clock.
                with archive.open(zipfile.ZipInfo(f"{name}.npy"), "w") as member:
                    np.lib.format.write_array(member, np.asarray(array), allow_pickle=False)
        self._write(_record_name(index), buffer.getvalue())

    def read_record(self, index: int) -> dict[str, npt.NDArray[Any]]:
        """Read back what partition `index` kept."""
        (record,) = self.read_records([index])
        return record

    def read_records(self, indexes: Sequence[int]) -> Iterator[dict[str, npt.NDArray[Any]]]:
        """Read back what partitions kept, some at once: an object store answers many questions in the time of one."""
        for index, content in zip(indexes, self.read_files(map(_record_name, indexes)), strict=True):
            if content is None:
                raise StoreError(f"partition {index} has no record in {self.url}; run it again")
            with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
                yield dict(arrays)

    def write_marker(self, index: int, digest: str) -> None:
        """Say that partition `index` of these participants is done; the last thing its task does."""
        self._write(_marker_name(index), digest.encode())

    def read_marker(self, index: int) -> str | None:
        """Digest of the participants that partition `index` was last done for, None if it never was."""
        content = self.read_file(_marker_name(index))
        return None if content is None else content.decode()

    def missing(self, plan: Plan) -> list[int]:
        """Partitions without a marker, or with the marker of another list of participants."""
        self._fs.invalidate_cache()  # workers are other processes, and they write the markers
        try:
            there = {Path(path).name for path in self._fs.ls(self._path("done"), detail=False)}
        except (FileNotFoundError, NotADirectoryError):
            return list(range(len(plan)))
        marked = [part for part in plan.partitions() if Path(_marker_name(part.index)).name in there]
        contents = self.read_files(_marker_name(part.index) for part in marked)
        done = {part.index for part, content in zip(marked, contents, strict=True) if content == part.digest.encode()}
        return [index for index in range(len(plan)) if index not in done]

    def forget(self, indexes: Iterable[int]) -> None:
        """Have partitions done again: remove their markers, and before them what says that all are done."""
        self.remove_file("finished")
        for index in indexes:
            self.remove_file(_marker_name(index))

    def write_finished(self, plan: Plan) -> None:
        """Say that everything of this plan is done and readable; the last thing that finalising does."""
        self._write("finished", plan.digest.encode())

    def is_finished(self, plan: Plan) -> bool:
        """Whether everything of this plan was done and made readable."""
        try:
            content: bytes = self._fs.cat_file(self._path("finished"))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return content.decode() == plan.digest

    def write_file(self, name: str, content: bytes) -> None:
        """Write any other file of this folder, whole or not at all."""
        self._write(name, content)

    def read_file(self, name: str) -> bytes | None:
        """Content of a file, None if there is none."""
        try:
            content: bytes = self._fs.cat_file(self._path(name))
        except (FileNotFoundError, NotADirectoryError):
            return None
        return content

    def read_files(self, names: Iterable[str]) -> Iterator[bytes | None]:
        """Content of many files in their order, None for each that isn't there; some are read together."""
        paths = [self._path(name) for name in names]
        for first in range(0, len(paths), _AT_ONCE):
            # Not `cat`, which takes a bracket in a path for a pattern.
            for content in self._fs.cat_ranges(paths[first : first + _AT_ONCE], None, None, on_error="return"):
                if isinstance(content, Exception) and not isinstance(content, (FileNotFoundError, NotADirectoryError)):
                    raise content
                yield None if isinstance(content, Exception) else content

    def remove_file(self, name: str) -> None:
        """Remove a file if it is there."""
        if self._fs.exists(self._path(name)):
            self._fs.rm_file(self._path(name))

    def files(self) -> list[str]:
        """Names of all files below this folder, `records/000000.npz`."""
        self._fs.invalidate_cache()  # other processes write here, too
        if not self._fs.exists(self._root):
            return []
        root = self._root.strip("/") + "/"
        return sorted(path.strip("/").removeprefix(root) for path in self._fs.find(self._root))

    def sweep(self) -> None:
        """Remove the half-written files of killed processes. Only when no task is running."""
        if self._fs.exists(self._root):
            sweep_partial(self._root if self._is_local else self.url)

    @property
    def _is_local(self) -> bool:
        return isinstance(self._fs, LocalFileSystem)

    def _path(self, name: str) -> str:
        return f"{self._root}/{name}"

    def _write(self, name: str, content: bytes) -> None:
        path = self._path(name)
        with writing_to(path):
            if not self._is_local:
                self._fs.pipe_file(path, content)  # object stores show a file only when it is whole
                return
            target = Path(path)
            target.parent.mkdir(parents=True, exist_ok=True)
            partial = target.with_name(f"{target.name}.{uuid.uuid4().hex}{_PARTIAL}")
            partial.write_bytes(content)
            partial.replace(target)


def absolute_place(place: str | Path) -> str:
    """Make a local path absolute, since workers may run in another folder; a URL only loses a slash at its end.

    Examples
    --------
    >>> absolute_place("file:///data/ukbb.zarr"), absolute_place("s3://bucket/ukbb.zarr/")
    ('/data/ukbb.zarr', 's3://bucket/ukbb.zarr')
    """
    text = str(place)
    if text.startswith(_LOCAL):
        text = str(fsspec.core.url_to_fs(text)[1])
    scheme, is_url, path = text.partition("://")
    # With its slash, what is named after a store would lie within it.
    return f"{scheme}://{path.rstrip('/')}" if is_url else str(Path(text).absolute())


def holds_anything(place: str) -> bool:
    """Whether a file or a folder that isn't empty lies there."""
    fs, path = fsspec.core.url_to_fs(place)
    return bool(fs.exists(path) and (fs.isfile(path) or fs.ls(path, detail=False)))


@contextmanager
def writing_to(place: str) -> Iterator[None]:
    """Say what to do if a place can't be written to; a disk that is full or broken stays an OSError."""
    try:
        yield
    except OSError as exc:
        if exc.errno not in _NO_PLACE:
            raise
        raise StoreError(f"cannot write {place}: {exc.strerror}; choose another place for the store") from exc


def say_what_to_do(exc: BaseException) -> None:
    """Add a note to the error of memory or a disk that is full, or a place that can't be written or doesn't answer."""
    number = exc.errno if isinstance(exc, OSError) else None
    if isinstance(exc, MemoryError):
        exc.add_note("memory is full: give each worker more, or use fewer, and call again, what is done stays done")
    elif number in _FULL:
        exc.add_note("the disk is full: make space and call again, what is done stays done")
    elif number in _NO_PLACE:
        exc.add_note("this place can't be written to: make it writable and call again, what is done stays done")
    elif number in _AWAY or type(exc).__module__.partition(".")[0] in _OF_NETWORKS:
        exc.add_note("the place doesn't answer as it should: call again when it does, what is done stays done")


def sweep_partial(url: str) -> None:
    """Remove every `*.partial` below a local folder; other places never show half-written files."""
    fs, root = fsspec.core.url_to_fs(url)
    if not isinstance(fs, LocalFileSystem):
        return
    for path in Path(root).rglob(f"*{_PARTIAL}"):
        logger.info("removing the half-written %s", path)
        path.unlink(missing_ok=True)


def _record_name(index: int) -> str:
    return f"records/{index:06d}.npz"


def _marker_name(index: int) -> str:
    return f"done/{index:06d}"
