"""Search by signs: how much it finds, with a few rows, many, more, and columns that lean."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from face_vectors import Float, brute_force, face_vectors, near

from faceport.errors import InputError
from faceport.gallery.indexes import bits
from faceport.gallery.indexes.bits import CANDIDATES, BitsIndex


@pytest.fixture(scope="module")
def matrix() -> Float:
    return face_vectors(1200, 5)


def built(matrix: Float) -> BitsIndex:
    index = BitsIndex()
    index.build(matrix)
    return index


def recall(index: BitsIndex, matrix: Float) -> float:
    queries = near(matrix[::9])
    rows = index.search(queries, 1)[1]
    return float((rows == brute_force(matrix, queries, 1)[1]).mean())


def test_nearly_all_nearest_rows_are_found(matrix: Float) -> None:
    index = built(matrix)
    assert (index.rows, index.nbytes) == (6000, 6000 * matrix.shape[1] // 8)
    assert recall(index, matrix) >= 0.995


def test_several_threads_number_the_rows_through(
    matrix: Float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bits, "ROWS_A_PART", 1000)
    monkeypatch.setattr(bits, "usable_cores", lambda: 3)
    assert recall(built(matrix), matrix) >= 0.995


def test_scores_are_exact_and_best_first(matrix: Float) -> None:
    queries = near(matrix[:200])
    scores, rows = built(matrix).search(queries, 6)
    products = np.einsum("qd,qkd->qk", queries.astype(float), matrix[rows].astype(float))
    np.testing.assert_allclose(scores, products, rtol=0, atol=6e-8)
    assert (np.diff(scores, axis=1) <= 0).all()
    assert all(len(set(row)) == 6 for row in rows.tolist())


@pytest.mark.parametrize("rows", [0, 1, 2, 17, CANDIDATES])
def test_few_rows_are_all_found(rows: int) -> None:
    matrix = face_vectors(CANDIDATES, 1)[:rows]
    index = built(matrix)
    for queries in (face_vectors(1, 1, seed=3), near(face_vectors(5, 1))):
        scores, found = index.search(queries, CANDIDATES + 30)
        assert scores.shape == found.shape == (len(queries), rows)
        assert all(sorted(row) == list(range(rows)) for row in found.tolist())


def test_nothing_built_nothing_found() -> None:
    assert BitsIndex().search(np.ones((1, 4), np.float32), 1)[1].shape == (1, 0)


@pytest.mark.parametrize("dim", [3, 60, 128, 400])
def test_any_number_of_columns_and_columns_that_lean(dim: int) -> None:
    # Far from zero all signs are equal; from the mean half of them are.
    random = np.random.default_rng(0)
    vectors = random.standard_normal((300, dim)).astype(np.float32) * 0.2 + 3
    matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    rows = built(matrix).search(matrix, 1)[1]
    np.testing.assert_array_equal(rows[:, 0], brute_force(matrix, matrix, 1)[1][:, 0])


def test_the_numbers_that_vary_most_are_kept() -> None:
    random = np.random.default_rng(1)
    wide = random.standard_normal((500, 300)).astype(np.float32)
    # 256 numbers tell rows apart; the others are nearly the same in all, and come first.
    vectors = np.concatenate([np.full((500, 200), 2, np.float32), wide], axis=1)
    vectors[:, :200] += 1e-3 * random.standard_normal((500, 200)).astype(np.float32)
    matrix = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    index = built(matrix)
    assert index.nbytes == 500 * 256 // 8
    np.testing.assert_array_equal(index.search(matrix, 1)[1][:, 0], np.arange(500))


def test_a_damaged_row_hides_no_other(matrix: Float) -> None:
    damaged = matrix.copy()
    damaged[0] = np.nan
    rows = built(damaged).search(matrix[3000:3200], 1)[1]
    np.testing.assert_array_equal(rows[:, 0], np.arange(3000, 3200))


def test_bad_queries_are_refused(matrix: Float) -> None:
    with pytest.raises(InputError, match="NaN"):
        built(matrix).search(np.full((1, matrix.shape[1]), np.nan, np.float32), 1)


def test_rows_are_added(matrix: Float) -> None:
    index = BitsIndex()
    for rows in (0, 2500, 2501, 4000, 6000):
        index.extend(matrix[:rows].copy())
        assert index.rows == rows
    assert recall(index, matrix) >= 0.995


def test_a_search_while_rows_are_added_finds_the_old_ones(matrix: Float) -> None:
    index = built(matrix[:3000])
    grow = threading.Thread(
        target=lambda: [index.extend(matrix[:rows]) for rows in range(3100, 6000, 100)]
    )
    grow.start()
    while grow.is_alive():
        np.testing.assert_array_equal(index.search(matrix[:8], 1)[1][:, 0], np.arange(8))
    grow.join()
    assert recall(index, matrix[:5900]) >= 0.995
