"""Faults of a whole zip: numbers, UIDs, manifests, meta information, order of its members."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bmx.simulation.exams import Exam, Manifest
from bmx.simulation.faults.base import Fault, FaultKind


def shifted_series_numbers(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Begin to count series late, as after a localizer or a discarded attempt."""
    shift = int(rng.integers(1, 13))
    changed = replace(exam, series=tuple(replace(one, number=one.number + shift) for one in exam.series))
    return changed, Fault("shifted_series_numbers", detail=f"shift={shift}")


def shared_series_uid(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Put both echoes of every slab into one series: the same UID and number, instance numbers that go on."""
    echoes = {(one.slab, one.acquired): one for one in exam.series if one.contrast == "in_phase"}
    series = []
    for one in exam.series:
        first = echoes.get((one.slab, one.acquired))
        if one.contrast == "opposed_phase" and first is not None:
            one = replace(one, uid=first.uid, number=first.number, first_instance=len(first.volume) + 1)
        series.append(one)
    return replace(exam, series=tuple(series)), Fault("shared_series_uid")


def missing_manifest(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Leave the manifest out."""
    return replace(exam, manifests=()), Fault("missing_manifest")


def manifest_cvs(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Misspell the manifest's name as the archive often does."""
    renamed = tuple(replace(one, name="manifest.cvs") for one in exam.manifests[:1])
    return replace(exam, manifests=renamed), Fault("manifest_cvs")


def doubled_manifest(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Add a manifest under both of its names."""
    both = (Manifest("manifest.csv"), Manifest("manifest.cvs"))
    return replace(exam, manifests=both), Fault("doubled_manifest")


def wrong_manifest(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Let the manifest leave out a series and describe the others as their neighbours."""
    wrong = tuple(replace(one, wrong=True) for one in exam.manifests or (Manifest(),))
    return replace(exam, manifests=wrong), Fault("wrong_manifest")


def missing_file_meta(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Write all images without preamble and meta information."""
    return replace(exam, file_meta="missing"), Fault("missing_file_meta")


def wrong_transfer_syntax(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Claim that the pixels of all images are compressed."""
    return replace(exam, file_meta="wrong_syntax"), Fault("wrong_transfer_syntax")


def shuffled_members(exam: Exam, rng: np.random.Generator) -> tuple[Exam, Fault]:
    """Put the members of the zip into an order of no meaning, the manifest among them."""
    return replace(exam, order_seed=int(rng.integers(1, 2**31))), Fault("shuffled_members")


KINDS = (
    FaultKind(
        "shifted_series_numbers", "exam", "series are counted from 2 to 13 on instead of from 1",
        shifted_series_numbers, "data structure",
    ),
    FaultKind(
        "shared_series_uid", "exam", "in-phase and opposed-phase of every slab share one SeriesInstanceUID",
        shared_series_uid,
    ),
    FaultKind("missing_manifest", "exam", "the zip has no manifest", missing_manifest),
    FaultKind("manifest_cvs", "exam", "the manifest is called manifest.cvs", manifest_cvs),
    FaultKind("doubled_manifest", "exam", "the zip has manifest.csv and manifest.cvs", doubled_manifest),
    FaultKind("wrong_manifest", "exam", "the manifest lacks a series and mixes up descriptions", wrong_manifest),
    FaultKind(
        "missing_file_meta", "exam", "images have neither preamble nor meta information", missing_file_meta
    ),
    FaultKind(
        "wrong_transfer_syntax", "exam", "meta information names a compressed syntax that is not used",
        wrong_transfer_syntax,
    ),
    FaultKind("shuffled_members", "exam", "members of the zip stand in a random order", shuffled_members),
)  # fmt: skip
