"""What one exam consists of: series of images as a scanner would describe them, and a manifest.

`plan_exam` gives a clean exam as DOMAIN's sections 1 and 2 describe it; `bmx.simulation.faults`
changes it, `bmx.simulation.dicom_files` writes it. The same seed gives the same exam.
"""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from bmx.acquisition import CONTRASTS, ContrastName
from bmx.types import Affine, IntVolume

_BREATH_HOLD = (2, 3, 4)
_FIRST_DAY = datetime.date(2014, 5, 1)
_DAYS = 2000
_BEGIN = datetime.time(9)
_SLAB_SECONDS = 30
_ATTEMPT_MINUTES = 10

FileMeta = Literal["right", "missing", "wrong_syntax"]


@dataclass(frozen=True, slots=True)
class Study:
    """What all series of one study share."""

    uid: str
    patient: str
    """Pseudonym; the EID is in the name of the zip alone."""
    begun: datetime.datetime


@dataclass(frozen=True, slots=True, eq=False)
class SeriesImages:
    """One DICOM series: its voxels, where they lie, and what its headers say."""

    slab: int
    """0 if it is of no slab."""
    contrast: ContrastName | None
    volume: IntVolume
    """(z, y, x) uint16, arbitrary scanner units."""
    affine: Affine
    """Voxel index (x, y, z, 1) to RAS+ millimetres."""
    study: Study
    key: str
    """What the UIDs of its images are made from; no two series of an exam share it."""
    uid: str
    frame_uid: str
    number: int
    protocol: str
    description: str
    image_type: tuple[str, ...]
    echo_time_ms: float
    acquired: datetime.datetime
    descending: bool
    """Whether the first image is the one nearest to the head."""
    first_instance: int = 1
    missing: tuple[int, ...] = ()
    """Slices that are not written."""
    damaged: tuple[int, ...] = ()
    """Slices whose bytes are changed after they were compressed."""

    def __post_init__(self) -> None:
        if self.volume.ndim != 3 or self.volume.dtype != np.uint16:
            raise ValueError(f"a volume must be (z, y, x) uint16, found {self.volume.ndim} dims of {self.volume.dtype}")


@dataclass(frozen=True, slots=True)
class Manifest:
    """A table of all files that is added to the zip."""

    name: str = "manifest.csv"
    wrong: bool = False
    """Whether it leaves out a series and describes the others as their neighbours."""


@dataclass(frozen=True, slots=True, eq=False)
class Exam:
    """Everything in one zip."""

    seed: int
    """Decides the UIDs of all images."""
    series: tuple[SeriesImages, ...]
    """In the order of acquisition."""
    manifests: tuple[Manifest, ...] = (Manifest(),)
    others: Mapping[str, bytes] = field(default_factory=dict)
    """Files that are no images, by name."""
    file_meta: FileMeta = "right"
    order_seed: int = 0
    """Members stand in the order of their names; any other number shuffles them."""

    @property
    def slabs(self) -> tuple[int, ...]:
        """Slabs that it holds images of."""
        return tuple(sorted({series.slab for series in self.series} - {0}))

    @property
    def last_number(self) -> int:
        """Highest series number; 0 if there is no series."""
        return max((series.number for series in self.series), default=0)

    def find(self, slab: int, contrast: ContrastName) -> int:
        """Index of the newest series of this slab and contrast."""
        return max(i for i, one in enumerate(self.series) if (one.slab, one.contrast) == (slab, contrast))

    def with_series(self, changed: Mapping[int, SeriesImages]) -> Exam:
        """Give this exam with some of its series, by index, exchanged for others."""
        return replace(self, series=tuple(changed.get(i, one) for i, one in enumerate(self.series)))


def make_uid(seed: int, *role: object) -> str:
    """A UID for this role, the same in every run (ISO form 2.25: a 128-bit number)."""
    return f"2.25.{_hash(seed, *role)}"


def plan_exam(
    images: Mapping[int, Mapping[ContrastName, IntVolume]],
    affines: Mapping[int, Affine],
    *,
    seed: int,
    attempt: int = 0,
    manifest: bool = True,
) -> Exam:
    """Plan a clean exam.

    Parameters
    ----------
    images : slab number -> contrast -> (z, y, x) uint16, arbitrary scanner units
        Any slabs, any contrasts of them; z towards Superior, y towards Posterior, x towards Left.
    affines : slab number -> (3, 4) float64
        Voxel index (x, y, z, 1) to RAS+ millimetres.
    seed : int
        Decides all UIDs, the pseudonym and the date; give every participant their own.
    attempt : int
        Gives the exam UIDs of its own for series and frame, though the study is the same.
    manifest : bool
        Whether to add `manifest.csv`.

    Raises
    ------
    ValueError
        If a volume isn't (z, y, x) uint16.
    """
    number = _hash(seed, "study")
    day = _FIRST_DAY + datetime.timedelta(days=number % _DAYS)
    begun = datetime.datetime.combine(day, _BEGIN)
    study = Study(make_uid(seed, "study"), f"sim{number % 10**10:010d}", begun)
    role = ("attempt", attempt) if attempt else ()
    series = []
    for slab in sorted(images):
        protocol = "Dixon_BH_17s" if slab in _BREATH_HOLD else "Dixon_noBH"
        for offset, contrast in enumerate(name for name in CONTRASTS if name in images[slab]):
            kind = CONTRASTS[contrast]
            uid = make_uid(seed, "series", slab, contrast, *role)
            series.append(
                SeriesImages(
                    slab=slab,
                    contrast=contrast,
                    volume=images[slab][contrast],
                    affine=affines[slab],
                    study=study,
                    key=uid,
                    uid=uid,
                    frame_uid=make_uid(seed, "frame", *role),
                    number=len(CONTRASTS) * (slab - 1) + 1 + offset,
                    protocol=protocol,
                    description=f"{protocol}_{kind.suffix}",
                    image_type=("DERIVED", "PRIMARY", "DIXON", kind.image_types[0]),
                    # The scanner writes the first echo's time on the computed fat and water images.
                    echo_time_ms=kind.echo_time_ms or CONTRASTS["opposed_phase"].echo_time_ms or 0.0,
                    acquired=begun + datetime.timedelta(seconds=_SLAB_SECONDS * slab),
                    # Even slabs are stored from head to foot, odd ones from foot to head.
                    descending=slab % 2 == 0,
                )
            )
    return Exam(seed, tuple(series), (Manifest(),) if manifest else ())


def append_exam(earlier: Exam, later: Exam, *, own_study: bool = False) -> Exam:
    """Put an exam after an earlier attempt, as a scanner does when it is begun again.

    The series of the earlier attempt are numbered from 1 without a gap, those of the later one go on from
    there; as a study of its own the attempt keeps its numbers, and the later one repeats them.
    """
    wait = datetime.timedelta(minutes=_ATTEMPT_MINUTES)
    if own_study:
        study = replace(earlier.series[0].study, uid=make_uid(later.seed, "study", "earlier"))
        first = tuple(replace(one, study=study) for one in earlier.series)
        now = replace(later.series[0].study, begun=later.series[0].study.begun + wait)
        then = tuple(replace(one, study=now, acquired=one.acquired + wait) for one in later.series)
    else:
        first = tuple(replace(one, number=number) for number, one in enumerate(earlier.series, start=1))
        then = tuple(replace(one, number=one.number + len(first), acquired=one.acquired + wait) for one in later.series)
    return replace(later, series=(*first, *then))


def _hash(*parts: object) -> int:
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "big")
