"""The stub session: the same input, the same vector, everywhere."""

from __future__ import annotations

import hashlib
import struct
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from faceport.errors import InputError, SessionError
from faceport.runtime.sessions.base import Session
from faceport.runtime.sessions.stub import (
    StubSession,
    pixel_payload,
    stub_fingerprint,
    stub_vectors,
)

PIXELS = np.arange(2 * 3 * 4 * 3, dtype=np.uint8).reshape(2, 3, 4, 3)


def slow(payload: bytes, dim: int) -> list[float]:
    """The documented construction without numpy."""
    stream = hashlib.shake_256(hashlib.sha256(payload).digest()).digest(2 * dim)
    coordinates = [2 * u - 65535 for u in struct.unpack(f"<{dim}H", stream)]
    length = sum(c * c for c in coordinates) ** 0.5
    return [c / length for c in coordinates]


@given(payload=st.binary(max_size=200), dim=st.integers(1, 600))
def test_equals_the_documented_construction(payload: bytes, dim: int) -> None:
    expected = np.array(slow(payload, dim), np.float32)
    np.testing.assert_array_equal(stub_vectors([payload], dim)[0], expected)


def test_vectors_are_units() -> None:
    vectors = stub_vectors([bytes([i]) for i in range(100)])
    assert vectors.shape == (100, 512)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors.astype(np.float64), axis=1), 1, atol=1e-6)


def test_other_bytes_give_unrelated_vectors() -> None:
    vectors = stub_vectors([f"face {i}".encode() for i in range(200)]).astype(np.float64)
    cosines = (vectors @ vectors.T)[np.triu_indices(200, 1)]
    # Random directions in 512 dimensions: mean 0, standard deviation 1 / sqrt(512) = 0.044.
    assert abs(cosines.mean()) < 0.005
    assert 0.040 < cosines.std() < 0.048
    assert np.abs(cosines).max() < 0.3


def test_same_in_another_process() -> None:
    code = (
        "from faceport.runtime.sessions.stub import stub_vectors;"
        "print(stub_vectors([b'x'], 64).tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert bytes.fromhex(done.stdout) == stub_vectors([b"x"], 64).tobytes()


def test_session_hashes_each_picture_of_a_batch() -> None:
    session = StubSession(dim=64)
    vectors = session.run({"pixels": PIXELS})["embedding"]
    np.testing.assert_array_equal(vectors, stub_vectors([pixel_payload(p) for p in PIXELS], 64))
    assert not np.array_equal(vectors[0], vectors[1])


def test_shape_is_part_of_the_pixels() -> None:
    flat = np.zeros((2, 8, 3), np.uint8)
    assert pixel_payload(flat) != pixel_payload(flat.reshape(4, 4, 3))


def test_session_keeps_the_contract() -> None:
    session: Session = StubSession()
    assert (session.backend, session.provider, session.spec) == ("stub", "none", None)
    assert session.outputs[0].shape == ("batch", 512)
    with pytest.raises(InputError, match="dtype"):
        session.run({"pixels": PIXELS.astype(np.float32)})
    with pytest.raises(InputError, match="names"):
        session.run({"input": PIXELS})
    session.close()
    session.close()
    with pytest.raises(SessionError, match="closed"):
        session.run({"pixels": PIXELS})


def test_fingerprint_is_of_the_dimension() -> None:
    assert stub_fingerprint(512) != stub_fingerprint(128)
    assert len(stub_fingerprint()) == 64


def test_refuses_a_dimension_of_zero() -> None:
    with pytest.raises(InputError, match="dim"):
        stub_vectors([b""], 0)
