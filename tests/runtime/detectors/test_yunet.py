"""YuNet's decoder against a loop in float64, and against OpenCV's own on a photograph."""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.errors import SessionError
from faceport.images import Image, load_image
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.detectors.yunet import YunetDecoder
from faceport.spec import DetectorSpec

STRIDES = (8, 16, 32)
SPEC = DetectorSpec(
    decoder="yunet",
    strides=STRIDES,
    outputs={
        "scores": ("c8", "c16", "c32"),
        "objectness": ("o8", "o16", "o32"),
        "boxes": ("b8", "b16", "b32"),
        "landmarks": ("k8", "k16", "k32"),
    },
)
Outputs = dict[str, NDArray[np.float32]]


def made(height: int, width: int, seed: int = 0) -> Outputs:
    rng = np.random.default_rng(seed)
    outputs = {}
    for stride in STRIDES:
        count = (height // stride) * (width // stride)
        # A little outside 0 to 1, as rounding in a graph gives it.
        outputs[f"c{stride}"] = rng.uniform(-0.1, 1.1, (1, count, 1)).astype(np.float32)
        outputs[f"o{stride}"] = rng.uniform(-0.1, 1.1, (1, count, 1)).astype(np.float32)
        outputs[f"b{stride}"] = rng.uniform(-2, 2, (1, count, 4)).astype(np.float32)
        outputs[f"k{stride}"] = rng.uniform(-3, 3, (1, count, 10)).astype(np.float32)
    return outputs


def reference(outputs: Outputs, height: int, width: int, threshold: float) -> list[list[float]]:
    rows = []
    for stride in STRIDES:
        columns = width // stride
        for cell in range((height // stride) * columns):
            column, row = cell % columns, cell // columns
            values = {
                name: [float(v) for v in outputs[f"{name}{stride}"][0, cell]] for name in "cobk"
            }
            parts = [min(max(values[name][0], 0.0), 1.0) for name in "co"]
            score = math.sqrt(parts[0] * parts[1])
            if score < threshold:
                continue
            dx, dy, dw, dh = values["b"]
            x, y = (column + dx) * stride, (row + dy) * stride
            w, h = math.exp(dw) * stride, math.exp(dh) * stride
            points = [(v + (row if i % 2 else column)) * stride for i, v in enumerate(values["k"])]
            rows.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2, score, *points])
    return rows


@pytest.mark.parametrize("size", [(64, 96), (96, 64)])
def test_equals_the_loop(size: tuple[int, int]) -> None:
    outputs = made(*size)
    # Not a score of any anchor, so that the last bit of a square root decides nothing.
    expected = np.array(reference(outputs, *size, 0.70001))
    found = YunetDecoder(SPEC).decode(outputs, *size, 0.70001)
    assert 10 < len(expected) < sum(a.size for n, a in outputs.items() if n[0] == "c")
    np.testing.assert_allclose(found.boxes, expected[:, :4], atol=1e-3)
    np.testing.assert_allclose(found.scores, expected[:, 4], rtol=1e-6)
    np.testing.assert_allclose(found.landmarks.reshape(-1, 10), expected[:, 5:], atol=1e-3)
    assert found.scores.max() <= 1


def test_class_score_and_objectness_may_change_places() -> None:
    # The importer tells outputs by their shapes, and these two have the same.
    outputs = made(64, 64)
    swapped = dict(outputs)
    for stride in STRIDES:
        swapped[f"c{stride}"], swapped[f"o{stride}"] = outputs[f"o{stride}"], outputs[f"c{stride}"]
    first = YunetDecoder(SPEC).decode(outputs, 64, 64, 0.5)
    second = YunetDecoder(SPEC).decode(swapped, 64, 64, 0.5)
    np.testing.assert_array_equal(first.boxes, second.boxes)
    np.testing.assert_array_equal(first.scores, second.scores)


def test_a_wild_exponent_is_infinite_and_no_warning() -> None:
    outputs = made(64, 64)
    outputs["b8"][0, :, 2] = 200
    assert np.isinf(YunetDecoder(SPEC).decode(outputs, 64, 64, 0.5).boxes).any()


def test_objectness_that_is_not_a_number_is_an_error() -> None:
    outputs = made(64, 64)
    outputs["o32"][0, 0] = np.nan
    with pytest.raises(SessionError, match="scores are not numbers"):
        YunetDecoder(SPEC).decode(outputs, 64, 64, 0.5)


def test_equals_opencv_on_a_photograph(
    opened: dict[str, FaceDetector], weights: Path, photos: Path
) -> None:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    # A size that needs neither scaling nor padding, so that only the decoding is compared.
    pixels = np.ascontiguousarray(cv2.resize(image.in_order("bgr"), (1024, 704)))
    found = opened["yunet"].detect([Image(pixels, "bgr")])[0]
    theirs = cv2.FaceDetectorYN.create(
        str(weights / "yunet_n_dynamic.onnx"), "", (1024, 704), 0.7, 0.3
    )
    _, rows = theirs.detect(pixels)
    assert len(found) == len(rows) == 6
    rows = rows[np.argsort(-rows[:, 14])]
    for face, row in zip(found, rows, strict=True):
        x, y, w, h = row[:4]
        np.testing.assert_allclose(face.bbox, [x, y, x + w, y + h], atol=0.01)
        np.testing.assert_allclose(face.landmarks, row[4:14].reshape(5, 2), atol=0.01)
        assert face.score == pytest.approx(row[14], abs=1e-4)
