from __future__ import annotations

import torch
from hypothesis import given
from hypothesis import strategies as st

from bmx.nn.frame import in_padded, pad_to_multiple, shape_of

sizes = st.tuples(*[st.integers(1, 12)] * 3)


@given(size=sizes, multiple=st.sampled_from([(8, 8, 8), (2, 4, 4), (1, 1, 1)]))
def test_pad_to_multiple__appends_the_fewest_zeros(size: tuple[int, int, int], multiple: tuple[int, int, int]) -> None:
    """The voxels stay where they are, and more than one value is left at the coarsest level."""
    volume = torch.rand(1, 2, *size) + 1
    padded = pad_to_multiple(volume, multiple)
    assert torch.equal(padded[..., : size[0], : size[1], : size[2]], volume)
    assert padded.sum() == volume.sum() or torch.isclose(padded.sum(), volume.sum())
    cells = [length // step for length, step in zip(shape_of(padded), multiple, strict=True)]
    assert all(length % step == 0 for length, step in zip(shape_of(padded), multiple, strict=True))
    assert cells[0] * cells[1] * cells[2] > 1
    assert all(
        have - want < (2 * step if axis == 2 else step)
        for axis, (have, want, step) in enumerate(zip(shape_of(padded), size, multiple, strict=True))
    )


@given(size=sizes, more=sizes, voxel=st.tuples(*[st.floats(0, 1)] * 3))
def test_in_padded__names_the_same_voxel(
    size: tuple[int, int, int], more: tuple[int, int, int], voxel: tuple[float, float, float]
) -> None:
    """The oracle is the place in voxels, which padding at the end does not change."""
    padded = (size[0] + more[0], size[1] + more[1], size[2] + more[2])
    centre = torch.tensor([voxel]) * 2 - 1
    before = (centre + 1) / 2 * torch.tensor(size)
    after = (in_padded(centre, size, padded) + 1) / 2 * torch.tensor(padded)
    torch.testing.assert_close(before, after, rtol=1e-4, atol=1e-4)
