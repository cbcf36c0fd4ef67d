from __future__ import annotations

from pathlib import Path

import pytest

from bmx.demo import demo


@pytest.mark.slow
def test_demo__goes_the_whole_way_and_says_what_came_out(tmp_path: Path) -> None:
    """What `make demo` shows, on fewer participants: every part must be there, and the second call must go through."""
    for _ in range(2):
        said: list[str] = []
        picture = demo(tmp_path, participants=8, seed=11, workers=2, echo=said.append)
        text = "\n".join(said)
        for heading in ("BMFF against truth", "QC outcome", "adj. R2", "made the data", "Where the time went"):
            assert heading in text
        assert picture.stat().st_size > 50_000


@pytest.mark.slow
def test_demo__the_shipped_weights_measure_simulated_bmff_well(tmp_path: Path) -> None:
    """A guard against weights that don't fit the code; the figures themselves are printed by benchmarks/accuracy.py."""
    import bmx
    from bmx.evaluation import compare_to_truth, dice_per_participant
    from bmx.simulation.truth import open_truth

    bmx.simulate(tmp_path, participants=3, seed=4243, slabs=(2, 4, 5), workers=2)
    bmx.convert(tmp_path / "dixon", tmp_path / "slabs.zarr", slabs=(2, 4, 5), workers=2)
    results = bmx.run(tmp_path / "slabs.zarr", tmp_path / "results.zarr", models="simulated", workers=2)
    truth = open_truth(tmp_path)
    dice = dice_per_participant(bmx.open_masks(tmp_path / "results.masks.zarr"), truth).mean("participant").compute()
    assert float(dice.min()) > 0.85, dice.to_pandas()
    table = compare_to_truth(results, truth["results"].to_dataset())
    assert float(table["mean_absolute_error"].max()) < 3, table
