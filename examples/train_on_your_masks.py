"""Learn from masks in NIfTI files, see how good that is, and measure with what was learned; offline, in minutes.

python examples/train_on_your_masks.py [folder]

The true masks of simulated participants stand for those that you draw in 3D Slicer. Thirty steps are a taste; the
default is 800.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import xarray as xr

import bmx

REGION, SLAB, STEPS = "femoral_diaphysis", 5, 30


def main(folder: Path) -> None:
    """Export images, learn from them and their masks, measure."""
    bmx.simulate(folder, participants=6, seed=9, slabs=(SLAB,), workers=2)
    store, nifti, model = folder / "slabs.zarr", folder / "nifti", folder / "models" / REGION
    bmx.convert(folder / "dixon", store, slabs=(SLAB,), workers=2)
    truth = xr.open_datatree(folder / "truth.zarr", engine="zarr", chunks={})
    for eid in bmx.open_store(store)["participant"].to_numpy():
        bmx.export(store, eid, nifti, masks=truth)

    examples = bmx.training.read_examples(nifti, nifti, REGION)
    options = bmx.training.TrainingOptions(architecture="roi_cascade", steps=STEPS)
    report = bmx.training.cross_validate(REGION, folder / "folds", examples=examples, folds=2, options=options)
    print(report.summary().round(2))  # every case was held out once
    print(bmx.train(REGION, model, examples=examples, options=options).card.training_data)

    results = bmx.run(store, folder / "results.zarr", models=folder / "models", regions=[REGION], workers=2)
    print(results["bmff"].to_pandas().round(1))


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            main(Path(scratch))
