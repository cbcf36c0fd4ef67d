"""What the paper's authors did to one archive, on our parts: the procedure that lost what bmx recovers.

    python benchmarks/paper_procedure.py EID_20201_2_0.zip [...]

As section 2 and the released code have it: a volume is what its SeriesNumber says (fat of slab N is 4(N - 1) + 3,
water the one after it); its slices are stacked by position; the spine is looked for in slab 2, head and hip in slab 4,
the shaft in slab 5 and nowhere else; nothing is known of swaps; fat fractions are smoothed as section 2.8 says. The
networks are those that ship with bmx and see fat alone, as the paper's did, so that procedures are compared and not
networks.
"""

from __future__ import annotations

import argparse
import sys
import warnings
import zipfile
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import torch
import xarray as xr
from pydicom.errors import InvalidDicomError

import bmx
from bmx.acquisition import SLABS
from bmx.core.bmff import Measurement, measure_mask
from bmx.core.recipes import get_recipe
from bmx.core.stitch import SlabPair
from bmx.models.base import RegionModel
from bmx.regions import REGIONS
from bmx.schema import conform
from bmx.types import IntVolume
from bmx.variables import MEASUREMENT_STATUS

Exam = Mapping[str, Measurement | str]
"""By region what was measured, or why nothing could be."""


def measure_archive(path: Path, models: Mapping[str, RegionModel]) -> dict[str, Measurement | str]:
    """Measure the four regions of one archive."""
    series = read_series(path)
    if isinstance(series, str):
        return dict.fromkeys(REGIONS, series)
    found: dict[str, Measurement | str] = {}
    for region in REGIONS.values():
        slab = slab_by_numbers(series, region.slab)
        if isinstance(slab, str):
            found[region.name] = slab
            continue
        mask = models[region.name].draw(*slab).mask
        found[region.name] = measure_mask(
            *slab[:2], mask, slab.affine, len(mask), region=region, recipe=get_recipe("paper")
        )
    return found


def read_series(path: Path) -> dict[int, list[pydicom.Dataset]] | str:
    """All images by SeriesNumber; or why there are none."""
    found: dict[int, list[pydicom.Dataset]] = {}
    try:
        with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for name in archive.namelist():
                if not name.lower().endswith(".dcm"):
                    continue
                try:
                    image = pydicom.dcmread(BytesIO(archive.read(name)), force=True)
                except (InvalidDicomError, zipfile.BadZipFile):
                    return f"{name} can't be read"
                if "PixelData" in image and "SeriesNumber" in image:
                    found.setdefault(int(image.SeriesNumber), []).append(image)
    except (zipfile.BadZipFile, OSError) as exc:
        return f"the archive can't be opened: {exc}"
    return found


def slab_by_numbers(series: Mapping[int, Sequence[pydicom.Dataset]], slab: int) -> SlabPair | str:
    """Fat and water of a slab by their numbers alone; or why not."""
    first = 4 * (slab - 1) + 1
    volumes: list[IntVolume] = []
    for number in (first + 2, first + 3):
        images = sorted(series.get(number, ()), key=lambda image: float(image.ImagePositionPatient[2]))
        if not images:
            return f"there is no series {number}"
        try:
            volumes.append(np.stack([image.pixel_array for image in images]).astype(np.uint16))
        except (ValueError, AttributeError, RuntimeError) as exc:
            return f"series {number} is no volume: {exc}"
    if volumes[0].shape != volumes[1].shape:
        return f"series {first + 2} and {first + 3} differ in size"
    pixel, z = [float(one) for one in images[0].PixelSpacing], [float(one.ImagePositionPatient[2]) for one in images]
    x, y = (float(one) for one in images[0].ImagePositionPatient[:2])
    # Patient coordinates point to the left and to the back, ours to the right and to the front.
    affine = np.array([[-pixel[1], 0, 0, -x], [0, -pixel[0], 0, -y], [0, 0, SLABS[slab].slice_mm, z[0]]])
    return SlabPair(volumes[0], volumes[1], affine)


def as_results(exams: Mapping[int, Exam]) -> xr.Dataset:
    """By EID what was measured, as `bmx.measure` gives it, for the paper's own rules of quality control."""
    regions = list(REGIONS)
    nothing = Measurement(volume=np.nan)
    rows = [[exam[name] for name in regions] for exam in exams.values()]
    known = [[nothing if isinstance(one, str) else one for one in row] for row in rows]
    status = [
        [
            "failed" if isinstance(one, str) or (one.voxels and np.isnan(one.bmff)) else
            "measured" if one.voxels else "empty"
            for one in row
        ]
        for row in rows
    ]  # fmt: skip
    dims = ("participant", "region")
    values = {
        name: (dims, [[getattr(one, name) for one in row] for row in known])
        for name in ("bmff", "voxels", "volume", "flags")
    }
    centroid = [[(one.centroid_x, one.centroid_y, one.centroid_z) for one in row] for row in known]
    return conform(
        xr.Dataset(
            {
                **values,
                "centroid": ((*dims, "world_axis"), centroid),
                "status": (dims, [[MEASUREMENT_STATUS[one] for one in row] for row in status]),
                "reason": (dims, np.array([[one if isinstance(one, str) else "" for one in row] for row in rows])),
            },
            coords={"participant": list(exams), "region": regions},
        )
    )


def main() -> int:
    """Print what the procedure gives for some archives."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archives", type=Path, nargs="+")
    torch.set_num_threads(1)
    models = bmx.load_models("simulated_fat")
    for path in parser.parse_args().archives:
        print(path.name)
        for region, one in measure_archive(path, models).items():
            print(f"  {region}: {one if isinstance(one, str) else f'{one.bmff:.1f} %, {one.voxels} voxels'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
