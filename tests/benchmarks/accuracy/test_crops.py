"""Crops of real photographs: which face, what is kept, what is named."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from faceport.benchmarks.accuracy.cache import CropCache
from faceport.benchmarks.accuracy.choosing import chosen_face
from faceport.benchmarks.accuracy.crops import NOT_FOUND, crops_of
from faceport.benchmarks.accuracy.cutter import Cutter, DetectorChoice, detector_identity
from faceport.benchmarks.accuracy.types import Picture
from faceport.errors import InputError
from faceport.images import Image, load_image
from faceport.runtime.align import align_faces
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.types import Detection
from faceport.spec import PreprocessSpec

SPEC = PreprocessSpec(
    height=112,
    width=96,
    color_order="bgr",
    mean=(127.5,) * 3,
    std=(128.0,) * 3,
    geometry="align",
    alignment_template="arcface_112",
)


@pytest.fixture(scope="module")
def detector(detectors: dict[str, Path]) -> Iterator[FaceDetector]:
    opened = DetectorChoice(detectors["scrfd"]).open()
    assert isinstance(opened, FaceDetector)
    yield opened
    opened.close()


def cutter(detector: FaceDetector, cache: CropCache | None = None) -> Cutter:
    return Cutter(SPEC, detector, detector_identity(detector, "fp32"), cache=cache)


def pictures(folder: Path) -> list[Picture]:
    return [Picture(path.name, str(path)) for path in sorted(folder.iterdir())]


def test_crops_are_the_pipelines_and_the_same_from_the_cache(
    detector: FaceDetector, photos: Path, tmp_path: Path
) -> None:
    obama = photos / "identities" / "train" / "obama"
    cache = CropCache(tmp_path / "cache")
    first = list(crops_of(pictures(obama), cutter(detector, cache)))
    again = list(crops_of(pictures(obama), cutter(detector, cache)))
    assert [crop.cached for crop in first] == [False, False]
    assert [crop.cached for crop in again] == [True, True]
    for path, made, kept in zip(sorted(obama.iterdir()), first, again, strict=True):
        image = load_image(path)
        (face,) = detector.detect([image])[0]
        expected = align_faces([(image, face)], SPEC)[0]
        assert made.pixels is not None
        assert np.array_equal(made.pixels, expected)
        assert kept.pixels is not None
        assert np.array_equal(kept.pixels, expected)


def test_what_has_no_crop_is_named(detector: FaceDetector, photos: Path, tmp_path: Path) -> None:
    PilImage.new("RGB", (64, 64), "green").save(tmp_path / "lawn.png")
    whole = (photos / "pairs" / "adams.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    shutil.copy(photos / "pairs" / "carell.jpg", tmp_path)
    listed = [*pictures(tmp_path), Picture("gone.jpg", str(tmp_path / "gone.jpg"))]
    cache = CropCache(tmp_path / "cache")
    for cached in (False, True):
        carell, cut, lawn, gone = crops_of(listed, cutter(detector, cache))
        assert carell.pixels is not None
        assert carell.problem == ""
        assert "cut.jpg is not a readable picture" in cut.problem
        assert lawn.problem == NOT_FOUND
        assert lawn.cached == cached
        assert "gone.jpg could not be read" in gone.problem
        assert [c.pixels for c in (cut, lawn, gone)] == [None, None, None]


def test_the_face_in_the_middle_is_meant_unless_another_rule_is_given() -> None:
    image = Image(np.zeros((100, 200, 3), np.uint8), "rgb")
    middle = Detection(np.array([85, 35, 115, 65], np.float32), 0.6)
    larger = Detection(np.array([0, 0, 35, 35], np.float32), 0.7)
    surest = Detection(np.array([190, 90, 200, 100], np.float32), 0.9)
    found = [surest, larger, middle]
    assert chosen_face(found, image) is middle
    assert chosen_face(found, image, "largest") is larger
    assert chosen_face(found, image, "best") is surest


def test_the_number_of_faces_is_told(detector: FaceDetector, photos: Path) -> None:
    friends = Picture("friends", str(photos / "groups" / "friends_6_faces.jpg"))
    (crop,) = crops_of([friends], cutter(detector))
    assert crop.faces == 6


def png(height: int, width: int) -> bytes:
    pixels = np.random.default_rng(3).integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    PilImage.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def test_crops_need_no_detector_but_the_models_size() -> None:
    data = png(112, 96)
    (crop,) = crops_of([Picture("a", data, aligned=True)], Cutter(SPEC))
    assert crop.pixels is not None
    assert np.array_equal(crop.pixels, load_image(data).pixels[..., ::-1])
    with pytest.raises(InputError, match=r"112 high, 112 wide.*expected 112 high, 96 wide"):
        list(crops_of([Picture("b", png(112, 112), aligned=True)], Cutter(SPEC)))


def test_a_photograph_needs_a_detector() -> None:
    with pytest.raises(InputError, match="give --detector"):
        list(crops_of([Picture("b", png(200, 200))], Cutter(SPEC)))
