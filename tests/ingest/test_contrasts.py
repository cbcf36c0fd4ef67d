from __future__ import annotations

from dataclasses import replace

import pytest

from bmx.acquisition import CONTRASTS
from bmx.ingest.contrasts import label_contrast
from tests.headers import header


@pytest.mark.parametrize("protocol", ["Dixon_noBH", "Dixon_BH_17s"])
@pytest.mark.parametrize("name", list(CONTRASTS))
def test_label_contrast__reads_descriptions(protocol: str, name: str) -> None:
    """Both protocols appear in any slab."""
    suffix = CONTRASTS[name].suffix
    label = label_contrast(replace(header(), description=f"{protocol}_{suffix}", image_type=()))
    assert (label.contrast, label.conflict) == (name, False)


@pytest.mark.parametrize(
    ("token", "name"), [(token, name) for name, kind in CONTRASTS.items() for token in kind.image_types]
)
def test_label_contrast__reads_every_spelling_of_image_type(token: str, name: str) -> None:
    """Software versions differ in how they spell it."""
    label = label_contrast(replace(header(), description="", image_type=("DERIVED", "PRIMARY", "DIXON", token)))
    assert label.contrast == name


def test_label_contrast__prefers_image_type_and_says_that_tags_conflict() -> None:
    """A label that was edited must not exchange fat and water silently."""
    label = label_contrast(replace(header(), description="Dixon_BH_17s_F", image_type=("WATER",)))
    assert (label.contrast, label.conflict) == ("water", True)
    assert label.reason == "image type says water, description says fat"


@pytest.mark.parametrize(
    ("echo_ms", "tesla", "expected"),
    [(4.77, 1.5, "in_phase"), (2.39, 1.5, "opposed_phase"), (2.46, 3.0, "in_phase"), (1.23, 3.0, "opposed_phase")],
)
def test_label_contrast__falls_back_to_the_echo_time(echo_ms: float, tesla: float, expected: str) -> None:
    """Blank descriptions are seen in real dual-echo data; what an echo time means depends on the field."""
    silent = replace(header(), description="", image_type=("ORIGINAL",), echo_time_ms=echo_ms, field_strength_t=tesla)
    assert label_contrast(silent).contrast == expected


@pytest.mark.parametrize("echo_ms", [None, 80.0, 0.0])
def test_label_contrast__knows_when_it_does_not_know(echo_ms: float | None) -> None:
    """A T2 spin echo is no Dixon image, though its echo time has a phase, too."""
    silent = replace(header(), description="t2_tse_tra", image_type=("ORIGINAL",), echo_time_ms=echo_ms)
    label = label_contrast(silent)
    assert label.contrast is None
    assert label.reason == "neither image type, description nor echo time tells a Dixon contrast"
