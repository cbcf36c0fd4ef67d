from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.nn.roi import cut, densest_places, implant, roi_start

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


@settings(max_examples=40, deadline=None)
@given(
    size=st.tuples(*[st.integers(5, 12)] * 3),
    roi=st.tuples(*[st.integers(3, 14)] * 3),
    corner=st.tuples(*[st.floats(0, 1)] * 3),
)
def test_densest_places__holds_whatever_fits_even_in_a_corner(
    size: tuple[int, int, int], roi: tuple[int, int, int], corner: tuple[float, float, float]
) -> None:
    """A blob of 3 x 3 x 3 anywhere, a box at least as large: the box around the place given holds all of it."""
    weight = torch.zeros(size)
    first = [round(share * (length - 3)) for share, length in zip(corner, size, strict=True)]
    weight[first[0] : first[0] + 3, first[1] : first[1] + 3, first[2] : first[2] + 3] = 1
    places = densest_places(weight, roi, most=3)
    assert len(places) == 1
    start = roi_start(places[0][None], size, roi, multiple=1)
    assert int(cut(weight[None, None], start, roi).sum()) == 27


def test_densest_places__is_not_pulled_off_by_a_second_blob() -> None:
    """The centre of mass of both femora lies between the legs; the place must be on the heavier one."""
    weight = torch.zeros(4, 8, 40)
    weight[:, 2:5, 2:5], weight[:, 2:5, 34:37] = 1.0, 0.6
    (place,) = densest_places(weight, (4, 6, 6), most=1)
    torch.testing.assert_close(place, torch.tensor([0.0, 3.5 / 4 - 1, 3.5 / 20 - 1]))


def test_densest_places__covers_a_structure_longer_than_one_box() -> None:
    """A curved spine: several boxes together must hold nearly all of it."""
    weight = torch.zeros(24, 20, 12)
    for z in range(24):
        weight[z, 2 + z // 2 : 6 + z // 2, 4:8] = 1
    held = torch.zeros(weight.shape)
    places = densest_places(weight, (12, 12, 8), most=4)
    assert 2 <= len(places) <= 4
    for place in places:
        z, y, x = roi_start(place[None], (24, 20, 12), (12, 12, 8), multiple=1)[0].tolist()
        held[z : z + 12, y : y + 12, x : x + 8] = 1
    assert float((weight * held).sum() / weight.sum()) >= 0.95


def test_densest_places__gives_the_middle_of_an_empty_map() -> None:
    """A volume in which nothing is found still needs a ROI; NaN would poison the whole batch."""
    (place,) = densest_places(torch.zeros(4, 6, 8), (4, 6, 8), most=2)
    assert place.tolist() == [0.0, 0.0, 0.0]
