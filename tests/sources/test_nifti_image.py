from __future__ import annotations

import gzip
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bmx.errors import SourceError
from bmx.sources.nifti_folder import NiftiExam
from bmx.sources.nifti_image import NiftiImage
from tests.nifti import write_nifti

AFFINE = np.array([[-2.0, 0.1, 0, 10], [0, -2, 0.2, 5], [0, 0, 4.5, -3]])
VOLUME = np.arange(6 * 5 * 4, dtype=np.int16).reshape(6, 5, 4)
HEADER = 352
"""Bytes before the voxels."""


@settings(max_examples=30)
@given(axes=st.permutations(["LR", "PA", "SI"]), turn=st.tuples(*[st.booleans()] * 3))
def test_nifti_image__any_order_and_direction_of_axes_gives_the_same(
    tmp_path_factory: pytest.TempPathFactory, axes: list[str], turn: tuple[bool, ...]
) -> None:
    """Property: all 48 ways to store a volume are one volume in one place."""
    letters = "".join(pair[flip] for pair, flip in zip(axes, turn, strict=True))
    path = write_nifti(tmp_path_factory.getbasetemp() / "turned.nii", VOLUME, AFFINE, axes=letters)
    image = NiftiImage.open(str(path))
    assert image.shape == (4, 5, 6)
    np.testing.assert_array_equal(image.volume(), VOLUME)
    np.testing.assert_allclose(image.affine, AFFINE, atol=1e-5)


def test_open__reads_no_voxels(tmp_path: Path) -> None:
    """A folder of a whole cohort is looked at by headers: the rest of the file isn't even there."""
    path = write_nifti(tmp_path / "cut.nii", VOLUME, AFFINE)
    path.write_bytes(path.read_bytes()[:HEADER])
    image = NiftiImage.open(str(path))
    assert (image.shape, image.description) == ((4, 5, 6), "bmx simulated anatomy, not a person")
    with pytest.raises(SourceError, match="expected 592 bytes, found 352: it is cut short"):
        image.volume()


def test_open__refuses_a_header_that_claims_gigabytes(tmp_path: Path) -> None:
    """Of a file of a few hundred bytes; nothing of that size is ever asked for."""
    path = write_nifti(tmp_path / "bomb.nii.gz", VOLUME, AFFINE)
    content = bytearray(gzip.decompress(path.read_bytes()))
    content[42:48] = np.array([30_000, 30_000, 30_000], "<i2").tobytes()
    path.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(SourceError, match="expected a slab, found 30000 × 30000 × 30000 voxels of int16"):
        NiftiImage.open(str(path))


def test_open__never_fails_otherwise_than_it_says(tmp_path: Path) -> None:
    """A thousand damaged files, seeded: each is read, or refused as data; no crash, no warning."""
    base = write_nifti(tmp_path / "base.nii", VOLUME, AFFINE).read_bytes()
    path = tmp_path / "1_20201_2_0_slab_2_fat.nii"
    refused = 0
    for seed in range(1000):
        path.write_bytes(damage(base, random.Random(seed)))
        with NiftiExam(str(tmp_path / "1_20201_2_0")) as exam:
            assert set(exam.refused) == {2}  # too small for a slab, if nothing else
        try:
            assert NiftiImage.open(str(path)).volume().ndim == 3
        except SourceError:
            refused += 1
    assert 200 < refused < 800


def damage(base: bytes, rng: random.Random) -> bytes:
    """Change bytes or numbers of the header, cut the file, damage its compression."""
    content = bytearray(base)
    for _ in range(rng.choice([1, 1, 2, 4, 16])):
        content[rng.randrange(len(base) if rng.random() < 0.1 else HEADER)] = rng.choice([0, 255, 127, 128])
    if rng.random() < 0.3:
        at = rng.randrange(0, 348, 4)
        content[at : at + 4] = np.float32(rng.choice(["nan", "inf", "-1e30", "1e30", "0"])).tobytes()
    if rng.random() < 0.1:
        del content[rng.randrange(len(content)) :]
    if rng.random() < 0.2:
        content = bytearray(gzip.compress(bytes(content)))
        for _ in range(rng.choice([0, 1, 2])):
            content[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
    return bytes(content)
