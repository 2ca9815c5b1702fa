"""The three real detectors on real photographs: six friends, however they are shown."""

from __future__ import annotations

import io
from itertools import combinations
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image as PilImage

from faceport.images import Image, load_image
from faceport.runtime.detectors import FaceDetector
from faceport.runtime.types import Detection

FAMILIES = ("scrfd", "yunet", "yolov8-face")
Points = NDArray[np.floating]


@pytest.fixture(scope="module")
def friends(photos: Path) -> Image:
    return load_image(photos / "groups" / "friends_6_faces.jpg")


def left_to_right(faces: list[Detection]) -> list[Detection]:
    return sorted(faces, key=lambda face: float(face.bbox[0]))


def overlap(a: Points, b: Points) -> float:
    low, high = np.maximum(a[:2], b[:2]), np.minimum(a[2:], b[2:])
    shared = float(np.prod(np.maximum(high - low, 0)))
    areas = [float(np.prod(box[2:] - box[:2])) for box in (a, b)]
    return shared / (sum(areas) - shared)


def distances(a: Detection, b: Detection) -> Points:
    """(5,) between landmarks, in widths of the narrower box."""
    width = min(float(face.bbox[2] - face.bbox[0]) for face in (a, b))
    return np.linalg.norm(a.landmarks - b.landmarks, axis=1) / width


def check_same(found: list[Detection], expected: list[Detection]) -> None:
    """The same six faces: boxes overlap, landmarks agree on average, and none of it by luck."""
    assert len(found) == len(expected) == 6
    for a, b in zip(left_to_right(found), left_to_right(expected), strict=True):
        assert overlap(a.bbox, b.bbox) >= 0.5
        assert distances(a, b).mean() <= 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_the_faces_are_faces(opened: dict[str, FaceDetector], friends: Image, family: str) -> None:
    (faces,) = opened[family].detect([friends])
    assert len(faces) == 6
    for face in faces:
        x1, y1, x2, y2 = face.bbox.tolist()
        left_eye, right_eye, nose, left_mouth, right_mouth = face.landmarks
        assert left_eye[0] < right_eye[0]
        assert left_mouth[0] < right_mouth[0]
        assert max(left_eye[1], right_eye[1]) < nose[1] < min(left_mouth[1], right_mouth[1])
        assert (face.landmarks >= (x1 - 5, y1)).all()
        assert (face.landmarks <= (x2 + 5, y2)).all()


@pytest.mark.parametrize("pair", list(combinations(FAMILIES, 2)), ids="-".join)
def test_the_detectors_agree(
    opened: dict[str, FaceDetector], friends: Image, pair: tuple[str, str]
) -> None:
    both = [left_to_right(opened[family].detect([friends])[0]) for family in pair]
    for a, b in zip(*both, strict=True):
        assert overlap(a.bbox, b.bbox) >= 0.5
        assert distances(a, b).max() <= 0.1


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_the_same_faces_at_another_scale(
    opened: dict[str, FaceDetector], friends: Image, family: str, scale: float
) -> None:
    size = (round(friends.width * scale), round(friends.height * scale))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    scaled = Image(cv2.resize(friends.pixels, size, interpolation=method), "rgb")
    found = [
        Detection(face.bbox / scale, face.score, face.landmarks / scale)
        for face in opened[family].detect([scaled])[0]
    ]
    check_same(found, opened[family].detect([friends])[0])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("border", [(0, 300, 0, 0), (100, 60, 40, 200)], ids=str)
def test_the_same_faces_with_a_border(
    opened: dict[str, FaceDetector],
    friends: Image,
    family: str,
    border: tuple[int, int, int, int],
) -> None:
    top, bottom, left, right = border
    wide = cv2.copyMakeBorder(
        friends.pixels, top, bottom, left, right, cv2.BORDER_CONSTANT, value=(127, 127, 127)
    )
    shift = np.array([left, top], np.float32)
    found = [
        Detection(face.bbox - np.tile(shift, 2), face.score, face.landmarks - shift)
        for face in opened[family].detect([Image(wide, "rgb")])[0]
    ]
    check_same(found, opened[family].detect([friends])[0])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(("orientation", "turns"), [(3, 2), (6, 1), (8, -1)])
def test_the_same_faces_turned_by_the_exif_tag(
    opened: dict[str, FaceDetector], friends: Image, family: str, orientation: int, turns: int
) -> None:
    # The camera stored the picture turned; the tag says how to bring it upright again.
    stored = PilImage.fromarray(np.ascontiguousarray(np.rot90(friends.pixels, turns)))
    exif = PilImage.Exif()
    exif[0x0112] = orientation
    buffer = io.BytesIO()
    stored.save(buffer, "JPEG", quality=90, exif=exif)
    upright = load_image(buffer.getvalue())
    check_same(opened[family].detect([upright])[0], opened[family].detect([friends])[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_the_colour_order_makes_no_difference(
    opened: dict[str, FaceDetector], friends: Image, family: str
) -> None:
    bgr = Image(np.ascontiguousarray(friends.in_order("bgr")), "bgr")
    first, second = opened[family].detect([friends, bgr])
    assert len(first) == 6
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a.bbox, b.bbox)
        np.testing.assert_array_equal(a.landmarks, b.landmarks)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_wrong_colour_order_would_show(
    opened: dict[str, FaceDetector], friends: Image, family: str
) -> None:
    lie = Image(friends.pixels, "bgr")
    right = [face.score for face in opened[family].detect([friends])[0]]
    wrong = [face.score for face in opened[family].detect([lie])[0]]
    assert sum(right) > sum(wrong)


@pytest.mark.parametrize("family", FAMILIES)
def test_one_face_each(opened: dict[str, FaceDetector], photos: Path, family: str) -> None:
    """One person in each of these pictures, from 201×251 to 970×2204 pixels, and no false alarm."""
    names = sorted((photos / "identities" / "train").glob("*/*.jp*g"))
    names += [photos / "pairs" / f"adaface_{n}.jpeg" for n in (1, 2, 3)]
    found = opened[family].detect([load_image(name) for name in names])
    counts = {name.name: len(faces) for name, faces in zip(names, found, strict=True)}
    assert counts == dict.fromkeys(counts, 1)
    assert len(counts) >= 10


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("value", [0, 127, 255])
def test_no_face_is_an_empty_list(opened: dict[str, FaceDetector], family: str, value: int) -> None:
    for shape in ((480, 640, 3), (1, 1, 3), (3, 900, 3)):
        image = Image(np.full(shape, value, np.uint8), "rgb")
        assert opened[family].detect([image]) == [[]]
