"""What the runtime gives back: frozen, numpy only.

Pixel coordinates have their origin at the picture's upper left corner, x to the right and y down,
after the EXIF orientation was applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from faceport.images import Image

Float = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Detection:
    """One face in a picture.

    Attributes:
        bbox: (4,) float32, x1 y1 x2 y2 in pixels of the picture.
        score: confidence, 0 to 1.
        landmarks: (5, 2) float32, x y in pixels: the eye and the mouth corner that lie left in the
            picture come before the right ones (left eye, right eye, nose tip, left mouth corner,
            right mouth corner, as seen by the viewer), or None.
    """

    bbox: Float
    score: float
    landmarks: Float | None = None


@dataclass(frozen=True, eq=False)
class Embedding:
    """A face as a point of one embedder's space.

    Attributes:
        vector: (D,) float32 of length 1.
        norm: the length before normalisation, which AdaFace uses as image quality; 1.0 where an
            imported graph normalises by itself and does not give the length.
        fingerprint: of the embedder that made it; vectors of different fingerprints do not compare.
        provider: what ran, as `backend/provider`.
        is_stub: made without a model, for tests and wiring only.
        extras: further outputs of the model for this face, by name (an occlusion map, say).
    """

    vector: Float
    norm: float
    fingerprint: str
    provider: str
    is_stub: bool = False
    extras: Mapping[str, NDArray[np.generic]] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class Face:
    """A detection and its embedding."""

    detection: Detection
    embedding: Embedding


class Detector(Protocol):
    """Finds faces: one list a picture, best score first; no face is an empty list."""

    @property
    def provider(self) -> str:
        """What runs, as `backend/provider`."""

    def detect(self, images: Sequence[Image]) -> list[list[Detection]]:
        """Find the faces of every picture."""


class Embedder(Protocol):
    """Turns faces into embeddings of one space."""

    @property
    def fingerprint(self) -> str:
        """Identity of the embedding space."""

    @property
    def dim(self) -> int:
        """Length of the vectors."""

    @property
    def provider(self) -> str:
        """What runs, as `backend/provider`."""

    @property
    def is_stub(self) -> bool:
        """Whether the vectors are made without a model."""

    def embed(
        self, faces: Sequence[tuple[Image, Detection]], *, flip: bool = False
    ) -> list[Embedding]:
        """Embed faces, given as the picture and where in it; `flip` fuses the mirror image in."""
