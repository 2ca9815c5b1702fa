"""Grids, and the rows of outputs that belong to them."""

from __future__ import annotations

import numpy as np
import pytest

from faceport.errors import SessionError
from faceport.runtime.detectors.levels import Grid, passing, shaped


def test_a_side_that_does_not_divide_has_one_cell_more() -> None:
    assert Grid.of(100, 64, 32) == Grid(32, rows=4, columns=2)
    assert Grid.of(96, 64, 32).cells == 6


def test_positions_are_column_and_row() -> None:
    grid = Grid(8, rows=3, columns=5)
    positions = grid.positions(np.array([0, 4, 5, 14]))
    assert positions.tolist() == [[0, 0], [4, 0], [0, 1], [4, 2]]
    assert positions.dtype == np.float32


@pytest.mark.parametrize("shape", [(12, 4), (1, 12, 4), (48,), (1, 48)])
def test_axes_of_one_make_no_difference(shape: tuple[int, ...]) -> None:
    values = np.arange(48, dtype=np.float32)
    out = shaped({"b": values.reshape(shape)}, "b", 12, 4)
    np.testing.assert_array_equal(out, values.reshape(12, 4))


def test_two_pictures_do_not_pass_for_one() -> None:
    with pytest.raises(SessionError, match=r"received shape \(2, 12, 4\); expected 12 × 4 values"):
        shaped({"b": np.zeros((2, 12, 4))}, "b", 12, 4)


def test_passing_is_at_or_above_the_threshold() -> None:
    scores = np.array([0.1, 0.5, 0.49999, 0.9], np.float32)
    assert passing(scores, 0.5).tolist() == [1, 3]
    assert passing(scores[:0], 0.5).tolist() == []
    assert passing(scores, 0.0).tolist() == [0, 1, 2, 3]
