"""What a decoder gives: boxes in input pixels, before suppression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from faceport.runtime.types import Float
from faceport.spec import DetectorSpec

Outputs = Mapping[str, NDArray[Any]]


@dataclass(frozen=True, eq=False)
class Candidates:
    """Boxes whose score reaches the threshold, several a face.

    Attributes:
        boxes: (N, 4) float32, x1 y1 x2 y2 in input pixels.
        scores: (N,) float32, 0 to 1.
        landmarks: (N, 5, 2) float32, x y in input pixels, or None.
    """

    boxes: Float
    scores: Float
    landmarks: Float | None


class Decoder(Protocol):
    """Turns one family's outputs into candidates."""

    def decode(
        self, outputs: Outputs, height: int, width: int, score_threshold: float
    ) -> Candidates:
        """Decode the outputs of one picture.

        Args:
            outputs: by name; a batch axis of 1 may be there or not.
            height: of the input, pixels.
            width: of the input, pixels.
            score_threshold: candidates below it are left out before anything else is computed.

        Raises:
            SessionError: an output is missing, not a number, or of another size.
        """


class DecoderFactory(Protocol):
    """Makes a decoder from a spec."""

    def __call__(self, spec: DetectorSpec) -> Decoder:
        """Make it.

        Raises:
            SpecError: the spec names other outputs than the decoder needs.
        """


def joined(parts: Sequence[Candidates]) -> Candidates:
    """Put the candidates of all strides together; all have landmarks or none has."""
    landmarks = [part.landmarks for part in parts if part.landmarks is not None]
    return Candidates(
        np.concatenate([part.boxes for part in parts]),
        np.concatenate([part.scores for part in parts]),
        np.concatenate(landmarks) if landmarks else None,
    )
