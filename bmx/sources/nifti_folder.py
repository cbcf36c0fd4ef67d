"""Folders of NIfTI files of UK Biobank slabs, as `bmx export` writes them.

A file is called `EID_20201_I_0_slab_N_CONTRAST.nii.gz` (or `.nii`), for example
`1000001_20201_2_0_slab_2_fat.nii.gz`, in any subfolder: EID and imaging visit I, slab N from 1 to 6, and as
CONTRAST one of fat, water, in_phase, opposed_phase or F, W, in, opp. The voxels must be those of the scanner:
the protocol's rows, columns and slice spacing, whole numbers from 0 to 65535. Axes may be permuted and turned
round; they are re-ordered, never resampled. What doesn't fit is refused with the difference, slab by slab. A
slice that is 0 throughout counts as missing.
"""

from __future__ import annotations

import hashlib
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import PurePosixPath
from types import TracebackType
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from bmx.acquisition import CONTRASTS, SLABS, UKB_FIELD, ContrastName
from bmx.errors import SourceError, did_you_mean
from bmx.sources.header import Header
from bmx.sources.nifti_image import NiftiImage
from bmx.sources.nifti_slab import misplaced, nifti_headers, why_no_slab
from bmx.sources.places import STEM, address_of, files_below, one_each, open_place
from bmx.sources.series import Series
from bmx.types import IntVolume

_NAME = re.compile(rf"(?P<stem>{STEM})_slab_(?P<slab>\d+)_(?P<contrast>\w+)\.nii(\.gz)?")
_CONTRASTS: dict[str, ContrastName] = {name: name for name in CONTRASTS} | {
    kind.suffix: name for name, kind in CONTRASTS.items()
}
_SCATTERED = "**"
"""In the address of an exam: its files lie in several folders below."""
_LARGEST = np.iinfo(np.uint16).max


class Name(NamedTuple):
    """What the name of a file says."""

    eid: int
    instance: int
    stem: str
    """`EID_20201_I_0`"""
    slab: int
    contrast: str


def split_name(name: str) -> Name | None:
    """Take the name of a file apart; None if it is called otherwise. Slab and contrast may be unknown ones.

    Examples
    --------
    >>> split_name("1000001_20201_2_0_slab_2_fat.nii.gz")
    Name(eid=1000001, instance=2, stem='1000001_20201_2_0', slab=2, contrast='fat')
    >>> split_name("1000001_20201_2_0_spine.nii.gz")
    """
    match = _NAME.fullmatch(name)
    if match is None:
        return None
    return Name(int(match["eid"]), int(match["instance"]), match["stem"], int(match["slab"]), match["contrast"])


class NiftiFolder:
    """All exams of one imaging visit below a folder."""

    def __init__(self, url: str, *, instance: int = 2) -> None:
        self.url = str(url).rstrip("/")
        self.instance = instance

    def list_exams(self) -> dict[int, str]:
        """EID -> folder and common beginning of its files, sorted by EID; looks into subfolders.

        The files of one participant are found again by listing their folder, so keep them together; scattered
        over several folders (`.../**/EID_20201_I_0`) they take a search of all that lies below.

        Raises
        ------
        SourceError
            If there is no such file.
        """
        fs, root = open_place(self.url)
        folders: dict[tuple[int, int, str], set[str]] = defaultdict(set)
        for path in [root] if fs.isfile(root) else files_below(fs, root):
            if name := split_name(PurePosixPath(path).name):
                folders[name.eid, name.instance, name.stem].add(str(PurePosixPath(path).parent))
        top = str(PurePosixPath(root).parent) if fs.isfile(root) else root.rstrip("/")
        found = [
            (eid, instance, address_of(fs, f"{where.pop() if len(where) == 1 else f'{top}/{_SCATTERED}'}/{stem}"))
            for (eid, instance, stem), where in folders.items()
        ]
        what = f"NIfTI files called EID_{UKB_FIELD}_{self.instance}_0_slab_N_CONTRAST.nii.gz"
        return one_each(found, instance=self.instance, what=what, url=self.url)

    def open_exam(self, where: str) -> NiftiExam:
        """Open the files of one participant; SourceError if they are gone."""
        return NiftiExam(where)


class NiftiExam:
    """The files of one participant: headers at once, voxels file by file."""

    def __init__(self, where: str) -> None:
        self.where = where
        self.irregularities: list[str] = []
        self.rejected: dict[str, str] = {}
        self.refused: dict[int, str] = {}
        self._paths = dict(sorted(files_of(where)))
        if not self._paths:
            raise SourceError(f"expected NIfTI files called {PurePosixPath(where).name}_slab_N_CONTRAST, found none")
        self._images: dict[str, NiftiImage] = {}
        self._read: dict[str, IntVolume | SourceError] = {}
        slabs: dict[int, dict[ContrastName, Series]] = defaultdict(dict)
        for file in self._paths:
            self._take(file, slabs)
        for number, problem in misplaced(slabs).items():
            for series in slabs[number].values():
                self._refuse(number, series.first.series_uid, problem)
        self.headers: list[Header] = [
            header
            for number, contrasts in slabs.items()
            if number not in self.refused
            for series in contrasts.values()
            for header in series.headers
        ]

    def pixels(self, header: Header) -> IntVolume:
        """Read one image, (y, x) uint16; SourceError if it is missing or its file holds other values than a scanner's.

        A file is read whole, and the last four are kept: as many as one slab has.
        """
        file = header.series_uid
        if file not in self._read:
            while len(self._read) >= len(CONTRASTS):
                del self._read[next(iter(self._read))]
            try:
                self._read[file] = _magnitudes(self._images[file].volume(), file)
            except SourceError as exc:
                self._read[file] = exc
        found = self._read[file]
        if isinstance(found, SourceError):
            raise found
        image: IntVolume = found[header.instance_number - 1]
        if not image.any():
            # A file can't leave a slice out: what is missing is 0 in it, which no scanner gives.
            raise SourceError(f"{file}: slice {header.instance_number} is 0 throughout, so it counts as missing")
        return image

    def digest(self) -> str:
        """SHA-256 digest of the names and contents of all files."""
        digest = hashlib.sha256()
        for file, path in self._paths.items():
            fs, place = open_place(path)
            digest.update(file.encode() + b"\0")
            digest.update(fs.cat_file(place))
        return digest.hexdigest()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._read.clear()

    def _take(self, file: str, slabs: dict[int, dict[ContrastName, Series]]) -> None:
        """Open one file and add it to its slab, or say why not."""
        name = split_name(file)
        assert name is not None, "only such files were listed"
        contrast = _CONTRASTS.get(name.contrast)
        if contrast is None or name.slab not in SLABS:
            unknown, known = (name.slab, SLABS) if contrast else (name.contrast, CONTRASTS)
            self.rejected[file] = f"its name says {unknown}; {did_you_mean(str(unknown), map(str, known))}"
            return
        if contrast in slabs[name.slab]:
            other = slabs[name.slab][contrast].first.series_uid
            self._refuse(name.slab, file, f"slab {name.slab} has two {contrast} files, {other} and {file}; keep one")
            return
        try:
            image = NiftiImage.open(self._paths[file])
        except SourceError as exc:
            self._refuse(name.slab, file, str(exc))
            return
        series = Series(nifti_headers(image, file, name.slab, contrast, study=name.stem))
        if problem := why_no_slab(series, name.slab):
            self._refuse(name.slab, file, f"{file}: {problem}")
            return
        self._images[file], slabs[name.slab][contrast] = image, series

    def _refuse(self, slab: int, file: str, problem: str) -> None:
        """Refuse a whole slab for the sake of one file: half of one would be measured, too."""
        self.rejected[file] = problem
        earlier = self.refused.get(slab, "")
        if problem not in earlier:
            self.refused[slab] = f"{earlier}; {problem}" if earlier else problem


def files_of(where: str) -> Iterator[tuple[str, str]]:
    """Give name and address of each file of the exam at this address; none if they are gone."""
    fs, place = open_place(where)
    folder, stem = str(PurePosixPath(place).parent), PurePosixPath(place).name
    if PurePosixPath(folder).name == _SCATTERED:
        paths = files_below(fs, str(PurePosixPath(folder).parent))
    else:
        paths = fs.find(folder, prefix=stem)  # object stores list no other files then
    for path in paths:
        file = PurePosixPath(path).name
        if (name := split_name(file)) and name.stem == stem:
            yield file, address_of(fs, path)


def _magnitudes(values: npt.NDArray[Any], file: str) -> IntVolume:
    """The very same values as uint16; SourceError if that can't be."""
    if not np.isfinite(values).all():
        raise SourceError(
            f"{file}: expected whole numbers, found {int((~np.isfinite(values)).sum())} that are not finite"
        )
    low, high = values.min(), values.max()
    if low < 0:
        raise SourceError(f"{file}: a magnitude image can't be negative, found {low}")
    if high > _LARGEST:
        raise SourceError(f"{file}: expected at most {_LARGEST}, found {high}")
    whole = values.astype(np.uint16)
    if (wrong := whole != values).any():
        raise SourceError(
            f"{file}: expected whole numbers, found {int(wrong.sum())} that aren't, such as {values[wrong][0]}; "
            "give the images as the scanner made them"
        )
    return whole
