"""The binary format, against bytes written with `struct` as PostgreSQL's manual says."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.errors import GalleryError
from faceport.gallery.stores.postgres.binary import rows_from_copy, vector_from_bytes
from faceport.gallery.types import VectorType

HEAD = b"PGCOPY\n\xff\r\n\0" + struct.pack(">ii", 0, 0)
TAIL = struct.pack(">h", -1)
NUMBERS: dict[VectorType, str] = {"float32": "f", "float16": "e"}


def sent(vector: NDArray[np.float32], vector_type: VectorType) -> bytes:
    return struct.pack(f">HH{len(vector)}{NUMBERS[vector_type]}", len(vector), 0, *vector.tolist())


def row(identity: int, sample: int, norm: float, vector: bytes | None) -> bytes:
    fields = [struct.pack(">q", identity), struct.pack(">q", sample), struct.pack(">d", norm)]
    data = b"".join(struct.pack(">i", len(field)) + field for field in fields)
    last = struct.pack(">i", -1) if vector is None else struct.pack(">i", len(vector)) + vector
    return struct.pack(">h", 4) + data + last


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_rows_are_read_wherever_the_blocks_are_cut(data: st.DataObject) -> None:
    vector_type: VectorType = data.draw(st.sampled_from(["float32", "float16"]))
    count, dim = data.draw(st.integers(0, 6)), data.draw(st.integers(1, 9))
    random = np.random.default_rng(data.draw(st.integers(0, 1000)))
    vectors = random.normal(size=(count, dim)).astype(np.float16).astype(np.float32)
    ids = random.integers(1, 1 << 62, (2, count))
    norms = random.uniform(0, 50, count).astype(np.float32)
    content = HEAD + b"".join(
        row(int(ids[0, i]), int(ids[1, i]), float(norms[i]), sent(vectors[i], vector_type))
        for i in range(count)
    )
    content += TAIL
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    blocks = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    rows = rows_from_copy(blocks, vector_type, dim)
    np.testing.assert_array_equal(rows.identity_ids, ids[0])
    np.testing.assert_array_equal(rows.sample_ids, ids[1])
    np.testing.assert_array_equal(rows.norms, norms)
    np.testing.assert_array_equal(rows.matrix, vectors)
    assert (rows.matrix.dtype, rows.matrix.shape) == (np.dtype(np.float32), (count, dim))


@pytest.mark.parametrize("vector_type", ["float32", "float16"])
@pytest.mark.parametrize("bad", ["none", "short", "long", "another dim"])
def test_a_vector_that_does_not_fit_is_damage(vector_type: VectorType, bad: str) -> None:
    good, odd = np.ones(4, np.float32), np.ones(3 if bad == "short" else 5, np.float32)
    vector = None if bad == "none" else sent(odd, vector_type)
    if bad == "another dim":
        # As long as four numbers, but said to be three.
        vector = struct.pack(">HH", 3, 0) + sent(good, vector_type)[4:]
    content = HEAD + row(1, 1, 1.0, sent(good, vector_type)) + row(2, 2, 1.0, vector) + TAIL
    with pytest.raises(GalleryError, match="damaged"):
        rows_from_copy([content], vector_type, 4)
    if bad != "another dim":
        with pytest.raises(GalleryError, match="damaged"):
            vector_from_bytes(vector, vector_type, 4)


@pytest.mark.parametrize("vector_type", ["float32", "float16"])
def test_one_vector(vector_type: VectorType) -> None:
    vector = np.array([0.5, -0.25, 0, 1], np.float32)
    found = vector_from_bytes(sent(vector, vector_type), vector_type, 4)
    np.testing.assert_array_equal(found, vector)
    assert found.dtype == np.float32
