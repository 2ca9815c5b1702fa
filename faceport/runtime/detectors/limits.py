"""Which candidates count as faces."""

from __future__ import annotations

import math
from dataclasses import dataclass

from faceport.errors import InputError
from faceport.spec import DetectorSpec


@dataclass(frozen=True)
class DetectionLimits:
    """Thresholds of a detector.

    Attributes:
        score_threshold: lowest score of a face, 0 to 1.
        nms_threshold: two boxes that overlap by more (intersection over union, 0 to 1) are one
            face.
        max_faces: most faces a picture, the best by score; 0 is no limit.
        min_size: shortest side of a face, pixels of the picture, after clipping to the frame.
    """

    score_threshold: float
    nms_threshold: float
    max_faces: int = 0
    min_size: float = 0.0

    def __post_init__(self) -> None:
        for name in ("score_threshold", "nms_threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(name, received=getattr(self, name), expected="0 to 1")
        if self.max_faces < 0:
            raise InputError("max_faces", received=self.max_faces, expected="0 (no limit) or more")
        if not (math.isfinite(self.min_size) and self.min_size >= 0):
            raise InputError("min_size", received=self.min_size, expected="0 or more pixels")


def limits_of(
    spec: DetectorSpec,
    *,
    score_threshold: float | None = None,
    nms_threshold: float | None = None,
    max_faces: int | None = None,
    min_size: float | None = None,
) -> DetectionLimits:
    """Return a spec's own limits, overruled where a value is given.

    Raises:
        InputError: a value is out of its range.
    """
    return DetectionLimits(
        spec.score_threshold if score_threshold is None else score_threshold,
        spec.nms_threshold if nms_threshold is None else nms_threshold,
        spec.max_faces if max_faces is None else max_faces,
        spec.min_size if min_size is None else min_size,
    )
