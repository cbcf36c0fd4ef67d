"""How a training went: `curve.csv`, a line a step, and a picture of it."""

from __future__ import annotations

import csv
from pathlib import Path

CURVE, CURVE_PICTURE = "curve.csv", "curve.png"
COLUMNS = ("step", "loss", "validation_dice")


class Curve:
    """Appends to `curve.csv`."""

    def __init__(self, folder: Path, steps: int) -> None:
        """Open the curve, forgetting what an interrupted training logged after its `steps`: they are taken again."""
        self.path = folder / CURVE
        lines = self.path.read_text(encoding="utf-8").splitlines(keepends=True) if self.path.exists() else []
        kept = lines[: steps + 1] if steps and lines else [",".join(COLUMNS) + "\n"]
        self.path.write_text("".join(kept), encoding="utf-8")

    def log(self, step: int, loss: float, dice: float | None) -> None:
        """Add one step; `dice` where the validation part was measured after it."""
        with self.path.open("a", newline="", encoding="utf-8") as stream:
            row = [step, f"{loss:.5f}", "" if dice is None else f"{dice:.5f}"]
            csv.writer(stream, lineterminator="\n").writerow(row)


def draw_curve(folder: Path, *, best_step: int | None) -> None:
    """Draw `curve.csv` as `curve.png`: the loss with its running mean, the validation Dice, the step that was kept."""
    import pandas as pd
    from matplotlib.figure import Figure

    curve = pd.read_csv(folder / CURVE)
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot()
    axes.plot(curve["step"], curve["loss"], color="0.8", linewidth=0.8)
    mean = curve["loss"].rolling(max(len(curve) // 20, 1), min_periods=1).mean()
    axes.plot(curve["step"], mean, color="#0072B2", label="loss, running mean")
    axes.set(xlabel="step", ylabel="loss", ylim=(0, None))
    measured = curve.dropna(subset=["validation_dice"])
    lines = axes.get_lines()[1:]
    if len(measured):
        right = axes.twinx()
        right.set(ylabel="Dice", ylim=(0, 1))
        lines += right.plot(
            measured["step"], measured["validation_dice"], color="#D55E00", marker="o", markersize=3,
            label="Dice of the validation part",
        )  # fmt: skip
    if best_step:
        lines.append(axes.axvline(best_step - 1, color="0.4", linestyle=":", label="weights that were kept"))
    axes.legend(handles=lines, frameon=False, loc="center right")
    figure.savefig(folder / CURVE_PICTURE, dpi=120, metadata={"Software": None})
