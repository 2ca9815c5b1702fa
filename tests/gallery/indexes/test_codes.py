"""Int8 codes and the bound of their error."""

from __future__ import annotations

import numpy as np
import pytest
from face_vectors import face_vectors, near, unit
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.gallery.indexes.codes import coded, extended, score_errors


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), spike=st.floats(0, 20), length=st.floats(0.01, 100))
def test_no_score_is_further_off_than_the_bound(seed: int, spike: float, length: float) -> None:
    random = np.random.default_rng(seed)
    matrix = random.standard_normal((60, 24))
    matrix[:, 0] += spike
    rows = unit(matrix)
    queries = (length * unit(random.standard_normal((5, 24)) + 0.1)).astype(np.float32)
    kept, asked = coded(rows), coded(queries)
    sums = asked.values.astype(np.int32) @ kept.values.astype(np.int32).T
    scores = sums * kept.scales * asked.scales[:, np.newaxis]
    true = queries.astype(np.float64) @ rows.astype(np.float64).T
    off = np.abs(scores - true).max(axis=1)
    assert (off <= score_errors(queries, asked, kept)).all()


def test_the_bound_is_near_for_face_vectors() -> None:
    rows = face_vectors(500, 4, 512)
    queries = near(rows[:20])
    bound = score_errors(queries, coded(queries), coded(rows))
    assert 0.005 < bound.max() < 0.03


def test_zero_rows_stay_zero() -> None:
    kept = coded(np.zeros((2, 8), np.float32))
    assert not kept.values.any()
    assert kept.residual == 0


def test_rows_of_a_matrix_are_coded_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = face_vectors(50, 2)
    whole = coded(rows)
    monkeypatch.setattr("faceport.gallery.indexes.codes.STEP", 7)
    parts = extended(coded(rows[:30]), rows[30:])
    np.testing.assert_array_equal(whole.values, parts.values)
    np.testing.assert_array_equal(whole.scales, parts.scales)
    assert (whole.residual, whole.length) == (parts.residual, parts.length)
    assert whole.nbytes == rows.size + 4 * len(rows)
