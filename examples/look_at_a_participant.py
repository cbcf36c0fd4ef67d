"""One simulated participant in all contrasts, with the true masks; real images beside it where there are some.

python examples/look_at_a_participant.py [--out FOLDER] [--real ../shared/data]
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import xarray as xr

import bmx

REAL = {  # bone at whose height it lies -> contrast -> image, below the folder of real ones
    "L2": {"in_phase": "abdomen_dual_echo_dicom/inphase", "opposed_phase": "abdomen_dual_echo_dicom/outphase"},
    "L3": {"fat": "lumbar_dixon/TUM01_fat.nii.gz", "water": "lumbar_dixon/TUM01_water.nii.gz"},
    "femoral_diaphysis_left": {"fat": "thigh_fat_fraction/fat.nii.gz", "water": "thigh_fat_fraction/water.nii.gz"},
}


def main(scratch: Path, out: Path, real: Path) -> None:
    """Simulate, convert, look."""
    bmx.simulate(scratch, participants=1, seed=3, workers=1)
    contrasts = ("in_phase", "opposed_phase", "fat", "water")
    bmx.convert(scratch / "dixon", scratch / "slabs.zarr", contrasts=contrasts, workers=1)
    slabs = bmx.open_store(scratch / "slabs.zarr")
    truth = xr.open_datatree(scratch / "truth.zarr", engine="zarr", chunks={})  # masks, labels of bones, true BMFF

    figures = {"look.png": bmx.plot.mosaic(slabs, truth)}
    if real.is_dir():
        paths = {bone: {name: real / file for name, file in files.items()} for bone, files in REAL.items()}
        figures["beside.png"] = bmx.plot.beside(slabs, truth, real=paths)
    out.mkdir(parents=True, exist_ok=True)
    for name, figure in figures.items():
        figure.savefig(out / name)
        print(f"{name}: {figure.bbox.width:.0f} x {figure.bbox.height:.0f} pixels")
    bmff = truth["results/bmff"].isel(participant=0).to_series()
    print("true BMFF:", ", ".join(f"{region} {percent:.1f} %" for region, percent in bmff.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--out", type=Path)
    parser.add_argument("--real", type=Path, default=Path("../shared/data"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch), args.out or Path(scratch), args.real)
