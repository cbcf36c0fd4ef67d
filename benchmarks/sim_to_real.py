"""Can a network that has seen only simulated bodies find vertebrae in real images?

    python benchmarks/sim_to_real.py --data ../shared/data/lumbar_spine [--minutes 50] [--out runs/sim_to_real]

Trains a small U-Net on `bmx.simulation.randomised` alone (no real image, no weights from elsewhere) and applies it to
24 lumbar images of real adults (sagittal, water-like contrast, manual masks of the vertebral bodies L1-L5). Prints
Dice of each and their mean, and draws the best, the median and the worst. A training that was stopped goes on with its
weights (the optimiser begins afresh).

Some of the 24 are images of one person twice (18 and 19, 52 and 54); nothing is tuned on any of them.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import matplotlib as mpl
import nibabel as nib
import numpy as np
import numpy.typing as npt
import safetensors.torch
import torch
from scipy import ndimage
from torch.nn import functional
from torch.utils.data import DataLoader

from bmx.core.overlap import dice
from bmx.nn.build import spine_unet
from bmx.nn.unet import UNet
from bmx.simulation.anatomy.spine import LEVELS
from bmx.simulation.labels import LABELS
from bmx.simulation.randomised import RandomisedBodies, View, standardise

CLASSES = ("background", "vertebral body", "sacrum")
VIEW = View(shape=(112, 112, 16), spacing_mm=(2.0, 2.0, 4.0), around="L3", roam_mm=35)
SEED = 77_001
WEIGHTS = "weights.safetensors"


def main() -> None:
    """Train, apply, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("runs/sim_to_real"))
    parser.add_argument("--minutes", type=float, default=50, help="of training, all calls together")
    parser.add_argument("--steps", type=int, default=6000, help="at the most")
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    network = train(arguments.out, arguments.minutes * 60, arguments.steps)
    scores = {}
    for path in sorted(arguments.data.glob("*_image.nii.gz")):
        image, mask, spacing = read(path), read(Path(str(path).replace("_image", "_mask"))), zooms(path)
        scores[path.name[:2]] = (dice(segment(network, image, spacing), mask > 0), path)
    for name, (score, _) in scores.items():
        print(f"{name}  {score:.3f}")
    values = np.array([score for score, _ in scores.values()])
    print(
        f"Dice of L1-L5 in {len(values)} real images, network trained on simulation alone: mean {values.mean():.3f}, "
        f"SD {values.std(ddof=1):.3f}, median {np.median(values):.3f}, worst {values.min():.3f}"
    )
    draw(network, sorted(scores.values(), key=lambda one: one[0]), arguments.out / "sim_to_real.png")


def targets(labels: torch.Tensor) -> torch.Tensor:
    """Class of each voxel."""
    table = torch.zeros(256, dtype=torch.long)
    for name in LEVELS:
        table[LABELS[name]] = 1
    table[LABELS["sacrum"]] = 2
    return table[labels]


def train(out: Path, seconds: float, steps: int) -> UNet:
    """Train until the time or the steps are used up; every hundred steps are kept."""
    torch.manual_seed(0)
    network = spine_unet(len(CLASSES))
    optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3, weight_decay=1e-4)
    first, spent = 0, 0.0
    if (out / WEIGHTS).exists():
        with safetensors.safe_open(out / WEIGHTS, "pt") as kept:
            first, spent = int(kept.metadata()["step"]), float(kept.metadata()["seconds"])
        network.load_state_dict(safetensors.torch.load_file(out / WEIGHTS))
    examples = RandomisedBodies(VIEW, steps, SEED)
    rest = torch.utils.data.Subset(examples, range(first, steps))
    begin = time.perf_counter() - spent
    losses: list[float] = []
    for step, example in enumerate(DataLoader(rest, batch_size=1, num_workers=1, prefetch_factor=4), start=first):
        elapsed = time.perf_counter() - begin
        if elapsed > seconds:
            break
        # The rate falls with the time that is left, so that training ends well whatever the machine.
        rate = 2e-3 * min(1, (step + 1) / 20) * max(0.02, 0.5 * (1 + np.cos(np.pi * elapsed / seconds)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        losses.append(_step(network, optimiser, example.volume, targets(example.labels)))
        if (step + 1) % 100 == 0:
            metadata = {"step": str(step + 1), "seconds": str(time.perf_counter() - begin)}
            safetensors.torch.save_file(network.state_dict(), out / WEIGHTS, metadata)
            print(f"step {step + 1}, {elapsed:.0f} s, loss {np.mean(losses[-100:]):.3f}", flush=True)
    safetensors.torch.save_file(
        network.state_dict(), out / WEIGHTS, {"step": str(first + len(losses)), "seconds": str(seconds)}
    )
    return network.eval()


def _step(network: UNet, optimiser: torch.optim.Optimizer, volume: torch.Tensor, target: torch.Tensor) -> float:
    logits = network(volume)
    probability = torch.softmax(logits, dim=1)
    truth = functional.one_hot(target, len(CLASSES)).movedim(-1, 1).float()
    axes = (2, 3, 4)
    overlap = (2 * (probability * truth).sum(axes) + 1) / ((probability + truth).sum(axes) + 1)
    loss = functional.cross_entropy(logits, target) + (1 - overlap[:, 1:]).mean()
    optimiser.zero_grad()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
    optimiser.step()
    return float(loss.detach())


def read(path: Path) -> npt.NDArray[np.float32]:
    """An image with z to Superior, y to Posterior, x to Left."""
    image = nib.as_closest_canonical(nib.load(path))
    return np.asarray(image.get_fdata(dtype=np.float32)).transpose(2, 1, 0)[:, ::-1, ::-1]


def zooms(path: Path) -> tuple[float, ...]:
    """Spacing along z, y, x, mm."""
    return tuple(map(float, nib.as_closest_canonical(nib.load(path)).header.get_zooms()[::-1]))


def segment(network: UNet, image: npt.NDArray[np.float32], spacing: tuple[float, ...]) -> npt.NDArray[np.bool_]:
    """Lumbar vertebral bodies on the grid of the image."""
    size = [max(round(n * step / fine), 1) for n, step, fine in zip(image.shape, spacing, VIEW.spacing_mm, strict=True)]
    seen = functional.interpolate(torch.from_numpy(image.copy())[None, None], size, mode="area")
    with torch.inference_mode():
        logits = network(torch.from_numpy(standardise(seen[0, 0].numpy()))[None, None])
        full = functional.interpolate(logits, image.shape, mode="trilinear", align_corners=False)[0]
    return five_lowest(full.argmax(dim=0).numpy())


def five_lowest(classes: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Of all vertebral bodies above the sacrum the five lowest: those are L1-L5, and no crop shows fewer."""
    bodies = classes == 1
    # Neighbours may touch at a rim: cores are told apart first, then grow back.
    cores, count = ndimage.label(ndimage.binary_erosion(bodies, np.ones((5, 3, 1), bool)))
    sizes = ndimage.sum_labels(np.ones_like(cores), cores, np.arange(1, count + 1))
    kept = [k + 1 for k in np.flatnonzero(sizes > 0.2 * np.median(sorted(sizes)[-5:]))] if count else []
    if not kept:
        return np.zeros(classes.shape, bool)
    heights = {k: float(np.mean(np.nonzero(cores == k)[0])) for k in kept}
    lowest = sorted(kept, key=lambda k: heights[k])[:5]
    cores[~np.isin(cores, kept)] = 0
    nearest = ndimage.distance_transform_edt(cores == 0, return_distances=False, return_indices=True)
    return bodies & np.isin(cores[tuple(nearest)], lowest)


def draw(network: UNet, ranked: list[tuple[float, Path]], path: Path) -> None:
    """Best, median and worst, with the manual outline in yellow and the network's in red."""
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4))
    for axis, place in zip(axes, (len(ranked) - 1, len(ranked) // 2, 0), strict=True):
        score, source = ranked[place]
        image, mask = read(source), read(Path(str(source).replace("_image", "_mask"))) > 0
        found = segment(network, image, zooms(source))
        x = int(np.argmax(mask.sum(axis=(0, 1))))
        axis.imshow(image[::-1, :, x], cmap="gray", vmax=np.percentile(image[:, :, x], 99.5))
        axis.contour(mask[::-1, :, x], [0.5], colors="gold", linewidths=1)
        axis.contour(found[::-1, :, x], [0.5], colors="red", linewidths=1)
        axis.set_title(f"{source.name[:2]}: Dice {score:.2f}")
        axis.axis("off")
    figure.suptitle("Trained on simulation alone; manual in yellow, network in red")
    figure.tight_layout()
    figure.savefig(path, dpi=110)
    print(f"picture: {path}")


if __name__ == "__main__":
    main()
