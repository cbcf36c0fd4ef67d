from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from bmx.simulation.anatomy.spine import LEVELS
from bmx.simulation.labels import LABELS
from bmx.simulation.randomised import RandomisedBodies, View

VIEW = View(shape=(40, 40, 12), spacing_mm=(5.0, 5.0, 6.0))


def test_getitem__is_ready_for_a_network() -> None:
    """Tensors of the view's shape, a standard window, and vertebrae in most of them."""
    examples = RandomisedBodies(VIEW, 6, seed=1)
    seen = [examples[index] for index in range(6)]
    for example in seen:
        assert example.volume.shape == (1, *VIEW.shape)
        assert example.volume.dtype == torch.float32
        assert example.labels.dtype == torch.int64
        assert abs(float(example.volume.median())) < 1e-4
        assert torch.isfinite(example.volume).all()
    lumbar = [LABELS[name] for name in LEVELS if name.startswith("L")]
    assert all(np.isin(lumbar, example.labels.numpy()).sum() >= 2 for example in seen)


def test_getitem__is_the_same_however_many_processes_load_it() -> None:
    """Item i depends on seed and i alone; a training can be repeated."""
    examples = RandomisedBodies(VIEW, 3, seed=2)
    alone = [examples[index] for index in range(3)]
    for one, other in zip(alone, DataLoader(examples, batch_size=None, num_workers=2), strict=True):
        torch.testing.assert_close(one.volume, other.volume, rtol=0, atol=0)
        assert torch.equal(one.labels, other.labels)
    assert not torch.equal(alone[0].volume, alone[1].volume)
    assert not torch.equal(alone[0].volume, RandomisedBodies(VIEW, 3, seed=3)[0].volume)


def test_getitem__draws_contrasts_beyond_any_scanner() -> None:
    """Marrow is brighter than its surroundings in some images and darker in others."""
    examples = RandomisedBodies(VIEW, 12, seed=4)
    signs = set()
    for example in examples:
        bodies = torch.isin(example.labels, torch.tensor([LABELS[name] for name in LEVELS]))
        signs.add(bool(example.volume[0][bodies].median() > example.volume[0][~bodies].median()))
    assert signs == {True, False}


@pytest.mark.parametrize("around", LABELS)
def test_view__can_look_at_every_structure(around: str) -> None:
    """What it looks at is in the image."""
    view = View(shape=(28, 28, 28), spacing_mm=(6.0, 6.0, 6.0), around=around, roam_mm=5)
    labels = RandomisedBodies(view, 1, seed=5)[0].labels
    near = {LABELS[around]} | ({LABELS["femoral_head_" + around.split("_")[-1]]} if around[0] == "f" else set())
    assert near & set(labels.unique().tolist())


def test_randomised__ends_where_it_says() -> None:
    """A loop over it must stop."""
    with pytest.raises(IndexError):
        RandomisedBodies(VIEW, 3, seed=0)[3]
