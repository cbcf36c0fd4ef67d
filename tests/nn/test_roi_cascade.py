from __future__ import annotations

import pytest
import torch

from bmx.nn.build import roi_cascade
from bmx.nn.roi import OUTSIDE_LOGIT
from bmx.nn.roi_cascade import CascadePrediction, RoiCascade
from bmx.regions import REGIONS

SIZES = {"coarse": (2, 3, 4), "fine": (2, 3, 4)}


class Bright(torch.nn.Module):
    """A stand-in for a trained stage: sure that bright voxels of its first channel are inside."""

    def __init__(self) -> None:
        super().__init__()
        self.head = torch.nn.Conv3d(1, 1, 1)
        self.seen: list[torch.Tensor] = []

    def forward(self, channels: torch.Tensor) -> torch.Tensor:
        self.seen.append(channels)
        return 40 * (channels[:, :1] - 0.2)


def made_of_stand_ins(*, roi: tuple[int, int, int], most_rois: int) -> RoiCascade:
    return RoiCascade(coarse=Bright(), fine=Bright(), roi=roi, shrink=(2, 4, 4), most_rois=most_rois)  # type: ignore[arg-type]


@pytest.mark.parametrize("shape", [(32, 40, 48), (31, 37, 45), (20, 30, 30)])
@pytest.mark.parametrize("corner", [0.0, 0.4, 1.0])
def test_forward__draws_a_block_wherever_it_lies(shape: tuple[int, int, int], corner: float) -> None:
    """With stages that are right, the cascade must be right to the voxel: in corners, odd sizes, with any padding."""
    volume = torch.zeros(1, 1, *shape)
    first = [round(corner * (length - 10)) for length in shape]
    volume[..., first[0] : first[0] + 10, first[1] : first[1] + 10, first[2] : first[2] + 10] = 1
    prediction = made_of_stand_ins(roi=(16, 16, 16), most_rois=1)(volume)
    assert torch.equal(prediction.logits > 0, volume > 0.5)


def test_forward__gives_a_long_structure_several_rois() -> None:
    """One ROI cuts the spine short; the volumes of a batch may get different numbers of them."""
    volume = torch.zeros(2, 1, 48, 32, 40)
    volume[0, 0, :, 8:16, 16:24] = 1
    volume[1, 0, 4:12, 8:16, 16:24] = 1
    prediction = made_of_stand_ins(roi=(16, 16, 16), most_rois=4)(volume)
    assert torch.equal(prediction.logits > 0, volume > 0.5)
    # What one ROI says is not watered down by the others, which don't see it.
    torch.testing.assert_close(prediction.logits[volume > 0.5].min(), torch.tensor(32.0))
    assert prediction.owner.bincount().tolist()[1] == 1
    assert prediction.owner.bincount().tolist()[0] >= 3
    short = made_of_stand_ins(roi=(16, 16, 16), most_rois=1)(volume)
    assert not torch.equal(short.logits > 0, volume > 0.5)


def test_forward__shows_the_fine_stage_image_and_coarse_probability_of_the_same_place() -> None:
    """The second channel must lie on the first: were it shifted, the fine stage would learn a shift."""
    cascade = made_of_stand_ins(roi=(16, 16, 16), most_rois=1)
    volume = torch.zeros(1, 1, 32, 48, 48)
    volume[..., 8:20, 12:24, 20:32] = 1
    cascade(volume)
    (channels,) = cascade.fine.seen  # type: ignore[union-attr,misc]
    image, context = channels[0]
    grid = torch.stack(torch.meshgrid(*[torch.arange(16.0)] * 3, indexing="ij"))
    centres = [(grid * one).flatten(1).sum(dim=1) / one.sum() for one in (image, context)]
    torch.testing.assert_close(centres[0], centres[1], atol=0.6, rtol=0)


def test_forward__computes_at_full_resolution_only_inside_the_roi() -> None:
    """That is what makes it fast: the fine stage must never see the whole volume."""
    cascade = made_of_stand_ins(roi=(16, 16, 16), most_rois=1)
    prediction = cascade(torch.rand(1, 1, 40, 64, 64))
    assert [tuple(one.shape) for one in cascade.fine.seen] == [(1, 2, 16, 16, 16)]  # type: ignore[union-attr]
    assert [tuple(one.shape) for one in cascade.coarse.seen] == [(1, 1, 20, 16, 16)]  # type: ignore[union-attr]
    assert int((prediction.logits != OUTSIDE_LOGIT).sum()) == 16**3


def test_forward__looks_where_it_is_told() -> None:
    """Training cuts around the true place; 41 voxels are padded to 42, and that must not move it."""
    cascade = made_of_stand_ins(roi=(16, 16, 16), most_rois=3)
    at = torch.tensor([[-1.0, 0.0, 1.0], [0.5, -0.5, 0.0]])
    prediction = cascade(torch.rand(2, 1, 41, 50, 61), at=at)
    expected = torch.tensor([[0, 17, 48], [23, 4, 22]])
    assert bool(((prediction.start - expected).abs() <= 1).all())
    assert prediction.owner.tolist() == [0, 1]


def test_loss__keeps_the_fine_stage_out_of_the_coarse_one() -> None:
    """The coarse map must stay a map: a fine loss that reached it would use it as a channel for messages."""
    torch.manual_seed(0)
    cascade = roi_cascade(REGIONS["femoral_head"], **SIZES)
    prediction = cascade(torch.rand(1, 1, 32, 40, 40), at=torch.zeros(1, 3))
    prediction.roi_logits.sum().backward()
    assert all(weight.grad is None for weight in cascade.coarse.parameters())
    assert any(weight.grad is not None for weight in cascade.fine.parameters())


def test_loss__calls_a_coarse_voxel_inside_if_it_holds_any_part() -> None:
    """The diaphysis has 5 voxels in a slice: averaged over 2 x 4 x 4 it would never reach one half."""
    target = torch.zeros(1, 1, 4, 8, 8)
    target[0, 0, 0, 3, 3] = 1
    held = torch.zeros(1, 1, 2, 2, 2)
    held[0, 0, 0, 0, 0] = 1
    start, owner = torch.zeros(1, 3, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
    fine = 30 * (2 * target - 1)
    right, wrong = (
        CascadePrediction(fine, coarse, fine, start, owner, (2, 4, 4)).loss(target, torch.zeros(1, 3))
        for coarse in (30 * (2 * held - 1), torch.full_like(held, -30.0))
    )
    assert float(right) < 1e-3
    assert float(wrong) > 1
