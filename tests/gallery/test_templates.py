from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.gallery.templates import fuse, fuse_groups
from faceport.gallery.types import Fusion
from faceport.runtime.fuse import fuse_by_norm


def rows(seed: int, count: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 12))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors.astype(np.float32), rng.uniform(5, 30, count).astype(np.float32)


@given(seed=st.integers(0, 1000), counts=st.lists(st.integers(1, 5), min_size=1, max_size=6))
@pytest.mark.parametrize("fusion", ["mean", "norm"])
def test_groups_are_fused_as_each_alone(fusion: Fusion, seed: int, counts: list[int]) -> None:
    matrix, norms = rows(seed, sum(counts))
    starts = np.cumsum([0, *counts[:-1]])
    vectors, lengths = fuse_groups(matrix, norms, starts, fusion)
    for group, (start, count) in enumerate(zip(starts, counts, strict=True)):
        part = slice(start, start + count)
        weights = norms[part].astype(np.float64) if fusion == "norm" else np.full(count, 1 / count)
        total = (matrix[part] * weights[:, None]).sum(axis=0)
        np.testing.assert_allclose(vectors[group], total / np.linalg.norm(total), atol=1e-6)
        assert lengths[group] == pytest.approx(np.linalg.norm(total), rel=1e-5)


def test_by_norm_is_what_the_runtime_fuses_mirror_images_with() -> None:
    matrix, norms = rows(1, 4)
    vector, length = fuse(matrix, norms, "norm")
    expected, lengths = fuse_by_norm(matrix[:, None], norms[:, None])
    np.testing.assert_allclose(vector, expected[0], atol=1e-7)
    assert length == pytest.approx(float(lengths[0]), rel=1e-6)


def test_one_sample_is_its_own_template() -> None:
    matrix, norms = rows(2, 1)
    for fusion, length in (("mean", 1.0), ("norm", float(norms[0]))):
        vector, norm = fuse(matrix, norms, fusion)  # type: ignore[arg-type]
        np.testing.assert_allclose(vector, matrix[0], atol=1e-7)
        assert norm == pytest.approx(length, rel=1e-6)


@pytest.mark.parametrize("fusion", ["mean", "norm"])
def test_no_direction_and_no_norms_fall_back_to_a_sample(fusion: Fusion) -> None:
    matrix, _ = rows(3, 1)
    both = np.concatenate([matrix, -matrix])
    vector, norm = fuse(both, np.array([7.0, 7.0], np.float32), fusion)
    np.testing.assert_array_equal(vector, matrix[0])
    assert norm == 0
    vector, norm = fuse(matrix, np.zeros(1, np.float32), "norm")
    np.testing.assert_array_equal(vector, matrix[0])
    assert norm == 0


def test_very_many_samples_that_disagree_still_have_a_mean() -> None:
    matrix = np.tile(np.eye(2, dtype=np.float32), (600_000, 1))
    vector, length = fuse(matrix, np.ones(len(matrix), np.float32), "mean")
    np.testing.assert_allclose(vector, [0.5**0.5] * 2, atol=1e-6)
    assert length == pytest.approx(0.5**0.5, rel=1e-5)
