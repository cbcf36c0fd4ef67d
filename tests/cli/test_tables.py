from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bmx.cli.tables import WIDTH, cohort_table, report_table, series_tables, show
from bmx.ingest.inspection import inspect
from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import append_exam, plan_exam
from bmx.simulation.faults.registry import FAULTS
from tests.exams import affine, clean_exam, images, make_exam


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """What was printed, within the width that was promised."""
    printed = capsys.readouterr().out.splitlines()
    assert max(map(len, printed)) <= WIDTH
    return [line.rstrip() for line in printed]


def words(printed: list[str]) -> str:
    """All of it, as if nothing were wrapped."""
    return " ".join(" ".join(printed).split())


def test_series_tables__show_a_clean_exam(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A heading for each slab, a line for each series, a sum; what the heading says isn't said again."""
    show(*series_tables(inspect(make_exam(tmp_path, 1, slabs=(2, 5), contrasts=("fat", "water")))))
    assert lines(capsys) == [
        "slab 2, lower thorax, abdomen  incomplete: no in_phase and no opposed_phase image",
        "✓    5  Dixon_BH_17s_F    fat            224×174×44   547 to 740 mm  image type says fat",
        "✓    6  Dixon_BH_17s_W    water          224×174×44   547 to 740 mm  image type says water",
        "",
        "slab 5, upper legs  incomplete: no in_phase and no opposed_phase image",
        "✓   17  Dixon_noBH_F      fat            224×162×72    10 to 258 mm  image type says fat",
        "✓   18  Dixon_noBH_W      water          224×162×72    10 to 258 mm  image type says water",
        "",
        "4 of 4 series are used; to be looked at: slab 2, 5; absent: slab 1, 3, 4, 6",
    ]


def test_series_tables__show_what_is_not_used_last_and_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A repeat, a localizer and a report: in their slab, or below all slabs."""
    exam = append_exam(plan_exam({5: images(5)}, {5: affine(5)}, seed=0, attempt=1), clean_exam((2, 5)))
    for fault in ("foreign_series", "foreign_report"):
        exam, _ = FAULTS[fault].apply(exam, np.random.default_rng(0))
    path = tmp_path / "1_20201_2_0.zip"
    write_exam(path, replace(exam, manifests=()))
    show(*series_tables(inspect(path)))
    printed = lines(capsys)
    marks = [line[0] for line in printed if line.startswith(("✓", "–"))]
    assert "".join(marks) == "✓✓✓✓" + "✓✓✓✓––––" + "––––"
    assert "slab 5, upper legs  complete, repeated_series" in printed
    assert "no slab" in printed
    for reason in (
        "a repeat of slab 5; a more complete or newer one is used",
        "slices are not axial",
        "is no image",
        "8 of 15 series are used; complete: slab 2; to be looked at: slab 5; absent: slab 1, 3, 4, 6; manifest_missing",
    ):
        assert reason in words(printed)


def test_cohort_table__counts_kinds_of_series(capsys: pytest.CaptureFixture[str]) -> None:
    """A million series are no table to read: equal reasons count together."""
    series = pd.DataFrame(
        {
            "participant": [1, 1, 2, 3],
            "used": [True, True, True, False],
            "reason": ["says slab 2", "says slab 3", "says slab 2", "a single slice"],
        }
    )
    show(cohort_table(series))
    printed = [line.split() for line in lines(capsys)]
    assert ["✓", "3", "2", "says", "slab", "N"] in printed
    assert ["–", "1", "1", "a", "single", "slice"] in printed


def test_report_table__has_a_column_for_each_slab(capsys: pytest.CaptureFixture[str]) -> None:
    """The most frequent kind first, all participants of each slab last."""
    report = pd.DataFrame(
        [
            (0, "unreadable", "archive_unreadable", "not a zip", 2, 0.2),
            (2, "complete", "", "", 1200, 0.0),
            (2, "unreadable", "archive_unreadable", "not a zip", 2, 0.0),
            (5, "complete", "", "", 1100, 0.0),
            (5, "absent", "", "no series of the archive is slab N", 100, 0.0),
            (5, "unreadable", "archive_unreadable", "not a zip", 2, 0.0),
        ],
        columns=["slab", "status", "flags", "reason", "participants", "percent"],
    )
    show(report_table(report))
    printed = [line.split() for line in lines(capsys) if line.strip()]
    assert printed[0][-2:] == ["2", "5"]
    assert printed[2:6] == [
        ["complete", "1,200", "1,100"],
        ["absent", *["no", "series", "of", "the", "archive", "is", "slab", "N"], "100"],
        ["unreadable", "archive_unreadable:", "not", "a", "zip", "2", "2"],
        ["all", "1,202", "1,202"],
    ]
    assert printed[-1] == ["archives", "that", "could", "not", "be", "read:", "2"]
