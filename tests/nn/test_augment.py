from __future__ import annotations

import numpy as np
import pytest
import torch

from bmx.nn.augment import augment


def example() -> tuple[torch.Tensor, torch.Tensor]:
    mask = torch.zeros(20, 48, 64)
    mask[5:12, 20:30, 30:44] = 1
    return 0.3 + 0.7 * mask, mask


@pytest.mark.parametrize("seed", range(8))
def test_augment__the_mask_stays_on_what_it_marks(seed: int) -> None:
    """Volume and mask must be moved and scaled together, and no part of the mask may be cut away."""
    volume, mask = example()
    seen, target = augment(volume, mask, np.random.default_rng(seed), zoom=True)
    assert seen.shape == target.shape
    inside, outside = seen[target > 0], seen[target == 0]
    assert inside.median() > outside.median() + 0.2
    assert target.sum() > 0.5 * mask.sum()
    assert set(target.unique().tolist()) <= {0.0, 1.0}


def test_augment__is_decided_by_the_generator_alone() -> None:
    first, again = (augment(*example(), np.random.default_rng(3), zoom=True) for _ in range(2))
    torch.testing.assert_close(first, again, rtol=0, atol=0)


def test_augment__draws_something_else_each_time() -> None:
    rng = np.random.default_rng(3)
    shapes = {tuple(augment(*example(), rng, zoom=True)[0].shape) for _ in range(8)}
    assert len(shapes) > 4


@pytest.mark.parametrize("seed", range(4))
def test_augment__leaves_the_size_alone_unless_asked(seed: int) -> None:
    """The diaphysis mask is 35 mm long in everybody: scaled, it would teach the network a wrong length."""
    volume, mask = example()
    _, target = augment(volume, mask, np.random.default_rng(seed), zoom=False)
    assert target.sum() == mask.sum()
