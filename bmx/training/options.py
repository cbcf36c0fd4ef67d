"""How a network is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """How a network is trained."""

    architecture: str = "roi_attention_unet"
    """A name of `bmx.nn.build.ARCHITECTURES`."""
    sizes: Mapping[str, Any] | None = None
    """Arguments of the builder; None for those of `start`, or else of `bmx.nn.build.SIZES`."""
    steps: int = 800
    """Volumes seen, one at a time; fewer if training stops early. On one core a step of the paper's network takes some
    2 s on a slab cut to the body, one of `roi_cascade` some 0.6 s, one of `unet` some 3 s."""
    learning_rate: float = 2e-3
    """Of Adam (as the paper), after a short warm-up; falls to nearly zero along a cosine."""
    seed: int = 0
    """Of the initial weights, the order of the examples and their augmentation."""
    checkpoint_every: int = 50
    """Steps after which the state is written; a killed training goes on from there with equal results."""
    validate_every: int = 50
    """Steps after which Dice is measured on the validation part, if there is one."""
    patience: int | None = None
    """Validations in a row without a better Dice after which training stops; None to take all steps."""
    zoom: bool = False
    """Whether bodies are made smaller and larger: helps with the smallest people, takes longer to learn, and
    spoils a mask of fixed length such as the diaphysis."""
    start: str | None = None
    """Folder of a model of the same region and architecture whose weights training begins with; None for random
    ones."""
    centre_jitter: float = 0.06
    """While training, the ROI is cut around the true centre moved by up to this share of the volume."""

    def __post_init__(self) -> None:
        for name in ("steps", "checkpoint_every", "validate_every", "patience"):
            if (number := getattr(self, name)) is not None and number < 1:
                raise ValueError(f"expected {name} of 1 or more, found {number}")
