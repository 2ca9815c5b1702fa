"""YOLOv8-face: the raw maps of the three strides, or the one output of Ultralytics' exporter.

Formulas: `Detect` and `Pose` in ultralytics/nn/modules/head.py and `dist2bbox` in
ultralytics/utils/tal.py of ultralytics/ultralytics; the distribution over bins is that of Li et
al., "Generalized Focal Loss" (arXiv:2006.04388). In `Pose` a keypoint is
`(2 v + anchor - 0.5) × stride` and the anchor is `cell + 0.5`: hence `(2 v + cell) × stride` here.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import SessionError
from faceport.runtime.detectors.candidates import Candidates, Decoder, Outputs, joined
from faceport.runtime.detectors.levels import Grid, named, passing, rows_of, shaped
from faceport.runtime.types import Float
from faceport.spec import DetectorSpec

POINTS = 5
BINS = 16
SIDES = 4
KEYPOINT_VALUES = (0, 2 * POINTS, 3 * POINTS)
"""Values of the keypoints: none, x and y, or x, y and visibility."""


def yolov8_face_decoder(spec: DetectorSpec) -> Decoder:
    """Make the decoder of the form that the spec names: role `concatenated`, or role `maps`."""
    return ConcatenatedDecoder(spec) if "concatenated" in spec.outputs else MapsDecoder(spec)


class MapsDecoder:
    """One map a stride: (64 + 1 + keypoints, rows, columns).

    64 channels are 4 sides × 16 bins: the distance to a side, in cells, is the mean of the bins'
    numbers under their softmax, taken from the cell's centre. Then the logit of the one class, then
    x, y (and visibility) of each point.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        self._strides = spec.strides
        self._keypoints = spec.keypoints
        self._maps = named(spec, "maps", len(spec.strides))

    def decode(
        self, outputs: Outputs, height: int, width: int, score_threshold: float
    ) -> Candidates:
        """Decode the outputs of one picture; see `Decoder.decode`."""
        grids = [Grid.of(height, width, stride) for stride in self._strides]
        return joined(
            [
                self._level(outputs, name, grid, score_threshold)
                for name, grid in zip(self._maps, grids, strict=True)
            ]
        )

    def _level(self, outputs: Outputs, name: str, grid: Grid, score_threshold: float) -> Candidates:
        channels = shaped(outputs, name, -1, grid.cells)
        _check_channels(name, channels, SIDES * BINS + 1, self._keypoints)
        scores = _sigmoid(channels[SIDES * BINS].astype(np.float32))
        kept = passing(scores, score_threshold)
        values = rows_of(channels.T, kept)
        cells = grid.positions(kept)
        reach = _expected_bin(values[:, : SIDES * BINS].reshape(-1, SIDES, BINS))
        centres = cells + np.float32(0.5)
        corners = np.concatenate([centres - reach[:, :2], centres + reach[:, 2:]], axis=1)
        landmarks = None
        if self._keypoints:
            points = _points(values[:, SIDES * BINS + 1 :])
            landmarks = (points * 2 + cells[:, None]) * grid.stride
        return Candidates(corners * grid.stride, scores[kept], landmarks)


class ConcatenatedDecoder:
    """One output (4 + 1 + keypoints, anchors): centre x y, width, height, score, points.

    All in input pixels, the score a probability: the graph has decoded itself.
    """

    def __init__(self, spec: DetectorSpec) -> None:
        self._strides = spec.strides
        self._keypoints = spec.keypoints
        (self._name,) = named(spec, "concatenated", 1)

    def decode(
        self, outputs: Outputs, height: int, width: int, score_threshold: float
    ) -> Candidates:
        """Decode the output of one picture; see `Decoder.decode`."""
        anchors = sum(Grid.of(height, width, stride).cells for stride in self._strides)
        channels = shaped(outputs, self._name, -1, anchors)
        _check_channels(self._name, channels, SIDES + 1, self._keypoints)
        kept = passing(channels[SIDES], score_threshold)
        values = rows_of(channels.T, kept)
        centres, half = values[:, :2], values[:, 2:SIDES] / 2
        boxes = np.concatenate([centres - half, centres + half], axis=1)
        landmarks = _points(values[:, SIDES + 1 :]) if self._keypoints else None
        return Candidates(boxes, values[:, SIDES], landmarks)


def _check_channels(name: str, channels: NDArray[Any], base: int, keypoints: int) -> None:
    fitting = [base + values for values in KEYPOINT_VALUES if values or not keypoints]
    if len(channels) not in fitting:
        raise SessionError(
            f"output {name!r} of the detector does not fit its spec",
            received=f"{len(channels)} channels",
            expected=" or ".join(str(number) for number in fitting),
            fix="import the ONNX file again; one class (face) is supported",
        )


def _points(values: Float) -> Float:
    """Return (N, 5, 2): x and y of (N, 10) or (N, 15), the visibility left out."""
    return values.reshape(len(values), POINTS, values.shape[1] // POINTS)[..., :2]


def _expected_bin(logits: Float) -> Float:
    """Return (N, 4), the mean bin number under the softmax of (N, 4, 16)."""
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    means: Float = weights @ np.arange(BINS, dtype=np.float32) / weights.sum(axis=2)
    return means


def _sigmoid(logits: Float) -> Float:
    # By way of tanh, which does not overflow.
    probabilities: Float = np.tanh(logits * np.float32(0.5)) * np.float32(0.5) + np.float32(0.5)
    return probabilities
