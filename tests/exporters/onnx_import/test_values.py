"""Outputs of the right shapes with the wrong values."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.errors import ExportError
from faceport.exporters.onnx_import.values import check_values
from faceport.spec import DetectorSpec

ANCHORS = 8 * 8 + 4 * 4 + 2 * 2
ROWS = DetectorSpec("yolov8-face", (8, 16, 32), {"concatenated": ("o",)}, keypoints=0)
SCRFD = DetectorSpec("scrfd", (32,), {"scores": ("s",), "boxes": ("b",)}, keypoints=0)


def rows(score: float = 0.5, box: float = 40.0) -> dict[str, NDArray[np.float32]]:
    array = np.full((1, 5, ANCHORS), box, np.float32)
    array[0, 4] = score
    return {"o": array}


def table(score: float) -> dict[str, NDArray[np.float32]]:
    return {"s": np.full((4, 1), score, np.float32), "b": np.full((4, 4), 30.0, np.float32)}


def test_sound_values_pass() -> None:
    check_values(ROWS, rows(), 64, 64)
    for score in (0.0, 0.3, 1.0, 1.0005, -0.0005):
        check_values(SCRFD, table(score), 64, 64)


@pytest.mark.parametrize("score", [-0.5, 1.5, 30.0])
def test_logits_are_no_probabilities(score: float) -> None:
    with pytest.raises(ExportError, match="scores in output 'o' are no probabilities"):
        check_values(ROWS, rows(score), 64, 64)
    with pytest.raises(ExportError, match="scores in output 's' are no probabilities"):
        check_values(SCRFD, table(score), 64, 64)


def test_objectness_is_checked_too() -> None:
    roles = {"scores": ("s",), "objectness": ("o",), "boxes": ("b",)}
    spec = replace(SCRFD, decoder="yunet", outputs=roles)
    outputs = {**table(0.5), "o": np.full((4, 1), -3.0, np.float32)}
    with pytest.raises(ExportError, match="scores in output 'o'"):
        check_values(spec, outputs, 64, 64)


def test_fractions_are_no_pixels() -> None:
    with pytest.raises(ExportError, match="are fractions of the input's size"):
        check_values(ROWS, rows(box=0.9), 64, 64)
