from __future__ import annotations

import numpy as np
import pytest

from bmx.core.dixon_signal import Echoes, two_point_fat_percent
from bmx.simulation.painting.tissues import TISSUES, DixonPalette

SILENT = ("air", "gas", "metal")


def shown(tissue: str, percent: float | None) -> float:
    return float(two_point_fat_percent(Echoes(*(np.float32([v]) for v in DixonPalette().colours(tissue, percent))))[0])


@pytest.mark.parametrize("percent", [10, 20, 45, 80, 92, 96])
def test_colours__marrow_shows_the_fat_fraction_that_was_asked_for(percent: float) -> None:
    """T1 weighting, T2* and the beats of the fat peaks are inverted, so that truth is what two points can show."""
    assert shown("marrow", percent) == pytest.approx(percent, abs=0.15)


def test_colours__each_tissue_shows_its_own() -> None:
    """As far as its decay allows: in cortex two points can't show less than 28 %."""
    for name, tissue in TISSUES.items():
        if name not in SILENT and tissue.r2_star < 60:
            assert shown(name, None) == pytest.approx(tissue.fat_percent, abs=1.5), name


def test_colours__look_like_a_dixon_exam() -> None:
    """In phase fat is brightest, muscle about 0.4 of it, cortex, lung and tendon dark; nothing comes from air."""
    total = {name: sum(map(float, DixonPalette().colours(name, None)[1::2])) for name in TISSUES}
    assert max(total, key=total.__getitem__) == "fat"
    assert 0.35 < total["muscle"] / total["fat"] < 0.6
    for dark in ("cortex", "lung", "tendon"):
        assert total[dark] < 0.1
    assert all(total[name] == 0 for name in SILENT)
