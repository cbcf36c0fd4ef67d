"""Which kind of source a folder is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import Final, Literal

import fsspec

from bmx.acquisition import UKB_FIELD
from bmx.errors import SourceError
from bmx.sources.base import Source
from bmx.sources.dicom_folder import DicomFolders
from bmx.sources.nifti_folder import NiftiFolder, files_of, split_name
from bmx.sources.places import ZIP, open_place, some_of, split_stem, walk
from bmx.sources.ukb_zip import UkbZips

logger = logging.getLogger(__name__)

Layout = Literal["zip", "nifti", "dicom"]
"""How a source keeps its exams."""

_SOURCES: dict[Layout, Callable[..., Source]] = {"zip": UkbZips, "nifti": NiftiFolder, "dicom": DicomFolders}

MEANING: Final[dict[Layout, str]] = {
    "zip": f"EID_{UKB_FIELD}_I_0.zip files",
    "nifti": f"EID_{UKB_FIELD}_I_0_slab_N_CONTRAST.nii.gz files",
    "dicom": f"EID_{UKB_FIELD}_I_0 folders of DICOM files",
}
"""Each of them in words."""


def find_layout(url: str) -> Layout:
    """Say how the exams below a folder are kept, from the names of its files and subfolders.

    Parameters
    ----------
    url : path or URL of a folder, or of one exam

    Raises
    ------
    SourceError
        If there is nothing that could be an exam, or exams of two kinds: which one is meant is not ours to guess.

    The log says how many files have other names. Nothing is opened. Of folders called `EID_20201_I_0` only the
    first is looked into: it tells for all whether they hold DICOM files, or zips or NIfTI files with names of their
    own.
    """
    fs, root = open_place(url)
    fs.invalidate_cache()  # exams may have been added since this process looked last
    expected = ", or ".join(MEANING.values())
    if not fs.exists(root):
        raise SourceError(f"there is nothing at {url}; expected a folder of {expected}")
    found: dict[Layout, list[str]] = {}
    others: list[str] = []
    for name, layout in _names(fs, root):
        if layout is None:
            others.append(name)
        else:
            found.setdefault(layout, []).append(name)
    if len(found) == 1:
        (layout,) = found
        if others:
            logger.warning(
                "%d files below %s are left out, their names are not those of %s (%s)",
                len(others), url, MEANING[layout], some_of(others),
            )  # fmt: skip
        return layout
    if found:
        mixed = " and ".join(f"{len(names)} {MEANING[layout]} ({some_of(names)})" for layout, names in found.items())
        raise SourceError(f"expected exams of one kind below {url}, found {mixed}; give the folder that holds one kind")
    what = f"none among {len(others)} files ({some_of(others)})" if others else "none"
    raise SourceError(f"expected {expected} below {url}, found {what}; check the folder and the instance")


def source_of(url: str, *, layout: Layout, instance: int) -> Source:
    """Give the source whose exams are kept in this way."""
    return _SOURCES[layout](url, instance=instance)


def exam_bytes(where: str) -> int:
    """Bytes of one exam as its source keeps it, zip, folder or files; 0 if it is gone."""
    fs, path = open_place(where)
    if fs.exists(path):
        return int(fs.du(path))
    return sum(int(fs.size(open_place(file)[1])) for _, file in files_of(where))


def _names(fs: fsspec.AbstractFileSystem, root: str) -> Iterator[tuple[str, Layout | None]]:
    """Names of files and exam folders, and what each is; doesn't descend into folders of DICOM files."""
    if fs.isfile(root):
        name = PurePosixPath(root).name
        yield name, _layout_of(name)
        return
    if split_stem(PurePosixPath(root).name) and not _holds_names(fs, root):
        yield PurePosixPath(root).name, "dicom"
        return
    unpacked: bool | None = None
    for folder, subfolders, files in walk(fs, root):
        exams = [name for name in subfolders if split_stem(name)]
        if exams and unpacked is None:
            unpacked = not _holds_names(fs, f"{folder.rstrip('/')}/{exams[0]}")
        if unpacked:
            for name in exams:
                subfolders.remove(name)
                yield name, "dicom"
        yield from ((name, _layout_of(name)) for name in files)


def _holds_names(fs: fsspec.AbstractFileSystem, folder: str) -> bool:
    """Whether files with names of exams lie in a folder."""
    return any(_layout_of(PurePosixPath(path).name) for path in fs.ls(folder, detail=False))


def _layout_of(name: str) -> Layout | None:
    """What a file is by its name."""
    if ZIP.fullmatch(name):
        return "zip"
    return "nifti" if split_name(name) else None
