"""What doesn't belong to the Dixon protocol but lies in the same zip: a localizer, a report."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, BasicTextSRStorage, ExplicitVRLittleEndian

from bmx.simulation.exams import Exam, SeriesImages, make_uid
from bmx.simulation.faults.base import Fault, FaultKind
from bmx.types import Affine, IntVolume

_SIZE, _SLICES = 128, 3
_PIXEL_MM, _SLICE_MM = 3.9, 20.0
_DIRECTIONS = {
    "transversal": ((-1, 0, 0), (0, -1, 0), (0, 0, 1)),
    "coronal": ((-1, 0, 0), (0, 0, -1), (0, 1, 0)),
    "sagittal": ((0, -1, 0), (0, 0, -1), (1, 0, 0)),
}
"""Where columns, rows and slices of a localizer run, RAS+."""


def foreign_series(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Add a localizer: three planes in one series, behind all others."""
    if not exam.series:
        return exam, Fault("foreign_series", detail="series=0")
    last, number = exam.series[-1], exam.last_number + 1
    uid = make_uid(exam.seed, "series", "localizer")
    half = np.array([*(np.array(last.volume.shape[::-1]) - 1) / 2, 1.0])
    planes: list[SeriesImages] = []
    for place, (plane, directions) in enumerate(_DIRECTIONS.items()):
        planes.append(
            replace(
                last, slab=0, contrast=None, volume=_phantom(rng), affine=_affine(directions, last.affine @ half),
                key=f"{uid}/{plane}", uid=uid, number=number, protocol="localizer", description="localizer",
                image_type=("ORIGINAL", "PRIMARY", "M", "ND"), echo_time_ms=5.0, descending=False,
                first_instance=1 + place * _SLICES, missing=(), damaged=(),
            )
        )  # fmt: skip
    return replace(exam, series=(*exam.series, *planes)), Fault("foreign_series", detail=f"number={number}")


def foreign_report(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Add a structured report: DICOM, but no image."""
    uid = UID(make_uid(exam.seed, "report"))
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = BasicTextSRStorage
    meta.MediaStorageSOPInstanceUID = uid
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(make_uid(exam.seed, "implementation"))
    report = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    report.SOPClassUID, report.SOPInstanceUID = BasicTextSRStorage, uid
    report.Modality = "SR"
    report.SeriesDescription = "Exam report"
    report.SeriesInstanceUID = UID(make_uid(exam.seed, "series", "report"))
    report.SeriesNumber = exam.last_number + 1
    report.CompletionFlag = "COMPLETE"
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, report, enforce_file_format=True)
    return replace(exam, others={**exam.others, f"{uid}.dcm": buffer.getvalue()}), Fault("foreign_report")


def _phantom(rng: np.random.Generator) -> IntVolume:
    """Noisy discs, (z, y, x) uint16."""
    y, x = np.mgrid[-1 : 1 : _SIZE * 1j, -1 : 1 : _SIZE * 1j]
    signal = 400.0 * (x**2 / 0.4 + y**2 / 0.7 < 1)
    noise = rng.normal(0, 15, (2, _SLICES, _SIZE, _SIZE))
    return np.asarray(np.hypot(signal + noise[0], noise[1]), np.uint16)


def _affine(directions: tuple[tuple[int, int, int], ...], centre: np.ndarray) -> Affine:
    steps = np.array(directions, float).T * (_PIXEL_MM, _PIXEL_MM, _SLICE_MM)
    middle = np.array([_SIZE - 1, _SIZE - 1, _SLICES - 1]) / 2
    return np.column_stack([steps, centre - steps @ middle])


KINDS = (
    FaultKind("foreign_series", "exam", "the zip also holds a localizer in three planes", foreign_series),
    FaultKind("foreign_report", "exam", "the zip also holds a DICOM report that is no image", foreign_report),
)
