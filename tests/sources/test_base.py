from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar, cast

from bmx.simulation.exam_zips import write_exam
from bmx.simulation.exams import plan_exam
from bmx.sources.base import Exam, is_simulated, why_refused
from bmx.sources.find import Layout
from bmx.types import Affine
from tests.headers import header
from tests.sources.source_tests import Images, SourceTests, seed


class TestUkbZips(SourceTests):
    """Zips of the archive do what every source does; test_ukb_zip tells what is special about them."""

    layout: ClassVar[Layout] = "zip"

    def write(self, folder: Path, eid: int, made: Images, affines: dict[int, Affine], *, instance: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_exam(folder / f"{eid}_20201_{instance}_0.zip", plan_exam(made, affines, seed=seed(eid, instance)))


def fake(**attributes: object) -> Exam:
    return cast("Exam", SimpleNamespace(**attributes))


def test_is_simulated__one_image_is_enough() -> None:
    """A single simulated image among real ones must not pass for a real exam."""
    real = header()
    assert not is_simulated(fake(headers=[real]))
    assert is_simulated(fake(headers=[real, SimpleNamespace(simulated=True)]))


def test_why_refused__asks_only_exams_that_name_their_slabs() -> None:
    """A zip says nothing about slabs, so it refuses none."""
    refused: Mapping[int, str] = {2: "too small"}
    assert why_refused(fake(refused=refused), 2) == "too small"
    assert why_refused(fake(refused=refused), 3) == ""
    assert why_refused(fake(), 2) == ""
