"""The stub: a session without a model, for tests and for wiring an application before its model.

The same pixels, or the same bytes, always give the same unit vector, in any process, on any
machine; different ones give vectors that are as good as unrelated (cosine near 0). It tells no
identities. It is never picked silently: a caller asks for it by name or lists it as a fallback, and
all it makes is marked `is_stub`.

How a vector is made, so that other programs can make the same: SHA-256 of the bytes; SHAKE-256 of
that digest, 2 bytes a coordinate, read as little-endian unsigned integers u; the coordinate is
2u - 65535; the vector is divided by its length. The length is computed in integers, so the result
is the same to the last bit everywhere. Pixels are hashed as RGB rows after the ASCII text
`HEIGHTxWIDTH:`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError, SessionError
from faceport.runtime.sessions.base import Array, check_feeds
from faceport.spec import ModelSpec, TensorSpec

STUB_DIM = 512
STUB_INPUT = "pixels"
STUB_OUTPUT = "embedding"


def stub_vectors(payloads: Sequence[bytes], dim: int = STUB_DIM) -> NDArray[np.float32]:
    """Return one unit vector for each payload: (N, dim) float32.

    Raises:
        InputError: `dim` is below 1.
    """
    if dim < 1:
        raise InputError("the stub's dim is too small", received=dim, expected="1 or more")
    vectors = np.empty((len(payloads), dim), np.float32)
    for vector, payload in zip(vectors, payloads, strict=True):
        vector[:] = _unit(hashlib.sha256(payload).digest(), dim)
    return vectors


def pixel_payload(pixels: NDArray[np.uint8]) -> bytes:
    """Return the bytes that stand for a picture: (height, width, 3) RGB."""
    height, width = pixels.shape[:2]
    return f"{height}x{width}:".encode() + pixels.tobytes()


def stub_fingerprint(dim: int = STUB_DIM) -> str:
    """Return the fingerprint of the stub's vectors: 64 hex digits, like no model's."""
    return hashlib.sha256(f"faceport stub 1 dim {dim}".encode()).hexdigest()


class StubSession:
    """A session that hashes pictures into vectors.

    Input `pixels` (batch, height, width, 3) uint8 RGB; output `embedding` (batch, dim) float32.
    """

    backend = "stub"
    provider = "none"
    spec: ModelSpec | None = None

    def __init__(self, dim: int = STUB_DIM) -> None:
        self.inputs = (TensorSpec(STUB_INPUT, "uint8", ("batch", "height", "width", 3)),)
        self.outputs = (TensorSpec(STUB_OUTPUT, "float32", ("batch", dim)),)
        self._dim = dim
        self._closed = False

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run once; see `Session.run`."""
        check_feeds(self.inputs, feeds)
        if self._closed:
            raise SessionError("the stub session is closed")
        payloads = [pixel_payload(row.astype(np.uint8)) for row in feeds[STUB_INPUT]]
        return {STUB_OUTPUT: stub_vectors(payloads, self._dim)}

    def close(self) -> None:
        """Refuse to run from now on, as a real session does."""
        self._closed = True


def _unit(seed: bytes, dim: int) -> NDArray[np.float64]:
    drawn = np.frombuffer(hashlib.shake_256(seed).digest(2 * dim), dtype="<u2").astype(np.int64)
    odd = 2 * drawn - 65535
    # Odd numbers: never 0. Their squares sum exactly, up to dimensions of two million.
    unit: NDArray[np.float64] = odd / np.sqrt(np.float64(np.square(odd).sum()))
    return unit
