"""What every source must do. A new reader inherits `SourceTests` and is done when they pass."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import fsspec
import numpy as np
import pytest

from bmx.acquisition import SLABS, ContrastName
from bmx.ingest.identify import identify
from bmx.sources.base import Source, is_simulated
from bmx.sources.find import Layout, find_layout, source_of
from bmx.types import Affine, IntVolume
from tests.exams import affine, images

Images = dict[int, dict[ContrastName, IntVolume]]
PAIR: tuple[ContrastName, ...] = ("fat", "water")


def seed(eid: int, instance: int) -> int:
    """Of the images of one participant at one visit; no two exams share it."""
    return 10 * eid + instance


class SourceTests:
    """Inherit, name the layout, and say how an exam is written."""

    layout: ClassVar[Layout]

    def write(self, folder: Path, eid: int, made: Images, affines: dict[int, Affine], *, instance: int) -> None:
        """Write the exam of one participant below `folder`."""
        raise NotImplementedError

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        """Two participants, and another visit of the first; slab 2 of each, by EID other images."""
        for eid, instance in ((1000002, 2), (1000001, 2), (1000001, 3)):
            made = {2: images(2, seed=seed(eid, instance), contrasts=PAIR)}
            self.write(tmp_path / "dixon" / str(eid)[:2], eid, made, {2: affine(2)}, instance=instance)
        return tmp_path / "dixon"

    def source(self, folder: Path | str, instance: int = 2) -> Source:
        return source_of(str(folder), layout=self.layout, instance=instance)

    def test_find_layout__recognises_it(self, folder: Path) -> None:
        """Nobody should have to say what a folder holds."""
        assert find_layout(str(folder)) == self.layout

    def test_list_exams__is_by_eid_and_visits_never_mix(self, folder: Path) -> None:
        """The EID comes from names, and so does the visit."""
        assert list(self.source(folder).list_exams()) == [1000001, 1000002]
        assert list(self.source(folder, 3).list_exams()) == [1000001]

    def test_open_exam__shows_a_header_for_each_slice(self, folder: Path) -> None:
        """Whatever kind of file they come from; no two share a name."""
        source = self.source(folder)
        with source.open_exam(source.list_exams()[1000001]) as exam:
            assert len(exam.headers) == len({header.where for header in exam.headers}) == 2 * SLABS[2].slices
            assert exam.rejected == {}
            assert exam.irregularities == []
            assert is_simulated(exam)

    @pytest.mark.parametrize("instance", [2, 3])
    def test_pixels__are_those_of_this_participant_and_visit(self, folder: Path, instance: int) -> None:
        """Exact voxels, and where they lie to a thousandth of a millimetre."""
        source = self.source(folder, instance)
        with source.open_exam(source.list_exams()[1000001]) as exam:
            station = identify(exam.headers, contrasts=PAIR).slabs[2].station
            for contrast, expected in images(2, seed=seed(1000001, instance), contrasts=PAIR).items():
                found = np.zeros_like(expected)
                station.channels[contrast].volume(exam.pixels, found)
                np.testing.assert_array_equal(found, expected)
            np.testing.assert_allclose(station.affine, affine(2), atol=1e-3)

    def test_digest__tells_exams_apart_and_stays(self, folder: Path) -> None:
        """Who finds a value odd must be able to say which bytes it came from."""
        digests = [self.digest(folder, eid, instance) for eid, instance in ((1000001, 2), (1000001, 3), (1000002, 2))]
        assert len(set(digests)) == 3
        assert all(len(digest) == 64 for digest in digests)
        assert digests[0] == self.digest(folder, 1000001, 2)

    def test_open_exam__works_behind_a_url(self, folder: Path, tmp_path: Path) -> None:
        """The same exam in an object store; here, one in memory."""
        bucket = f"memory://{tmp_path.name}/dixon"
        fs = fsspec.filesystem("memory")
        for path in folder.rglob("*"):
            if path.is_file():
                fs.pipe_file(f"{bucket}/{path.relative_to(folder)}", path.read_bytes())
        assert find_layout(bucket) == self.layout
        source, local = self.source(bucket), self.source(folder)
        where = source.list_exams()
        assert where[1000002].startswith("memory://")
        with source.open_exam(where[1000002]) as there, local.open_exam(local.list_exams()[1000002]) as here:
            assert there.headers == here.headers
            assert there.digest() == here.digest()
            np.testing.assert_array_equal(there.pixels(there.headers[7]), here.pixels(here.headers[7]))

    def digest(self, folder: Path, eid: int, instance: int) -> str:
        source = self.source(folder, instance)
        with source.open_exam(source.list_exams()[eid]) as exam:
            return exam.digest()
