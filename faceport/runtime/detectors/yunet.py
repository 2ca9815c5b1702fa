"""YuNet: class score and objectness, box centre and size, and points, one anchor a cell.

Formulas: Wu et al., "YuNet: A Tiny Millisecond-level Face Detector" (2023), as decoded by OpenCV's
`FaceDetectorYN` (modules/objdetect/src/face_detect.cpp) and ShiqiYu/libfacedetection.train.
"""

from __future__ import annotations

import numpy as np

from faceport.runtime.detectors.candidates import Candidates, Outputs, joined
from faceport.runtime.detectors.levels import Grid, named, passing, rows_of, shaped
from faceport.runtime.types import Float
from faceport.spec import DetectorSpec

POINTS = 5


class YunetDecoder:
    """Outputs a stride: scores and objectness (cells, 1), boxes (cells, 4), landmarks (cells, 10).

    The score is the geometric mean of class score and objectness, each clipped to 0 to 1. In cells,
    the centre is `cell + box[:2]`, the size `exp(box[2:])`, and a point `cell + point`.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        count = len(spec.strides)
        self._strides = spec.strides
        self._scores = named(spec, "scores", count)
        self._objectness = named(spec, "objectness", count)
        self._boxes = named(spec, "boxes", count)
        self._landmarks = named(spec, "landmarks", count) if spec.keypoints else ()

    def decode(
        self, outputs: Outputs, height: int, width: int, score_threshold: float
    ) -> Candidates:
        """Decode the outputs of one picture; see `Decoder.decode`."""
        levels = range(len(self._strides))
        grids = [Grid.of(height, width, stride) for stride in self._strides]
        return joined([self._level(outputs, i, grids[i], score_threshold) for i in levels])

    def _level(
        self, outputs: Outputs, level: int, grid: Grid, score_threshold: float
    ) -> Candidates:
        scores = self._level_scores(outputs, level, grid)
        boxes = shaped(outputs, self._boxes[level], grid.cells, 4)
        kept = passing(scores, score_threshold)
        cells = grid.positions(kept)
        shape = rows_of(boxes, kept)
        centres = (cells + shape[:, :2]) * grid.stride
        # A wild exponent gives infinity, which the frame refuses with a message.
        with np.errstate(over="ignore"):
            half = np.exp(shape[:, 2:]) * (grid.stride / 2)
        landmarks = None
        if self._landmarks:
            offsets = shaped(outputs, self._landmarks[level], grid.cells, POINTS, 2)
            landmarks = (cells[:, None] + rows_of(offsets, kept)) * grid.stride
        corners = np.concatenate([centres - half, centres + half], axis=1)
        return Candidates(corners, scores[kept], landmarks)

    def _level_scores(self, outputs: Outputs, level: int, grid: Grid) -> Float:
        classes = shaped(outputs, self._scores[level], grid.cells).astype(np.float32)
        objects = shaped(outputs, self._objectness[level], grid.cells).astype(np.float32)
        scores: Float = np.sqrt(classes.clip(0, 1) * objects.clip(0, 1))
        return scores
