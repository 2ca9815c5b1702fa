from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.gallery.stores.vectors import vector_codec
from faceport.gallery.types import VectorType

KINDS: list[tuple[VectorType, float]] = [("float32", 1e-7), ("float16", 1e-4), ("int8", 1e-2)]


def units(seed: int, rows: int, dim: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, dim))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_a_cosine_moves_by_no_more_than_is_said(kind: VectorType, loss: float) -> None:
    codec = vector_codec(kind)
    vectors, queries = units(1, 300, 512), units(2, 40, 512)
    blobs = codec.encode(vectors)
    assert {len(blob) for blob in blobs} == {codec.size(512)}
    exact = queries.astype(np.float64) @ vectors.astype(np.float64).T
    kept = queries.astype(np.float64) @ codec.decode(blobs, 512).astype(np.float64).T
    assert np.abs(kept - exact).max() < loss
    # The worst case is a query near the vector itself, where most is lost.
    own = np.einsum("rd,rd->r", vectors.astype(np.float64), codec.decode(blobs, 512))
    assert np.abs(own - 1).max() < loss


@given(
    kind=st.sampled_from([kind for kind, _ in KINDS]),
    seed=st.integers(0, 10_000),
    dim=st.integers(1, 40),
)
def test_what_was_read_back_is_written_the_same_again(
    kind: VectorType, seed: int, dim: int
) -> None:
    codec = vector_codec(kind)
    blobs = codec.encode(units(seed, 5, dim))
    assert codec.encode(codec.decode(blobs, dim)) == blobs


@pytest.mark.parametrize(("kind", "loss"), KINDS)
def test_vectors_keep_their_length(kind: VectorType, loss: float) -> None:
    codec = vector_codec(kind)
    one_number = np.eye(8, dtype=np.float32)
    for vectors in (units(3, 50, 128), one_number, -one_number):
        lengths = np.linalg.norm(
            codec.decode(codec.encode(vectors), vectors.shape[1]).astype(np.float64), axis=1
        )
        assert np.abs(lengths - 1).max() < 1e-3
    assert loss


def test_bytes_are_little_endian_on_every_machine() -> None:
    vector = np.array([[0.5, -0.25]], np.float32)
    assert vector_codec("float32").encode(vector) == [bytes.fromhex("0000003f000080be")]
    assert vector_codec("float16").encode(vector) == [bytes.fromhex("003800b4")]
    (blob,) = vector_codec("int8").encode(vector)
    assert blob[:2] == bytes([127, 256 - 64])
    assert np.frombuffer(blob[2:], "<f4")[0] == pytest.approx(1 / np.hypot(127, 64))
