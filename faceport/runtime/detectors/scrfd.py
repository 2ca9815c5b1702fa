"""SCRFD: scores, distances to the four sides, and points, from one or two anchors a cell.

Formulas: Guo et al., "Sample and Computation Redistribution for Efficient Face Detection"
(arXiv:2105.04714), and `python-package/insightface/model_zoo/scrfd.py` of deepinsight/insightface.
"""

from __future__ import annotations

import numpy as np

from faceport.runtime.detectors.candidates import Candidates, Outputs, joined
from faceport.runtime.detectors.levels import Grid, named, passing, rows_of, shaped
from faceport.spec import DetectorSpec

POINTS = 5


class ScrfdDecoder:
    """Outputs a stride: scores (cells × anchors, 1), boxes (…, 4), landmarks (…, 10) if any.

    Scores are probabilities already. Distances and points are in strides, from the cell's corner
    (column × stride, row × stride), and the anchors of a cell follow one another.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        count = len(spec.strides)
        self._strides = spec.strides
        self._anchors = spec.anchors_per_cell
        self._scores = named(spec, "scores", count)
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
        count = grid.cells * self._anchors
        scores = shaped(outputs, self._scores[level], count)
        distances = shaped(outputs, self._boxes[level], count, 4)
        kept = passing(scores, score_threshold)
        centres = grid.positions(kept // self._anchors) * grid.stride
        reach = rows_of(distances, kept) * grid.stride
        boxes = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1)
        landmarks = None
        if self._landmarks:
            offsets = shaped(outputs, self._landmarks[level], count, POINTS, 2)
            landmarks = centres[:, None] + rows_of(offsets, kept) * grid.stride
        return Candidates(boxes, rows_of(scores, kept), landmarks)
