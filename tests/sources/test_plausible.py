from __future__ import annotations

from dataclasses import replace

import pytest

from bmx.sources.header import Header
from bmx.sources.plausible import implausible
from tests.headers import header

NAN, INF = float("nan"), float("inf")


def test_implausible__finds_nothing_in_ordinary_headers() -> None:
    """Rounded cosines of an oblique exam are no damage."""
    assert implausible(header()) == ""
    tilted = replace(header(), row_direction=(0.9998, 0.0, 0.0175), column_direction=(0.0, 1.0, 0.0))
    assert implausible(tilted) == ""


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"rows": 0}, "an image can't have 0 × 224 pixels; expected 1 to 2048 each"),
        ({"columns": 65535}, "can't have 174 × 65535 pixels"),
        ({"spacing_mm": (0.0, 1.0)}, "pixels can't be 0 × 1 mm apart; expected 0.01 to 100"),
        ({"spacing_mm": (1.0, -1.0)}, "pixels can't be 1 × -1 mm apart"),
        ({"spacing_mm": (1.0, NAN)}, "pixels can't be 1 × nan mm apart"),
        (
            {"position": (0.0, 0.0, 1e9)},
            "a slice can't lie at (0, 0, 1e+09) mm; expected at most 10000 along each",
        ),
        ({"position": (NAN, 0.0, 0.0)}, "a slice can't lie at (nan, 0, 0) mm"),
        ({"position": (0.0, -INF, 0.0)}, "a slice can't lie at (0, -inf, 0) mm"),
        ({"row_direction": (2.0, 0.0, 0.0)}, "directions of rows and columns have lengths 2 and 1; expected 1"),
        ({"row_direction": (0.0, 0.0, 0.0)}, "have lengths 0 and 1"),
        ({"column_direction": (NAN, 0.0, 0.0)}, "have lengths 1 and nan"),
        ({"column_direction": (1.0, 0.0, 0.0)}, "rows and columns aren't perpendicular (cosine 1); expected 0"),
        ({"description": "A" * 300}, "the description can't have 300 characters; expected at most 256"),
        ({"image_type": ("A",) * 300}, "the image type can't have 599 characters"),
    ],
)
def test_implausible__says_what_can_not_be_true(tags: dict[str, object], message: str) -> None:
    """Damage that reads well would become empty volumes, huge ones, or voxels in another room."""
    spoilt: Header = replace(header(), **tags)  # type: ignore[arg-type]
    assert message in implausible(spoilt)
