"""JPEGs decoded smaller: the same faces, in pixels of the whole picture, and little decoded."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from faceport.errors import ImageDecodeError, InputError
from faceport.images import Image, load_image
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.reduced import ReducingDetector, ReducingEmbedder
from faceport.runtime.types import Detection, Face

ORIENTATION = 274


def enlarged(path: Path, height: int, width: int, orientation: int = 1) -> bytes:
    with PIL.Image.open(path) as picture:
        large = picture.convert("RGB").resize((width, height), PIL.Image.Resampling.LANCZOS)
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    large.save(buffer, "JPEG", quality=92, exif=exif)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def group(photos: Path) -> bytes:
    # Neither side divides by 4.
    return enlarged(photos / "groups" / "friends_6_faces.jpg", 1773, 2562)


@pytest.fixture(scope="module")
def pipelines(
    detectors: dict[str, Path], recognisers: dict[str, Path]
) -> Iterator[tuple[Pipeline, Pipeline]]:
    files = (detectors["scrfd"], next(iter(recognisers.values())))
    with Pipeline.load(*files) as whole, Pipeline.load(*files, reduced_decoding=True) as reduced:
        yield whole, reduced


def nearest(face: Face, others: list[Face]) -> Face:
    return min(
        others, key=lambda one: float(np.abs(one.detection.bbox - face.detection.bbox).sum())
    )


def test_the_same_faces_in_pixels_of_the_whole_picture(
    pipelines: tuple[Pipeline, Pipeline], group: bytes
) -> None:
    whole, reduced = pipelines
    expected, found = whole(group), reduced(group)
    assert len(found) == len(expected) == 6
    for face in expected:
        other = nearest(face, found)
        assert np.abs(other.detection.bbox - face.detection.bbox).max() < 8
        assert face.detection.landmarks is not None
        assert np.abs(other.detection.landmarks - face.detection.landmarks).max() < 6
        assert float(face.embedding.vector @ other.embedding.vector) > 0.97


@pytest.mark.parametrize(
    ("orientation", "turn"),
    [(3, PIL.Image.Transpose.ROTATE_180), (6, PIL.Image.Transpose.ROTATE_90)],
)
def test_a_turned_picture(
    pipelines: tuple[Pipeline, Pipeline],
    group: bytes,
    orientation: int,
    turn: PIL.Image.Transpose,
) -> None:
    _, reduced = pipelines
    exif = PIL.Image.Exif()
    exif[ORIENTATION] = orientation
    buffer = io.BytesIO()
    with PIL.Image.open(io.BytesIO(group)) as picture:
        # 2562 does not divide by 4, but it does by 2.
        picture.crop((0, 0, 2562, 1772)).transpose(turn).save(buffer, "JPEG", quality=92, exif=exif)
    assert load_image(buffer.getvalue(), divisor=lambda *_: 4).whole.divisor == 2
    upright = reduced(group)
    found = reduced(buffer.getvalue())
    assert len(found) == 6
    for face in found:
        other = nearest(face, upright)
        assert np.abs(other.detection.bbox - face.detection.bbox).max() < 8


def test_without_faces_nothing_is_decoded_whole(pipelines: tuple[Pipeline, Pipeline]) -> None:
    _, reduced = pipelines
    detector = reduced.detector
    assert isinstance(detector, ReducingDetector)
    grey = io.BytesIO()
    PIL.Image.new("RGB", (2600, 1800), (90, 120, 150)).save(grey, "JPEG")
    image = load_image(grey.getvalue(), divisor=detector.decode_divisor)
    assert image.whole is not None
    assert (image.height, image.width, image.whole.divisor) == (450, 650, 4)
    never = replace(image, whole=replace(image.whole, decode=pytest.fail))
    assert reduced(never) == []


def test_crops_are_never_enlarged(pipelines: tuple[Pipeline, Pipeline], group: bytes) -> None:
    _, reduced = pipelines
    embedder = reduced.embedder
    assert isinstance(embedder, ReducingEmbedder)
    image = load_image(group, divisor=lambda *_: 8)
    assert image.whole is not None
    assert image.whole.divisor == 8
    asked: list[int] = []
    again = image.whole.decode

    def decode(most: int) -> Image:
        asked.append(most)
        return again(most)

    seen = replace(image, whole=replace(image.whole, decode=decode))
    faces = [face.detection for face in reduced(group)]
    embedder.embed([(seen, face) for face in faces])
    # The faces of the group are 90 to 110 pixels wide of 1280, and two times that here.
    assert asked == [2]
    asked.clear()
    small = Detection(np.array([10, 10, 50, 60], np.float32), 0.9)
    embedder.embed([(seen, small)])
    assert asked == [1]


def test_limits_are_in_pixels_of_the_whole_picture(
    detectors: dict[str, Path], recognisers: dict[str, Path], group: bytes
) -> None:
    files = (detectors["scrfd"], next(iter(recognisers.values())))
    with Pipeline.load(*files) as pipeline:
        boxes = [face.detection.bbox for face in pipeline(group)]
    sides = sorted(float((box[2:] - box[:2]).min()) for box in boxes)
    limit = (sides[2] + sides[3]) / 2
    with Pipeline.load(*files, reduced_decoding=True, min_size=limit, max_faces=2) as pipeline:
        found = pipeline(group)
    assert len(found) == 2
    assert all((f.detection.bbox[2:] - f.detection.bbox[:2]).min() >= limit for f in found)


def test_what_is_no_jpeg_is_whole(pipelines: tuple[Pipeline, Pipeline], photos: Path) -> None:
    whole, reduced = pipelines
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    for one, other in zip(whole(image), reduced(image), strict=True):
        np.testing.assert_array_equal(one.embedding.vector, other.embedding.vector)


def test_a_file_that_is_gone_is_an_error(
    pipelines: tuple[Pipeline, Pipeline], group: bytes, tmp_path: Path
) -> None:
    _, reduced = pipelines
    path = tmp_path / "group.jpg"
    path.write_bytes(group)
    image = load_image(path, divisor=lambda *_: 8)
    path.unlink()
    with pytest.raises(ImageDecodeError, match="could not be opened"):
        reduced(image)


def test_it_needs_models() -> None:
    with pytest.raises(InputError, match="reduced decoding"):
        Pipeline.load("stub", "stub", reduced_decoding=True)
