"""From candidates in input pixels to the faces of a picture."""

from __future__ import annotations

import numpy as np

from faceport.errors import SessionError
from faceport.runtime.detectors.candidates import Candidates
from faceport.runtime.detectors.limits import DetectionLimits
from faceport.runtime.letterbox import Float64, Letterbox
from faceport.runtime.nms import nms
from faceport.runtime.types import Detection


def faces_of(candidates: Candidates, place: Letterbox, limits: DetectionLimits) -> list[Detection]:
    """Suppress doubles, move to the picture, clip, and apply the limits; best score first.

    Boxes are clipped to the frame and left out where nothing of them is in it. Landmarks are not
    clipped: a face at the border has its true geometry.

    Raises:
        SessionError: a box or landmark is not finite.
    """
    if not len(candidates.scores):
        return []
    _check_finite(candidates)
    kept = nms(candidates.boxes, candidates.scores, limits.nms_threshold)
    boxes = _clipped(place.to_image(candidates.boxes[kept].reshape(-1, 2, 2)), place)
    sides = (boxes[:, 1] - boxes[:, 0]).min(axis=1)
    large = np.flatnonzero((sides > 0) & (sides >= limits.min_size))
    if limits.max_faces:
        large = large[: limits.max_faces]
    corners = boxes[large].reshape(-1, 4).astype(np.float32)
    scores = candidates.scores[kept[large]].tolist()
    if candidates.landmarks is None:
        return [Detection(box, score) for box, score in zip(corners, scores, strict=True)]
    points = place.to_image(candidates.landmarks[kept[large]]).astype(np.float32)
    return [Detection(*face) for face in zip(corners, scores, points, strict=True)]


def _clipped(corners: Float64, place: Letterbox) -> Float64:
    """Clip (N, 2, 2) corners, x y, to the frame of the picture."""
    most = np.array([place.image_width, place.image_height], np.float64)
    return corners.clip(0.0, most)


def _check_finite(candidates: Candidates) -> None:
    landmarks = candidates.landmarks
    if np.isfinite(candidates.boxes).all() and (landmarks is None or np.isfinite(landmarks).all()):
        return
    raise SessionError(
        "the detector's boxes or landmarks are not finite numbers",
        fix="the model overflows at its precision: use the fp32 artefact",
    )
