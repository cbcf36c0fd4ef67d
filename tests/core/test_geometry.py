from __future__ import annotations

import nibabel as nib
import numpy as np
import numpy.typing as npt
import pytest

from bmx.core.geometry import centroid, crop_affine, end_letters, to_world, voxel_size, voxel_volume

OBLIQUE = np.array([[-2.2, 0.1, 0.3, 250.0], [0.1, -2.2, 0.2, 190.0], [0.2, 0.3, 4.5, -700.0]])


def test_to_world__equals_one_product_for_each_point() -> None:
    indices = np.array([[0, 0, 0], [1, 2, 3], [4.5, 0.5, 2]])
    for (z, y, x), found in zip(indices, to_world(OBLIQUE, indices), strict=True):
        np.testing.assert_allclose(found, OBLIQUE @ [x, y, z, 1])


def test_voxel_size__takes_columns_not_rows() -> None:
    # On an oblique affine the two differ; rows would mix the axes.
    np.testing.assert_allclose(voxel_size(OBLIQUE), [np.linalg.norm(OBLIQUE[:, i]) for i in range(3)])


def test_voxel_volume__is_the_determinant() -> None:
    assert voxel_volume(OBLIQUE) == pytest.approx(abs(np.linalg.det(OBLIQUE[:, :3])) / 1000)


def test_centroid__of_a_crop_is_the_same_place() -> None:
    mask = np.zeros((6, 7, 8), np.bool_)
    mask[2:5, 3, 4:7] = True
    box = (slice(1, 6), slice(2, 5), slice(3, 8))
    np.testing.assert_allclose(centroid(mask[box], crop_affine(OBLIQUE, box)), centroid(mask, OBLIQUE))


def test_centroid__of_nothing_is_nan() -> None:
    assert np.isnan(centroid(np.zeros((2, 2, 2), np.bool_), OBLIQUE)).all()


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        (np.diag([-2.2, -2.2, 4.5]), (("R", "L"), ("A", "P"), ("I", "S"))),
        (np.diag([2.2, 2.2, -4.5]), (("L", "R"), ("P", "A"), ("S", "I"))),
        (OBLIQUE[:, :3], (("R", "L"), ("A", "P"), ("I", "S"))),
        (np.array([[0, 0, 4.0], [-1, 0, 0], [0, -1, 0]]), (("A", "P"), ("S", "I"), ("L", "R"))),
    ],
)
def test_end_letters__agree_with_nibabel(columns: npt.NDArray[np.float64], expected: tuple) -> None:
    affine = np.column_stack([columns, [0.0, 0, 0]])
    assert end_letters(affine) == expected
    ends = nib.aff2axcodes(np.vstack([affine, [0, 0, 0, 1]]))
    assert tuple(high for _, high in end_letters(affine)) == ends
