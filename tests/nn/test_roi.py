from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.nn.roi import cut, implant, roi_start

sizes = st.integers(1, 6)


@settings(max_examples=50, deadline=None)
@given(
    volume=st.tuples(sizes, sizes, sizes),
    roi=st.tuples(sizes, sizes, sizes),
    centre=st.tuples(*[st.floats(-1, 1)] * 3),
)
def test_implant__puts_back_what_cut_took_for_any_box_and_centre(
    volume: tuple[int, int, int], roi: tuple[int, int, int], centre: tuple[float, float, float]
) -> None:
    """A box at the border or larger than the volume must neither shift nor lose a voxel."""
    features = torch.arange(1, 1 + 2 * volume[0] * volume[1] * volume[2], dtype=torch.float32)
    features = features.reshape(1, 2, *volume)
    start = roi_start(torch.tensor([centre]), volume, roi, multiple=1)
    box = cut(features, start, roi)
    assert box.shape == (1, 2, *roi)
    back = implant(box, start, volume, background=-1.0)
    assert back.shape == features.shape
    inside = back != -1
    assert torch.equal(back[inside], features[inside])
    expected = 2 * min(volume[0], roi[0]) * min(volume[1], roi[1]) * min(volume[2], roi[2])
    assert int(inside.sum()) == expected


@pytest.mark.parametrize(("at", "expected"), [(-1.0, 0), (1.0, 32), (0.0, 16)])
def test_roi_start__stays_inside_the_volume(at: float, expected: int) -> None:
    start = roi_start(torch.tensor([[at, at, at]]), (64, 64, 64), (32, 32, 32), multiple=8)
    assert start.tolist() == [[expected] * 3]
