"""What training never saw: each case scored, the worst one drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from bmx.core.agreement import IDEAL, Agreement, compare_masks, spread
from bmx.core.overlap import dice, expected_dice
from bmx.nn.network import Network
from bmx.regions import Region
from bmx.training.examples import Examples, names
from bmx.training.step import predict
from bmx.types import FloatVolume, Mask

REPORT, SUMMARY, WORST_PICTURE = "held_out.csv", "held_out_summary.csv", "worst.png"

Spacing = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Scored:
    """One held-out example and what the network drew in it."""

    name: str
    volume: FloatVolume
    """(z, y, x)"""
    drawn: Mask
    """(z, y, x)"""
    true: Mask
    """(z, y, x)"""
    agreement: Agreement

    @property
    def badness(self) -> float:
        """By which the worst case is chosen; least where both masks are rightly empty."""
        return -1.0 if np.isnan(self.agreement.dice) else 1 - self.agreement.dice


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Scores of all cases; of the volumes, only the worst is kept."""

    cases: pd.DataFrame
    """A row a case: `case`, what `bmx.core.agreement.Agreement.row` gives, and the `confidence` of the mask."""
    worst: Scored
    spacing: Spacing

    def summary(self) -> pd.DataFrame:
        """A row for each column of `IDEAL`: n, mean, sd and the worst."""
        rows = {name: spread(self.cases[name], ideal=ideal)._asdict() for name, ideal in IDEAL.items()}
        return pd.DataFrame.from_dict(rows, orient="index").rename_axis("measure")

    def write(self, folder: Path, region: Region) -> None:
        """Write `held_out.csv`, `held_out_summary.csv` and `worst.png`."""
        self.cases.to_csv(folder / REPORT, index=False, float_format="%.5g", lineterminator="\n")
        self.summary().to_csv(folder / SUMMARY, float_format="%.5g", lineterminator="\n")
        draw_worst(folder / WORST_PICTURE, self.worst, self.spacing, region)


def score(network: Network, examples: Examples, spacing: Spacing) -> HeldOut:
    """Let a network draw examples that it has never seen, with the ROI where it puts it itself."""
    rows = []
    worst: Scored | None = None
    for name, (volume, true) in zip(names(examples), examples, strict=True):
        logits = predict(network, volume)
        drawn = logits > 0
        one = Scored(name, volume, drawn, true, compare_masks(drawn, true, spacing))
        rows.append({"case": name, **one.agreement.row(), "confidence": expected_dice(logits)})
        if worst is None or one.badness > worst.badness:
            worst = one
    assert worst is not None, "a caller gives at least one example"
    return HeldOut(pd.DataFrame(rows), worst, spacing)


def together(parts: list[HeldOut]) -> HeldOut:
    """The cases of all folds as one report."""
    worst = max((part.worst for part in parts), key=lambda one: one.badness)
    cases = pd.concat([part.cases for part in parts]).sort_values("case", kind="stable", ignore_index=True)
    return HeldOut(cases, worst, parts[0].spacing)


def mean_dice(network: Network, examples: Examples) -> float:
    """Mean Dice over the validation part; NaN if all masks are rightly empty."""
    return spread([dice(predict(network, volume) > 0, mask) for volume, mask in examples], ideal=1.0).mean


def draw_worst(path: Path, case: Scored, spacing: Spacing, region: Region) -> None:
    """Draw the worst case with both outlines, in an axial and a coronal slice through the most of either mask."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    either = case.drawn | case.true
    # Panels 4 inches high and as wide as the body is, but wide enough for the words above.
    depth, height, width = (size * mm for size, mm in zip(either.shape, spacing, strict=True))
    figure = Figure(figsize=(max(8 * width / max(depth, height), 8.0) + 0.3, 4.8), layout="constrained")
    for place, (cut, up, across) in enumerate(((0, 1, 2), (1, 0, 2)), start=1):
        axes = figure.add_subplot(1, 2, place)
        index = int(np.argmax(either.sum(axis=(up, across)))) if either.any() else either.shape[cut] // 2
        picture = np.take(case.volume, index, axis=cut)
        # Rows go towards Posterior in an axial slice, and are shown downwards; towards Superior in a coronal one.
        axes.imshow(
            picture, cmap="gray", vmin=0, vmax=1.1, aspect=spacing[up] / spacing[across],
            origin="upper" if cut == 0 else "lower",
        )  # fmt: skip
        for mask, colour in ((case.true, "#56B4E9"), (case.drawn, "#E69F00")):
            inside = np.take(mask, index, axis=cut)
            if inside.any() and min(inside.shape) > 1:
                axes.contour(inside, levels=[0.5], colors=[colour], linewidths=1.3)
        axes.set(xticks=[], yticks=[], title=f"{('axial', 'coronal')[cut]}, {('slice', 'row')[cut]} {index}")
    handles = [Line2D([], [], color=colour) for colour in ("#56B4E9", "#E69F00")]
    figure.legend(handles, ["reference", "network"], loc="outside lower center", ncols=2, frameon=False)
    found = case.agreement
    numbers = [f"Dice {found.dice:.3f}", f"95 % Hausdorff {found.hausdorff95:.1f} mm", f"{found.volume_error:+.1f} mL"]
    note = found.reason or ", ".join(numbers)
    figure.suptitle(f"{region.name.replace('_', ' ')}, worst of the held-out cases: {case.name} ({note})", fontsize=10)
    figure.savefig(path, dpi=120, metadata={"Software": None})
