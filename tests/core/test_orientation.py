from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bmx.core.geometry import to_world
from bmx.core.orientation import turn_to

STORED = np.array([[-2.0, 0, 0, 250], [0, -2.2, 0, 190], [0, 0, 4.5, -30]])
ORIENTATIONS = st.permutations(["RL", "AP", "IS"]).flatmap(
    lambda pairs: st.tuples(*(st.sampled_from(pair) for pair in pairs)).map("".join)
)


@given(orientation=ORIENTATIONS, tilt=st.floats(-0.4, 0.4))
def test_turn_to__every_voxel_stays_where_it_is_in_the_body(orientation: str, tilt: float) -> None:
    """Each voxel holds its own world position: after any turn the new affine must lead there."""
    cosine, sine = np.cos(tilt), np.sin(tilt)
    affine = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]]) @ STORED
    shape = (3, 4, 5)
    places = to_world(affine, np.moveaxis(np.indices(shape), 0, -1))
    turn = turn_to(affine, orientation)
    turned = np.stack([turn.apply(places[..., axis]) for axis in range(3)], axis=-1)
    again = to_world(turn.affine(affine, shape), np.moveaxis(np.indices(turned.shape[:3]), 0, -1))
    np.testing.assert_allclose(again, turned, atol=1e-9)
    np.testing.assert_array_equal(turn.undo(turn.apply(places[..., 0])), places[..., 0])


@given(orientation=ORIENTATIONS)
def test_turn_to__axes_grow_towards_where_they_shall(orientation: str) -> None:
    """Against the meaning of the letters: RAS+ millimetres grow towards Right, Anterior, Superior."""
    shape = (3, 4, 5)
    places = to_world(STORED, np.moveaxis(np.indices(shape), 0, -1))
    turn = turn_to(STORED, orientation)
    for axis, letter in enumerate(orientation):
        world, sign = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}[letter]
        assert (sign * np.diff(turn.apply(places[..., world]), axis=axis) > 0).all()


def test_turn_to__stored_volumes_are_left_alone() -> None:
    turn = turn_to(STORED, "SPL")
    assert (turn.order, turn.reversed) == ((0, 1, 2), (False, False, False))


@pytest.mark.parametrize(
    ("affine", "orientation", "message"),
    [
        (STORED, "SPX", "'SPX' is no orientation; expected three letters"),
        (STORED, "SP", "'SP' is no orientation"),
        (np.full((3, 4), np.nan), "SPL", "must be .3, 4. and finite"),
        (np.array([[1.0, 1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, 0]]), "SPL", "45 degrees askew"),
    ],
)
def test_turn_to__says_what_is_wrong(affine: np.ndarray, orientation: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        turn_to(affine, orientation)
