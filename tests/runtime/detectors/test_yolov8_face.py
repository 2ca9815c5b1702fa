"""YOLOv8-face: raw maps, and the concatenated output computed from them as Ultralytics does."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.errors import SessionError, SpecError
from faceport.images import load_image
from faceport.runtime.detectors import FaceDetector, limits_of, make_decoder
from faceport.runtime.detectors.candidates import Candidates
from faceport.runtime.detectors.yolov8_face import yolov8_face_decoder
from faceport.spec import DetectorSpec

STRIDES = (8, 16, 32)
MAPS = DetectorSpec(decoder="yolov8-face", strides=STRIDES, outputs={"maps": ("m8", "m16", "m32")})
ROWS = replace(MAPS, outputs={"concatenated": ("output0",)})
Arrays = Mapping[str, NDArray[np.floating]]


def made(height: int, width: int, channels: int = 80, seed: int = 0) -> Arrays:
    rng = np.random.default_rng(seed)
    return {
        f"m{stride}": rng.normal(0, 2, (1, channels, height // stride, width // stride)).astype(
            np.float32
        )
        for stride in STRIDES
    }


def concatenated(maps: list[NDArray[np.floating]], values: int = 3) -> NDArray[np.float64]:
    """What Ultralytics' exporter puts into the graph, in float64: (1, 4 + 1 + 5 × values, anchors).

    Written from `make_anchors`, `DFL`, `dist2bbox(xywh=True)` and `kpts_decode`, as they are there:
    anchors at cell + 0.5, keypoints `(2 v + anchor - 0.5) × stride`.
    """
    columns = []
    for stride, array in zip(STRIDES, maps, strict=True):
        batch, channels, rows, width = array.shape
        flat = array.reshape(batch, channels, rows * width).astype(np.float64)
        anchor_y, anchor_x = (grid.ravel() + 0.5 for grid in np.mgrid[:rows, :width])
        bins = np.exp(flat[:, :64]).reshape(batch, 4, 16, -1)
        share = bins / bins.sum(axis=2, keepdims=True)
        left, top, right, bottom = np.moveaxis(np.einsum("nsba,b->nsa", share, range(16)), 1, 0)
        x1, y1, x2, y2 = anchor_x - left, anchor_y - top, anchor_x + right, anchor_y + bottom
        box = np.stack([(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1], axis=1) * stride
        score = 1 / (1 + np.exp(-flat[:, 64:65]))
        points = flat[:, 65:].reshape(batch, -1, 3, rows * width).copy()
        points[:, :, 0] = (points[:, :, 0] * 2 + (anchor_x - 0.5)) * stride
        points[:, :, 1] = (points[:, :, 1] * 2 + (anchor_y - 0.5)) * stride
        points[:, :, 2] = 1 / (1 + np.exp(-points[:, :, 2]))
        kept = points[:, :, :values].reshape(batch, -1, rows * width)
        columns.append(np.concatenate([box, score, kept], axis=1))
    return np.concatenate(columns, axis=2)


def rows_of(array: NDArray[np.float64], threshold: float, values: int) -> Candidates:
    """Candidates of the concatenated output, one anchor at a time."""
    boxes, scores, points = [], [], []
    for anchor in array[0].T:
        if anchor[4] < threshold:
            continue
        x, y, w, h = anchor[:4]
        boxes.append([x - w / 2, y - h / 2, x + w / 2, y + h / 2])
        scores.append(anchor[4])
        points.append([anchor[5 + k * values : 7 + k * values] for k in range(5)])
    return Candidates(np.array(boxes), np.array(scores), np.array(points))


def same(found: Candidates, expected: Candidates, tolerance: float = 1e-3) -> None:
    assert len(expected.scores) > 10
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=tolerance)
    np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)
    np.testing.assert_allclose(found.landmarks, expected.landmarks, atol=tolerance)


@pytest.mark.parametrize("size", [(64, 96), (96, 64)])
def test_maps_equal_the_reference(size: tuple[int, int]) -> None:
    maps = made(*size)
    expected = rows_of(concatenated(list(maps.values())), 0.9, 3)
    same(yolov8_face_decoder(MAPS).decode(maps, *size, 0.9), expected)


@pytest.mark.parametrize("values", [2, 3], ids=["x y", "x y visibility"])
def test_the_concatenated_output_equals_the_reference(values: int) -> None:
    array = concatenated(list(made(64, 96).values()), values)
    assert array.shape == (1, 5 + 5 * values, 126)
    outputs = {"output0": array.astype(np.float32)}
    found = yolov8_face_decoder(ROWS).decode(outputs, 64, 96, 0.9)
    same(found, rows_of(array, 0.9, values))


def test_maps_of_two_values_a_keypoint() -> None:
    maps = made(64, 64)
    # Channels 65.. are x y visibility; leave the visibilities out.
    kept = [c for c in range(80) if c < 65 or (c - 65) % 3 != 2]
    short = {name: array[:, kept] for name, array in maps.items()}
    assert short["m8"].shape[1] == 75
    decoder = yolov8_face_decoder(MAPS)
    same(decoder.decode(short, 64, 64, 0.9), decoder.decode(maps, 64, 64, 0.9), 0.0)


@pytest.mark.parametrize("spec", [MAPS, ROWS], ids=["maps", "concatenated"])
def test_without_keypoints_there_are_no_landmarks(spec: DetectorSpec) -> None:
    maps = made(64, 64)
    full = rows_of(concatenated(list(maps.values())), 0.9, 3)
    outputs: Arrays = {name: array[:, :65] for name, array in maps.items()}
    if spec is ROWS:
        outputs = {"output0": concatenated(list(maps.values()))[:, :5].astype(np.float32)}
    found = yolov8_face_decoder(replace(spec, keypoints=0)).decode(outputs, 64, 64, 0.9)
    assert found.landmarks is None
    np.testing.assert_allclose(found.boxes, full.boxes, atol=1e-3)


def test_extreme_logits_overflow_nothing() -> None:
    maps = {name: array * 1e4 for name, array in made(64, 64).items()}
    found = yolov8_face_decoder(MAPS).decode(maps, 64, 64, 0.5)
    assert set(found.scores.tolist()) == {1.0}
    assert np.isfinite(found.boxes).all()


@pytest.mark.parametrize("channels", [64, 66, 84, 144])
def test_maps_of_other_heads_are_an_error(channels: int) -> None:
    with pytest.raises(SessionError, match=f"received {channels} channels"):
        yolov8_face_decoder(MAPS).decode(made(64, 64, channels), 64, 64, 0.5)


def test_keypoints_that_the_spec_promises_must_be_there() -> None:
    with pytest.raises(SessionError, match="received 65 channels; expected 75 or 80"):
        yolov8_face_decoder(MAPS).decode(made(64, 64, 65), 64, 64, 0.5)


def test_a_score_that_is_not_a_number_is_an_error() -> None:
    maps = made(64, 64)
    maps["m8"][0, 64, 1, 1] = np.nan
    with pytest.raises(SessionError, match="scores are not numbers"):
        yolov8_face_decoder(MAPS).decode(maps, 64, 64, 0.5)


def test_a_spec_without_outputs_is_refused() -> None:
    with pytest.raises(SpecError, match="role 'maps'"):
        yolov8_face_decoder(replace(MAPS, outputs={}))


@pytest.mark.parametrize("values", [0, 2, 3], ids=["no keypoints", "x y", "x y visibility"])
def test_a_graph_that_decodes_itself_finds_the_same_faces(
    opened: dict[str, FaceDetector],
    photos: Path,
    session_double: Callable[..., object],
    values: int,
) -> None:
    real = opened["yolov8-face"]
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    names = real.spec.detector.outputs["maps"]

    def decoding(tensor: NDArray[np.float32]) -> Arrays:
        outputs = real.session.run({"images": tensor})
        array = concatenated([outputs[name] for name in names], values or 3)
        return {"output0": array[:, : 5 + 5 * values].astype(np.float32)}

    detector = replace(
        real.spec.detector,
        outputs={"concatenated": ("output0",)},
        keypoints=5 if values else 0,
    )
    spec = replace(real.spec, detector=detector)
    other = FaceDetector(
        session_double(decoding), spec, make_decoder(detector), limits_of(detector)
    )
    expected, found = real.detect([image])[0], other.detect([image])[0]
    assert len(found) == len(expected) == 6
    for face, same_face in zip(found, expected, strict=True):
        np.testing.assert_allclose(face.bbox, same_face.bbox, atol=0.01)
        assert face.score == pytest.approx(same_face.score, abs=1e-5)
        if values:
            np.testing.assert_allclose(face.landmarks, same_face.landmarks, atol=0.01)
        else:
            assert face.landmarks is None
