"""Fusion against AdaFace's formula in float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.errors import InputError
from faceport.runtime.fuse import fuse_by_norm, mirrored, normalized


@given(seed=st.integers(0, 2**32 - 1), k=st.integers(1, 4), n=st.integers(1, 5))
def test_equals_adaface(seed: int, k: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    raw = rng.normal(size=(k, n, 16)) * rng.uniform(0.1, 40, size=(k, n, 1))
    vectors, norms = normalized(raw)
    fused, fused_norms = fuse_by_norm(vectors, norms)
    # Unit vectors times their norms are the raw features, so the fused one is their sum.
    total = raw.sum(axis=0)
    length = np.linalg.norm(total, axis=-1)
    np.testing.assert_allclose(fused, total / length[:, None], atol=1e-5)
    np.testing.assert_allclose(fused_norms, length, rtol=1e-5)


def test_the_longer_vector_counts_more() -> None:
    vectors = np.eye(2, dtype=np.float32)[:, None]
    fused, norms = fuse_by_norm(vectors, np.array([[3.0], [4.0]], np.float32))
    np.testing.assert_allclose(fused, [[0.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(norms, [5.0], rtol=1e-6)


def test_vectors_that_cancel_give_zero_and_no_nan() -> None:
    vectors = np.array([[[1.0, 0.0]], [[-1.0, 0.0]]], np.float32)
    fused, norms = fuse_by_norm(vectors, np.ones((2, 1), np.float32))
    assert fused.tolist() == [[0.0, 0.0]]
    assert norms.tolist() == [0.0]


def test_zero_stays_zero_and_tiny_or_huge_vectors_become_units() -> None:
    vectors, norms = normalized(np.array([[0.0, 0.0], [3e-30, 4e-30], [3e30, 4e30]], np.float32))
    np.testing.assert_allclose(vectors, [[0, 0], [0.6, 0.8], [0.6, 0.8]], rtol=1e-6)
    np.testing.assert_allclose(norms, [0, 5e-30, 5e30], rtol=1e-6)
    assert vectors.dtype == norms.dtype == np.float32


def test_refuses_shapes_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="do not fit"):
        fuse_by_norm(np.ones((2, 3, 4), np.float32), np.ones((2, 3, 1), np.float32))


def test_mirrored_changes_left_and_right_only() -> None:
    pixels = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)
    turned = mirrored(pixels)
    assert turned.flags.c_contiguous
    for x in range(4):
        np.testing.assert_array_equal(turned[:, :, x], pixels[:, :, 3 - x])
