"""The stub detector and embedder: deterministic from the pixels, and marked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceport.errors import SessionError
from faceport.images import Image, load_image
from faceport.runtime.sessions.stub import pixel_payload, stub_fingerprint, stub_vectors
from faceport.runtime.stub import StubDetector, StubEmbedder
from faceport.runtime.types import Detection, Detector, Embedder


@pytest.fixture(scope="module")
def photo(photos: Path) -> Image:
    return load_image(photos / "pairs" / "lennon-1.jpg")


def box(*edges: float) -> Detection:
    return Detection(np.array(edges, np.float32), 1.0)


def test_whole_picture_is_one_face(photo: Image) -> None:
    detector: Detector = StubDetector()
    [[first], [second]] = detector.detect([photo, Image(np.zeros((2, 3, 3), np.uint8), "rgb")])
    assert first.bbox.tolist() == [0, 0, photo.width, photo.height]
    assert (first.score, first.landmarks) == (1.0, None)
    assert second.bbox.tolist() == [0, 0, 3, 2]
    assert detector.provider == "stub/none"


def test_vector_comes_from_the_pixels_in_the_box(photo: Image) -> None:
    embedder: Embedder = StubEmbedder(dim=128)
    [embedding] = embedder.embed([(photo, box(10, 20, 50.5, 80))])
    expected = stub_vectors([pixel_payload(photo.pixels[20:80, 10:51])], 128)[0]
    np.testing.assert_array_equal(embedding.vector, expected)
    assert embedding.is_stub
    assert embedding.norm == 1.0
    assert embedding.provider == "stub/none"
    assert embedding.fingerprint == embedder.fingerprint == stub_fingerprint(128)


def test_colour_order_of_an_array_does_not_matter(photo: Image) -> None:
    other = Image(photo.in_order("bgr"), "bgr")
    first, second = StubEmbedder().embed([(photo, box(0, 0, 9, 9)), (other, box(0, 0, 9, 9))])
    np.testing.assert_array_equal(first.vector, second.vector)


def test_one_changed_pixel_gives_an_unrelated_vector(photo: Image) -> None:
    changed = photo.pixels.copy()
    changed[5, 5, 0] ^= 1
    whole = box(0, 0, photo.width, photo.height)
    first, second = StubEmbedder().embed([(photo, whole), (Image(changed, "rgb"), whole)])
    assert abs(float(first.vector @ second.vector)) < 0.3


def test_flip_does_not_tell_a_picture_from_its_mirror_image(photo: Image) -> None:
    turned = Image(np.ascontiguousarray(photo.pixels[:, ::-1]), "rgb")
    whole = box(0, 0, photo.width, photo.height)
    faces = [(photo, whole), (turned, whole)]
    first, second = StubEmbedder().embed(faces, flip=True)
    np.testing.assert_allclose(first.vector, second.vector, atol=1e-6)
    plain, mirror = StubEmbedder().embed(faces)
    assert float(plain.vector @ mirror.vector) < 0.3


@pytest.mark.parametrize(
    "edges",
    [(-50, -50, 9999, 9999), (5, 5, 5, 5), (-9, -9, -5, -5), (np.nan, 0, np.inf, 4)],
    ids=["beyond the frame", "empty", "outside", "not finite"],
)
def test_any_box_gives_a_vector(photo: Image, edges: tuple[float, ...]) -> None:
    [embedding] = StubEmbedder().embed([(photo, box(*edges))])
    assert np.linalg.norm(embedding.vector) == pytest.approx(1, abs=1e-6)


def test_bytes_give_a_vector() -> None:
    embedding = StubEmbedder().embed_bytes(b"no picture")
    np.testing.assert_array_equal(embedding.vector, stub_vectors([b"no picture"])[0])
    assert embedding.is_stub


def test_closed_embedder_does_not_run(photo: Image) -> None:
    embedder = StubEmbedder()
    embedder.close()
    with pytest.raises(SessionError, match="closed"):
        embedder.embed([(photo, box(0, 0, 9, 9))])
