from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as PilImage

from faceport.errors import ImageDecodeError, InputError
from faceport.gallery.crops import crop_of, face_of
from faceport.images import Image, load_image
from faceport.runtime.align import align_faces
from faceport.runtime.pipeline import Pipeline
from faceport.runtime.types import Detection
from faceport.spec import PreprocessSpec

BOX = PreprocessSpec(64, 48, "bgr", (0.0,) * 3, (1.0,) * 3, "crop", box_padding=0.2)
ALIGNED = PreprocessSpec(
    112, 112, "rgb", (0.0,) * 3, (1.0,) * 3, "align", alignment_template="arcface_112"
)


@pytest.fixture(scope="module")
def face(photos: Path, detectors: dict[str, Path]) -> tuple[Image, Detection]:
    photo = load_image(photos / "groups" / "friends_6_faces.jpg")
    with Pipeline.load(detectors["scrfd"], "stub") as pipeline:
        return photo, pipeline.detector.detect([photo])[0][0]


def test_an_embedding_of_the_crop_is_that_of_the_photograph(
    photos: Path, detectors: dict[str, Path], recognisers: dict[str, Path]
) -> None:
    photo = load_image(photos / "groups" / "friends_6_faces.jpg")
    for layout in ("flat", "blocks"):
        with Pipeline.load(detectors["scrfd"], recognisers[layout]) as pipeline:
            spec = pipeline.embedder.spec.preprocess  # type: ignore[attr-defined]
            for one in pipeline(photo):
                place = face_of(crop_of(photo, one.detection, spec), spec)
                (again,) = pipeline.embedder.embed([place])
                np.testing.assert_allclose(again.vector, one.embedding.vector, atol=1e-5)
                assert again.norm == pytest.approx(one.embedding.norm, rel=1e-4)


@pytest.mark.parametrize("spec", [ALIGNED, BOX, replace(BOX, box_padding=0.0), None])
def test_the_same_cut_gives_the_very_pixels(
    face: tuple[Image, Detection], spec: PreprocessSpec | None
) -> None:
    photo, detection = face
    image, place = face_of(crop_of(photo, detection, spec), spec)
    if spec is None:
        x1, y1, x2, y2 = (round(float(v)) for v in detection.bbox)
        np.testing.assert_array_equal(image.pixels, photo.pixels[y1:y2, x1:x2])
        return
    expected = align_faces([(photo, detection)], spec)
    np.testing.assert_array_equal(align_faces([(image, place)], spec), expected)


def test_another_size_of_the_same_cut_is_scaled(face: tuple[Image, Detection]) -> None:
    photo, detection = face
    for spec, other in (
        (ALIGNED, replace(ALIGNED, height=224, width=224)),
        (ALIGNED, replace(ALIGNED, width=96)),
        (BOX, replace(BOX, height=32, width=24)),
    ):
        place = face_of(crop_of(photo, detection, spec), other)
        scaled = align_faces([place], other)[0].astype(float)
        direct = align_faces([(photo, detection)], other)[0].astype(float)
        assert np.abs(scaled - direct).mean() < 6


def test_another_cut_needs_the_photograph(face: tuple[Image, Detection]) -> None:
    photo, detection = face
    aligned, box = (crop_of(photo, detection, spec) for spec in (ALIGNED, BOX))
    for crop, spec in (
        (aligned, BOX),
        (box, ALIGNED),
        (box, replace(BOX, box_padding=0.3)),
    ):
        with pytest.raises(InputError, match="cut in another way"):
            face_of(crop, spec)
    # Without landmarks an aligned embedder takes the box, and so says the crop.
    lone = crop_of(photo, replace(detection, landmarks=None), ALIGNED)
    with pytest.raises(InputError, match="box"):
        face_of(lone, ALIGNED)


def test_what_is_no_crop() -> None:
    with pytest.raises(ImageDecodeError):
        face_of(b"nothing", ALIGNED)
    file = io.BytesIO()
    PilImage.new("RGB", (8, 8)).save(file, "PNG")
    with pytest.raises(InputError, match="how it was cut"):
        face_of(file.getvalue(), ALIGNED)
    with pytest.raises(InputError, match="no pixels"):
        crop_of(
            Image(np.zeros((4, 4, 3), np.uint8), "rgb"),
            Detection(np.zeros(4, np.float32), 1.0),
            None,
        )
