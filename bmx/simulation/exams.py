"""Write one exam as the archive holds it: a flat zip of single-frame DICOM files and a manifest.

What the files look like is DOMAIN's sections 1 and 2: names are UIDs and say nothing about order,
even slabs are stored from head to foot and odd ones from foot to head, the manifest has dates with
an unquoted comma. The same input gives the same bytes.
"""

from __future__ import annotations

import datetime
import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import format_number_as_ds

from bmx.acquisition import (
    CONTRASTS,
    FIELD_STRENGTH_T,
    FLIP_ANGLE_DEG,
    REPETITION_TIME_MS,
    UKB_FIELD,
    ContrastName,
)
from bmx.sources.dicom_tags import SIMULATED_COMMENT
from bmx.types import Affine, IntVolume

_BREATH_HOLD = (2, 3, 4)
_FIRST_DAY = datetime.date(2014, 5, 1)
_DAYS = 2000
_RAS_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write_exam(
    path: str | Path,
    *,
    eid: int,
    slabs: Mapping[int, Mapping[ContrastName, IntVolume]],
    affines: Mapping[int, Affine],
    uid_seed: int,
    manifest: bool = True,
) -> None:
    """Write one participant's exam as `EID_20201_I_0.zip`.

    Parameters
    ----------
    path : path of the zip file
        Its name must start with `EID_20201_`: the archive says nowhere else who it is.
    eid : int
        Participant; not written into any file.
    slabs : slab number -> contrast -> (z, y, x) uint16, arbitrary scanner units
        Any slabs, any contrasts of them; z towards Superior, y towards Posterior, x towards Left.
    affines : slab number -> (3, 4) float64
        Voxel index (x, y, z, 1) to RAS+ millimetres.
    uid_seed : int
        Decides all UIDs, the pseudonym and the date; give every exam its own.
    manifest : bool
        Whether to add `manifest.csv`.

    Raises
    ------
    ValueError
        If the name of the file is another participant's, or a volume isn't (z, y, x) uint16.
    """
    path = Path(path)
    if not path.name.startswith(f"{eid}_{UKB_FIELD}_") or path.suffix != ".zip":
        raise ValueError(f"an exam of {eid} must be called {eid}_{UKB_FIELD}_I_0.zip, found {path.name!r}")
    study = _Study.from_seed(uid_seed)
    members: dict[str, bytes] = {}
    rows = ["filename,patientid,date,seriesid,series discription"]
    for slab in sorted(slabs):
        for offset, contrast in enumerate(name for name in CONTRASTS if name in slabs[slab]):
            template = _series(study, slab, contrast, offset)
            for name, content in _files(
                template, study, slabs[slab][contrast], affines[slab], descending=slab % 2 == 0
            ):
                members[name] = content
                rows.append(
                    f"{name},{study.patient},{study.date:%b} {study.date.day}, {study.date.year},"
                    f"{template.SeriesInstanceUID},{template.SeriesDescription}"
                )
    if manifest:
        members["manifest.csv"] = ("\n".join(rows) + "\n").encode()
    _write_zip(path, members)


@dataclass(frozen=True, slots=True)
class _Study:
    """What all files of one exam share."""

    seed: int
    patient: str
    date: datetime.date

    @classmethod
    def from_seed(cls, seed: int) -> _Study:
        number = _hash(seed, "study")
        return cls(seed, f"sim{number % 10**10:010d}", _FIRST_DAY + datetime.timedelta(days=number % _DAYS))

    def uid(self, *role: object) -> UID:
        """A UID for this role, the same in every run (ISO form 2.25: a 128-bit number)."""
        return UID(f"2.25.{_hash(self.seed, *role)}")


def _hash(*parts: object) -> int:
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")


def _series(study: _Study, slab: int, contrast: ContrastName, offset: int) -> FileDataset:
    """Header of one series, without what differs from slice to slice."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = study.uid("implementation")
    header = FileDataset("", {}, preamble=b"\0" * 128, file_meta=meta)
    kind = CONTRASTS[contrast]
    start = datetime.datetime.combine(study.date, datetime.time(9)) + datetime.timedelta(seconds=30 * slab)
    protocol = "Dixon_BH_17s" if slab in _BREATH_HOLD else "Dixon_noBH"
    header.ImageType = ["DERIVED", "PRIMARY", "DIXON", kind.image_types[0]]
    header.SOPClassUID = MRImageStorage
    header.StudyDate = header.SeriesDate = header.AcquisitionDate = f"{study.date:%Y%m%d}"
    header.StudyTime = "090000.000000"
    header.SeriesTime = header.AcquisitionTime = f"{start:%H%M%S.%f}"
    header.Modality = "MR"
    header.Manufacturer = "SIEMENS"
    header.ManufacturerModelName = "Aera"
    header.SeriesDescription = f"{protocol}_{kind.suffix}"
    header.ProtocolName = protocol
    header.PatientName = header.PatientID = study.patient
    header.PatientPosition = "HFS"
    header.ImageComments = SIMULATED_COMMENT
    header.RepetitionTime = REPETITION_TIME_MS
    # The scanner writes the first echo's time on the computed fat and water images.
    header.EchoTime = kind.echo_time_ms or CONTRASTS["opposed_phase"].echo_time_ms
    header.FlipAngle = FLIP_ANGLE_DEG
    header.MagneticFieldStrength = FIELD_STRENGTH_T
    header.StudyInstanceUID = study.uid("study")
    header.SeriesInstanceUID = study.uid("series", slab, contrast)
    header.FrameOfReferenceUID = study.uid("frame")
    header.SeriesNumber = 4 * (slab - 1) + 1 + offset
    header.AcquisitionNumber = 1
    header.SamplesPerPixel = 1
    header.PhotometricInterpretation = "MONOCHROME2"
    header.BitsAllocated = header.BitsStored = 16
    header.HighBit = 15
    header.PixelRepresentation = 0
    return header


def _files(
    header: FileDataset, study: _Study, volume: IntVolume, affine: Affine, *, descending: bool
) -> Iterator[tuple[str, bytes]]:
    """Name and content of the files of one series, one per slice."""
    if volume.ndim != 3 or volume.dtype != np.uint16:
        raise ValueError(f"a volume must be (z, y, x) uint16, found {volume.ndim} dims of {volume.dtype}")
    slices, header.Rows, header.Columns = volume.shape
    lps = affine * _RAS_TO_LPS[:, None]
    step_x, step_y, step_z = np.linalg.norm(lps[:, :3], axis=0)
    header.PixelSpacing = _decimal(step_y, step_x)
    header.SliceThickness = _decimal(step_z)[0]
    header.ImageOrientationPatient = _decimal(*lps[:, 0] / step_x, *lps[:, 1] / step_y)
    pixels = np.ascontiguousarray(volume, dtype="<u2")
    for instance, z in enumerate(range(slices - 1, -1, -1) if descending else range(slices), start=1):
        uid = study.uid("image", header.SeriesInstanceUID, z)
        header.SOPInstanceUID = header.file_meta.MediaStorageSOPInstanceUID = uid
        header.InstanceNumber = instance
        header.ImagePositionPatient = _decimal(*(lps[:, 3] + z * lps[:, 2]))
        header.PixelData = pixels[z].tobytes()
        buffer = io.BytesIO()
        pydicom.dcmwrite(buffer, header, enforce_file_format=True)
        yield f"{uid}.dcm", buffer.getvalue()


def _decimal(*values: float) -> list[str]:
    """Decimal strings of at most 16 characters, as the standard wants them."""
    # Adding zero turns -0.0 into 0.0.
    return [format_number_as_ds(float(value) + 0.0) for value in values]


def _write_zip(path: Path, members: Mapping[str, bytes]) -> None:
    """Write a zip whose bytes depend on its members alone; a half-written one never has the final name."""
    partial = path.with_name(path.name + ".partial")
    with zipfile.ZipFile(partial, "w") as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name)  # dated 1980: the clock must not enter
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            # Level 1 takes a third of the default's time for 10 % more bytes.
            archive.writestr(info, members[name], compresslevel=1)
    partial.replace(path)
