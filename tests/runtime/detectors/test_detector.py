"""The frame: what goes into the session, in which batches, and what comes back for whom."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from faceport.errors import SessionError
from faceport.images import Image
from faceport.runtime.detectors import FaceDetector, limits_of, make_decoder
from faceport.runtime.detectors.detector import BATCH
from faceport.spec import DetectorSpec, PreprocessSpec

PREPROCESS = PreprocessSpec(
    height=64,
    width=64,
    color_order="rgb",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    geometry="letterbox",
)
DETECTOR = DetectorSpec(
    decoder="yolov8-face",
    strides=(8, 16, 32),
    outputs={"concatenated": ("out",)},
    keypoints=0,
)
ANCHORS = 8 * 8 + 4 * 4 + 2 * 2


def red_of_each(tensor: NDArray[np.float32]) -> Mapping[str, NDArray[np.float32]]:
    """One face a picture, as wide as its upper left pixel is red (0-255, in quarters)."""
    out = np.zeros((len(tensor), 5, ANCHORS), np.float32)
    for index, picture in enumerate(tensor):
        red = picture[0, 0, 0] / 4
        out[index, :, 3] = [red / 2, 10, red, 20, 0.9]
    return {"out": out}


def picture(red: int, height: int = 64, width: int = 64) -> Image:
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[..., 0] = red
    return Image(pixels, "rgb")


@pytest.fixture
def build(session_double: Callable[..., object], spec_of: Callable[..., object]):
    def make(max_batch: int | None = None, **changes: object) -> FaceDetector:
        spec = spec_of(DETECTOR, replace(PREPROCESS, **changes), max_batch)
        return FaceDetector(
            session_double(red_of_each), spec, make_decoder(DETECTOR), limits_of(DETECTOR)
        )

    return make


def test_each_picture_gets_its_own_faces(build: Callable[..., FaceDetector]) -> None:
    detector = build()
    reds = [40, 80, 120, 160, 200]
    found = detector.detect([picture(red) for red in reds])
    assert [faces[0].bbox[2] for faces in found] == [red / 4 for red in reds]
    assert [fed.shape[0] for fed in detector.session.fed] == [5]


def test_pictures_of_different_sizes_share_a_run(build: Callable[..., FaceDetector]) -> None:
    detector = build()
    found = detector.detect([picture(80), picture(80, 128, 128), picture(80, 32, 16)])
    # The same box in input pixels is twice as wide in a picture twice as large.
    assert [faces[0].bbox[2] for faces in found] == [20, 40, 10]
    assert len(detector.session.fed) == 1


def test_many_pictures_run_in_batches(build: Callable[..., FaceDetector]) -> None:
    detector = build()
    found = detector.detect([picture(40 + i) for i in range(2 * BATCH + 1)])
    assert [fed.shape[0] for fed in detector.session.fed] == [BATCH, BATCH, 1]
    assert [faces[0].bbox[2] for faces in found] == [(40 + i) / 4 for i in range(2 * BATCH + 1)]


@pytest.mark.parametrize(("most", "expected"), [(1, [1, 1, 1, 1, 1]), (2, [2, 2, 1])])
def test_the_models_own_limit_holds(
    build: Callable[..., FaceDetector], most: int, expected: list[int]
) -> None:
    detector = build(max_batch=most)
    found = detector.detect([picture(40 + i) for i in range(5)])
    assert [fed.shape[0] for fed in detector.session.fed] == expected
    assert [faces[0].bbox[2] for faces in found] == [(40 + i) / 4 for i in range(5)]


def test_dynamic_sizes_run_one_at_a_time(build: Callable[..., FaceDetector]) -> None:
    detector = build(dynamic_size=True, size_multiple=32)
    with pytest.raises(SessionError, match="does not fit its spec"):
        # 84 anchors are those of 64×64; this picture makes 32×64.
        detector.detect([picture(80), picture(80, 20, 40)])
    assert [fed.shape for fed in detector.session.fed] == [(1, 3, 64, 64), (1, 3, 32, 64)]


@pytest.mark.parametrize("wanted", ["rgb", "bgr"])
def test_pictures_of_both_colour_orders_in_one_batch(
    build: Callable[..., FaceDetector], wanted: str
) -> None:
    detector = build(color_order=wanted)
    pixels = np.zeros((64, 64, 3), np.uint8)
    pixels[:] = (10, 20, 30)
    same = Image(np.ascontiguousarray(pixels[..., ::-1]), "bgr")
    detector.detect([Image(pixels, "rgb"), same, same])
    (fed,) = detector.session.fed
    values = (10, 20, 30) if wanted == "rgb" else (30, 20, 10)
    assert (fed == np.array(values, np.float32)[:, None, None]).all()


def test_no_picture_no_run(build: Callable[..., FaceDetector]) -> None:
    detector = build()
    assert detector.detect([]) == []
    assert detector.session.fed == []


def test_the_provider_is_what_the_session_says(build: Callable[..., FaceDetector]) -> None:
    assert build().provider == "double/cpu"


def test_closing_closes_the_session(build: Callable[..., FaceDetector]) -> None:
    detector = build()
    detector.close()
    assert detector.session.closed == 1
