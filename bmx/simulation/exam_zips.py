"""Write one exam as the archive holds it: a flat zip of single-frame DICOM files and a manifest.

Names of files are UIDs and say nothing about order; the manifest has dates with an unquoted comma.
The same exam gives the same bytes.
"""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from bmx.acquisition import UKB_FIELD
from bmx.simulation.dicom_files import SeriesFiles
from bmx.simulation.exams import Exam, Manifest, SeriesImages

_NAME = re.compile(rf"\d+_{UKB_FIELD}_\d+_\d+\.zip")
_COLUMNS = "filename,patientid,date,seriesid,series discription"
_LOCAL_HEADER_BYTES = 30
_DAMAGED_BYTES = 16


def write_exam(path: str | Path, exam: Exam) -> None:
    """Write one participant's exam.

    Parameters
    ----------
    path : path of the zip file
        It must be called `EID_20201_I_0.zip`: the archive says nowhere else who it is.
    exam : from `bmx.simulation.exams.plan_exam`, perhaps changed by faults

    Raises
    ------
    ValueError
        If the file is called otherwise.
    """
    path = Path(path)
    if not _NAME.fullmatch(path.name):
        raise ValueError(f"an exam must be called EID_{UKB_FIELD}_I_0.zip, found {path.name!r}")
    images: dict[str, tuple[SeriesFiles, int]] = {}
    listed: list[tuple[SeriesImages, list[str]]] = []
    damaged: list[str] = []
    for series in exam.series:
        files = SeriesFiles(series, exam.seed, exam.file_meta)
        slices = [z for z in range(len(series.volume)) if z not in series.missing]
        written = {files.name(z): (files, z) for z in (reversed(slices) if series.descending else slices)}
        damaged += [name for name, (_, z) in written.items() if z in series.damaged]
        listed.append((series, list(written)))
        images |= written
    texts = {one.name: _manifest(one, listed).encode() for one in exam.manifests} | dict(exam.others)
    names = sorted([*images, *texts])
    if exam.order_seed:
        names = [names[place] for place in np.random.default_rng(exam.order_seed).permutation(len(names))]
    # One file at a time: a whole exam is a hundred megabytes.
    contents = ((name, texts[name] if name in texts else images[name][0].encode(images[name][1])) for name in names)
    _write_zip(path, contents, damaged)


def _manifest(manifest: Manifest, listed: list[tuple[SeriesImages, list[str]]]) -> str:
    """A line for each image; a wrong one lacks the first series and has the descriptions of the next."""
    rows = [_COLUMNS]
    described = [series for series, _ in listed]
    if manifest.wrong:
        listed, described = listed[1:], described[2:] + described[:1]
    for (series, names), other in zip(listed, described, strict=True):
        day = series.study.begun
        rows += [
            f"{name},{series.study.patient},{day:%b} {day.day}, {day.year},{series.uid},{other.description}"
            for name in names
        ]
    return "\n".join(rows) + "\n"


def _write_zip(path: Path, contents: Iterable[tuple[str, bytes]], damaged: Iterable[str]) -> None:
    """Write a zip whose bytes depend on its members alone; a half-written one never has the final name."""
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w") as archive:
        for name, content in contents:
            info = zipfile.ZipInfo(name)  # dated 1980: the clock must not enter
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            # Level 1 takes a third of the default's time for 10 % more bytes.
            archive.writestr(info, content, compresslevel=1)
        places = [archive.getinfo(name) for name in damaged]
    with partial.open("r+b") as file:
        for info in places:
            # In the middle of the compressed pixels, behind the header of the image.
            file.seek(info.header_offset + _LOCAL_HEADER_BYTES + len(info.filename) + info.compress_size // 2)
            file.write(b"\xff" * _DAMAGED_BYTES)
    partial.replace(path)
