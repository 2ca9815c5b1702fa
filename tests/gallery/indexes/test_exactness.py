"""The two exact indexes against all products in float64."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from face_vectors import brute_force, face_vectors, near, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import InputError
from faceport.gallery.indexes import blocks
from faceport.gallery.indexes.base import Index
from faceport.gallery.indexes.exact import ExactIndex
from faceport.gallery.indexes.int8 import Int8Index

BLOCKS = {
    "exact.ONE_ROWS": 90,
    "exact.FEW_BYTES": 9000,
    "exact.MANY_ROWS": 96,
    "exact.MOST_QUERIES": 32,
    "int8.BLOCK_SCORES": 700,
    "int8.MOST_QUERIES": 32,
}
KINDS = [ExactIndex, Int8Index]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def index(request: pytest.FixtureRequest) -> Index:
    made: Index = request.param()
    return made


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in BLOCKS.items():
        monkeypatch.setattr(f"faceport.gallery.indexes.{name}", value)


@pytest.mark.parametrize("k", [1, 5, 40])
@pytest.mark.parametrize("dim", [3, 64, 127, 512])
def test_the_best_rows_are_found_in_blocks(
    index: Index, small_blocks: None, dim: int, k: int
) -> None:
    matrix = face_vectors(300, 4, dim)
    queries = np.concatenate([near(matrix[::40]), face_vectors(40, 1, dim, seed=5)])
    index.build(matrix)
    scores, rows = index.search(queries, k)
    expected, expected_rows = brute_force(matrix, queries, k)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=6e-8)
    assert scores.dtype == np.float32
    assert rows.dtype == np.intp


def test_one_query_is_answered_as_in_a_batch(index: Index, small_blocks: None) -> None:
    matrix = face_vectors(500, 3)
    queries = near(matrix[::100])
    index.build(matrix)
    scores, rows = index.search(queries, 7)
    for i in range(len(queries)):
        one_scores, one_rows = index.search(queries[i : i + 1], 7)
        np.testing.assert_array_equal(one_rows[0], rows[i])
        np.testing.assert_array_equal(one_scores[0], scores[i])


@settings(deadline=None)
@given(
    data=st.data(),
    rows=st.integers(1, 30),
    k=st.integers(1, 40),
    queries=st.integers(1, 4),
    block=st.integers(1, 60),
)
@pytest.mark.parametrize("kind", KINDS)
def test_ties_and_any_k(
    kind: Callable[[], Index], data: st.DataObject, rows: int, k: int, queries: int, block: int
) -> None:
    # Of few different vectors: most scores are there several times, at the k-th place too.
    pool = unit(np.array([[1, 0, 0], [0, 1, 0], [0.6, 0.8, 0], [-1, 0, 0], [0.6, 0.8, 1e-7]]))
    picks = st.integers(0, len(pool) - 1)
    matrix = pool[data.draw(st.lists(picks, min_size=rows, max_size=rows))]
    asked = pool[data.draw(st.lists(picks, min_size=queries, max_size=queries))]
    index = kind()
    index.build(matrix)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("exact.ONE_ROWS", "exact.FEW_BYTES", "exact.MANY_ROWS", "int8.BLOCK_SCORES"):
            patch.setattr(f"faceport.gallery.indexes.{name}", block)
        scores, found = index.search(asked, k)
    expected, expected_rows = brute_force(matrix, asked, k)
    assert scores.shape == found.shape == (queries, min(k, rows))
    np.testing.assert_allclose(scores, expected, rtol=0, atol=6e-8)
    np.testing.assert_array_equal(found, expected_rows)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), spread=st.floats(0, 3), spike=st.floats(0, 30))
def test_int8_is_exact_whatever_its_rows_look_like(seed: int, spread: float, spike: float) -> None:
    # Rows with one large number lose most in int8; rows close together are told apart last.
    random = np.random.default_rng(seed)
    raw = random.standard_normal((200, 32)) * spread + random.standard_normal(32)
    raw[np.arange(200), random.integers(0, 32, 200)] += spike
    matrix = unit(raw)
    index = Int8Index()
    index.build(matrix)
    queries = near(matrix[:8], 0.1)
    scores, rows = index.search(queries, 3)
    expected, _ = brute_force(matrix, queries, 3)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=6e-8)
    products = np.einsum("qd,qkd->qk", queries.astype(float), matrix[rows].astype(float))
    np.testing.assert_allclose(scores, products, rtol=0, atol=6e-8)


@pytest.mark.parametrize("count", range(1, 10))
def test_few_and_many_queries_are_answered_alike(
    index: Index, small_blocks: None, count: int
) -> None:
    matrix = face_vectors(200, 3)
    queries = near(matrix[::60])[:count]
    index.build(matrix)
    scores, rows = index.search(queries, 3)
    expected, expected_rows = brute_force(matrix, queries, 3)
    np.testing.assert_array_equal(rows, expected_rows)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=6e-8)


def test_an_older_numpy_finds_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(np, "vecdot", raising=False)
    matrix = face_vectors(200, 3)
    index = ExactIndex()
    index.build(matrix)
    for queries in (matrix[:1], matrix[:3]):
        rows = index.search(queries, 3)[1]
        np.testing.assert_array_equal(rows, brute_force(matrix, queries, 3)[1])


def test_an_empty_index_finds_nothing(index: Index) -> None:
    assert index.rows == 0
    for matrix in (None, np.empty((0, 8), np.float32)):
        if matrix is not None:
            index.build(matrix)
        scores, rows = index.search(np.ones((2, 8), np.float32), 3)
        assert scores.shape == rows.shape == (2, 0)


def test_no_queries_no_answers(index: Index) -> None:
    index.build(face_vectors(5, 1))
    scores, rows = index.search(np.empty((0, 64), np.float32), 3)
    assert scores.shape == rows.shape == (0, 3)


def test_one_row_is_found(index: Index) -> None:
    matrix = face_vectors(1, 1)
    index.build(matrix)
    scores, rows = index.search(-matrix, 5)
    assert rows.tolist() == [[0]]
    assert scores[0, 0] == pytest.approx(-1, abs=1e-6)


def test_a_zero_query_scores_nothing(index: Index) -> None:
    index.build(face_vectors(9, 1))
    scores, rows = index.search(np.zeros((1, 64), np.float32), 4)
    assert scores.tolist() == [[0, 0, 0, 0]]
    assert rows.tolist() == [[0, 1, 2, 3]]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_queries_that_are_no_numbers_are_refused(index: Index, bad: float) -> None:
    index.build(face_vectors(9, 1))
    queries = face_vectors(3, 1)
    queries[1, 7] = bad
    with pytest.raises(InputError, match="NaN or infinity"):
        index.search(queries, 1)


@pytest.mark.parametrize("shape", [(64,), (1, 63), (1, 1, 64)])
def test_queries_of_another_shape_are_refused(index: Index, shape: tuple[int, ...]) -> None:
    index.build(face_vectors(9, 1))
    with pytest.raises(InputError, match="queries of an index"):
        index.search(np.ones(shape, np.float32), 1)


def test_queries_of_another_type_are_refused(index: Index) -> None:
    index.build(face_vectors(9, 1))
    with pytest.raises(InputError, match="float64"):
        index.search(np.ones((1, 64)), 1)  # type: ignore[arg-type]


def test_no_less_than_one_row_is_asked_for(index: Index) -> None:
    index.build(face_vectors(9, 1))
    with pytest.raises(InputError, match="1 or more"):
        index.search(np.ones((1, 64), np.float32), 0)


def test_a_matrix_of_another_kind_is_refused(index: Index) -> None:
    with pytest.raises(InputError, match="rows of an index"):
        index.build(np.ones((3, 4)))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="rows of an index"):
        index.build(np.ones(3, np.float32))


def test_a_damaged_row_hides_no_other(small_blocks: None) -> None:
    matrix = face_vectors(300, 3)
    expected = brute_force(matrix, matrix[::50], 1)[1]
    matrix[[7, 333, 899]] = np.nan
    index = ExactIndex()
    index.build(matrix)
    for queries, rows in ((matrix[::50], expected), (matrix[50:51], expected[1:2])):
        np.testing.assert_array_equal(index.search(queries, 1)[1], rows)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_int8_takes_no_row_that_is_no_number(bad: float) -> None:
    matrix = face_vectors(30, 1)
    matrix[7, 3] = bad
    with pytest.raises(InputError, match="NaN or infinity"):
        Int8Index().build(matrix)


def test_rows_behind_the_others_are_found(index: Index) -> None:
    matrix = face_vectors(400, 3)
    queries = near(matrix[::50])
    for rows in (0, 1, 500, 500, 1200):
        index.extend(matrix[:rows].copy())
        assert index.rows == rows
    scores, found = index.search(queries, 6)
    expected, expected_rows = brute_force(matrix, queries, 6)
    np.testing.assert_array_equal(found, expected_rows)
    np.testing.assert_allclose(scores, expected, rtol=0, atol=6e-8)


def test_another_matrix_takes_the_place(index: Index) -> None:
    index.build(face_vectors(50, 1, 64))
    matrix = face_vectors(20, 1, 32, seed=3)
    index.build(matrix)
    assert index.search(matrix, 1)[1][:, 0].tolist() == list(range(20))


def test_threads_may_search_while_rows_come(index: Index) -> None:
    matrix = face_vectors(800, 3)
    queries = near(matrix[:300:60])
    index.build(matrix[:300])
    expected = brute_force(matrix[:300], queries, 1)[0]

    def search(_: int) -> bool:
        # Further rows may only make a best score better.
        return bool((index.search(queries, 1)[0] >= expected - 1e-6).all())

    with ThreadPoolExecutor(4) as pool:
        searches = [pool.submit(search, i) for i in range(40)]
        for rows in range(400, 2401, 400):
            index.extend(matrix[:rows])
        assert all(one.result() for one in searches)


def test_int8_reads_only_candidates_of_rows_on_the_disk(tmp_path: object) -> None:
    matrix = face_vectors(300, 4)
    path = f"{tmp_path}/rows.npy"
    np.save(path, matrix)
    index = Int8Index()
    index.build(np.load(path, mmap_mode="r"))
    assert index.nbytes <= 0.3 * matrix.nbytes
    queries = near(matrix[::100])
    np.testing.assert_array_equal(index.search(queries, 4)[1], brute_force(matrix, queries, 4)[1])


@settings(deadline=None)
@given(rows=st.integers(0, 50), threads=st.integers(1, 9))
def test_threads_share_all_rows_once(rows: int, threads: int) -> None:
    parts = blocks.row_parts(rows, threads)
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(rows))
    assert len(parts) <= threads
    assert all(part.start < part.stop for part in parts)
