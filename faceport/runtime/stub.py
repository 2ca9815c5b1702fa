"""The stub detector and embedder: a pipeline without models. See `sessions.stub`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from faceport.images import Image
from faceport.runtime.fuse import fuse_by_norm, mirrored
from faceport.runtime.sessions.stub import (
    STUB_DIM,
    STUB_INPUT,
    STUB_OUTPUT,
    StubSession,
    stub_fingerprint,
    stub_vectors,
)
from faceport.runtime.types import Detection, Embedding

STUB = "stub"
"""The name by which a caller asks for the stub in place of a model."""


class StubWarning(UserWarning):
    """The stub stands in for a model that could not be loaded."""


class StubDetector:
    """Takes each whole picture for one face, with score 1 and no landmarks."""

    provider = "stub/none"
    is_stub = True

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Return one detection a picture."""
        return [[_whole(image.width, image.height)] for image in images]

    def close(self) -> None:
        """Do nothing; there is nothing to free."""


class StubEmbedder:
    """Hashes the pixels inside each box into a unit vector; the norm is 1.

    The colour order of an array does not matter: its pixels are hashed as RGB.
    """

    is_stub = True

    def __init__(self, dim: int = STUB_DIM) -> None:
        self.dim = dim
        self.fingerprint = stub_fingerprint(dim)
        self._session = StubSession(dim)
        self.provider = f"{self._session.backend}/{self._session.provider}"

    def embed(
        self, faces: Sequence[tuple[Image, Detection]], *, flip: bool = False
    ) -> list[Embedding]:
        """Embed faces; with `flip`, fused with their mirror images as a model's are."""
        return [self._embed(image, detection, flip) for image, detection in faces]

    def embed_bytes(self, data: bytes) -> Embedding:
        """Embed bytes that are no picture."""
        return self._embedding(stub_vectors([data], self.dim)[0], 1.0)

    def close(self) -> None:
        """Refuse to run from now on."""
        self._session.close()

    def _embed(self, image: Image, detection: Detection, flip: bool) -> Embedding:
        pixels = _inside(image, detection)[None]
        vector = self._run(pixels)
        if not flip:
            return self._embedding(vector[0], 1.0)
        pair = np.stack([vector, self._run(mirrored(pixels))])
        fused, norms = fuse_by_norm(pair, np.ones(pair.shape[:2], np.float32))
        return self._embedding(fused[0], float(norms[0]))

    def _run(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        return self._session.run({STUB_INPUT: pixels})[STUB_OUTPUT].astype(np.float32)

    def _embedding(self, vector: NDArray[np.float32], norm: float) -> Embedding:
        return Embedding(vector, norm, self.fingerprint, self.provider, is_stub=True)


def whole_of_bytes() -> Detection:
    """Return the detection that stands for bytes that are no picture: a box of size 0."""
    return _whole(0, 0)


def _whole(width: int, height: int) -> Detection:
    return Detection(np.array([0, 0, width, height], np.float32), 1.0)


def _inside(image: Image, detection: Detection) -> NDArray[np.uint8]:
    """Return the pixels in the box, at least one, as RGB."""
    x1, y1, x2, y2 = (float(v) for v in np.nan_to_num(detection.bbox))
    left = min(max(math.floor(x1), 0), image.width - 1)
    top = min(max(math.floor(y1), 0), image.height - 1)
    right = max(min(math.ceil(x2), image.width), left + 1)
    bottom = max(min(math.ceil(y2), image.height), top + 1)
    return image.in_order("rgb")[top:bottom, left:right]
