from __future__ import annotations

import numpy as np
import pytest

from bmx.training.describing import volume_reference
from bmx.training.examples import Part
from tests.boxes import bright_boxes

SPACING = (10.0, 10.0, 10.0)
"""Voxels of 1 mL."""


class Cast(list):
    """Examples that say which of them look as people do."""

    def __init__(self, sizes: list[int], realistic: tuple[bool, ...]) -> None:
        super().__init__((np.zeros((1, 1, 64), np.float32), np.arange(64)[None, None] < size) for size in sizes)
        self.realistic = realistic


def test_volume_reference__counts_no_empty_mask() -> None:
    """An exam that misses the region says nothing of its size; counted as 0 mL it makes any mask large enough."""
    boxes = bright_boxes(4, 1)
    empty = [(volume, np.zeros_like(mask)) for volume, mask in boxes]
    reference = volume_reference(boxes, SPACING)
    assert volume_reference([*boxes, *empty], SPACING) == reference
    assert reference == {"volume_mean_ml": 384.0, "volume_sd_ml": 0.0}


def test_volume_reference__counts_realistic_people_only() -> None:
    """In a part of the examples, too."""
    examples = Cast([20, 64, 22, 1, 24], (True, False, True, False, True))
    assert volume_reference(examples, SPACING) == pytest.approx({"volume_mean_ml": 22.0, "volume_sd_ml": 2.0})
    part = Part(examples, [1, 0, 4])
    assert volume_reference(part, SPACING) == pytest.approx({"volume_mean_ml": 22.0, "volume_sd_ml": np.sqrt(8)})


def test_volume_reference__is_silent_about_fewer_than_two_masks() -> None:
    """One has no SD, and JSON no NaN; `bmx.qc.flag` then says what the card lacks."""
    assert volume_reference(bright_boxes(1, 1), SPACING) == {}
