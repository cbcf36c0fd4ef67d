from __future__ import annotations

import numpy as np
import pytest

from bmx.regions import REGIONS
from bmx.simulation.examples import SimulatedExamples
from bmx.training.examples import Part, examples_digest, names
from tests.boxes import bright_boxes


def test_part__keeps_names_and_order() -> None:
    """A part of a part, too: folds are cut from what was cut."""
    examples = bright_boxes(4, 1)
    part = Part(Part(examples, [3, 1, 0]), [2, 0])
    assert part.names == ("1", "4")
    assert [volume is examples[index][0] for (volume, _), index in zip(part, (0, 3), strict=True)] == [True, True]
    assert len(part[:1]) == 1
    with pytest.raises(IndexError):
        part[2]


def test_part__says_what_the_whole_says() -> None:
    """Of those that say nothing, nothing."""
    simulated = Part(SimulatedExamples(REGIONS["spine"], 2, 5, "fat"), [1])
    assert (simulated.simulated, simulated.contrast) == (True, "fat")
    boxes = Part(bright_boxes(2, 1), [1])
    assert (boxes.simulated, boxes.contrast) == (None, None)


def test_names__are_numbers_where_there_are_none() -> None:
    """Counted from 1, as people do."""
    assert names(bright_boxes(2, 1)) == ("1", "2")


def test_examples_digest__sees_a_single_voxel_and_the_order() -> None:
    """Of the image or of the mask; it tells data sets apart on the card."""
    examples = bright_boxes(2, 1)
    known = {examples_digest(examples), examples_digest(examples[::-1])}
    for which in (0, 1):
        changed = [tuple(array.copy() for array in pair) for pair in examples]
        changed[1][which][0, 0, 0] += np.array(1, changed[1][which].dtype)
        known.add(examples_digest(changed))  # type: ignore[arg-type]
    assert len(known) == 4
