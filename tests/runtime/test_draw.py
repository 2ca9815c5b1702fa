"""Drawn pictures: what changed and where, and files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from faceport.errors import InputError
from faceport.images import Image, load_image
from faceport.runtime.draw import BOX_COLOR, FORMATS, POINT_COLOR, draw_faces, save_image
from faceport.runtime.stub import StubEmbedder
from faceport.runtime.types import Detection, Face


def grey(height: int, width: int) -> Image:
    return Image(np.full((height, width, 3), 128, np.uint8), "rgb", "grey.png")


def face(x1: float, y1: float, x2: float, y2: float) -> Detection:
    x, y = np.linspace(x1, x2, 7), np.linspace(y1, y2, 7)
    points = np.array([[x[2], y[2]], [x[4], y[2]], [x[3], y[3]], [x[2], y[5]], [x[4], y[5]]])
    return Detection(np.array([x1, y1, x2, y2], np.float32), 0.9, points.astype(np.float32))


def changed(before: Image, after: Image) -> np.ndarray:
    return (before.pixels != after.pixels).any(axis=-1)


def colored(image: Image, color: tuple[int, int, int]) -> np.ndarray:
    return (image.pixels == color).all(axis=-1)


def inked(image: Image) -> np.ndarray:
    """Where letters are: darker than the grey picture and the plate."""
    return (image.pixels < 100).all(axis=-1)


def test_box_and_landmarks_are_where_they_should_be() -> None:
    image, detection = grey(300, 400), face(100, 80, 200, 220)
    drawn = draw_faces(image, [detection])
    assert colored(drawn, BOX_COLOR)[[80, 220], 100:201].all()
    assert colored(drawn, BOX_COLOR)[80:221, [100, 200]].all()
    assert detection.landmarks is not None
    for x, y in detection.landmarks.round().astype(int):
        assert colored(drawn, POINT_COLOR)[y, x]
    # Nothing outside of the box, and little of what is inside.
    outside = changed(image, drawn)
    outside[80:221, 100:201] = False
    assert not outside.any()
    assert changed(image, drawn).mean() < 0.02


def test_the_picture_given_is_left_alone() -> None:
    image = grey(100, 100)
    before = image.pixels.copy()
    drawn = draw_faces(image, [face(10, 10, 60, 60)], ["Ann"])
    np.testing.assert_array_equal(image.pixels, before)
    assert (drawn.color_order, drawn.name) == ("rgb", "grey.png")


def test_bgr_pictures_come_out_in_their_own_colours() -> None:
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[..., 0] = 200
    drawn = draw_faces(Image(pixels, "bgr"), [])
    assert drawn.pixels[0, 0].tolist() == [0, 0, 200]


def test_takes_faces_and_detections_without_landmarks() -> None:
    detection = Detection(np.array([5, 5, 50, 50], np.float32), 1.0)
    image = grey(64, 64)
    embedding = StubEmbedder().embed([(image, detection)])[0]
    first = draw_faces(image, [Face(detection, embedding)])
    np.testing.assert_array_equal(first.pixels, draw_faces(image, [detection]).pixels)
    assert not colored(first, POINT_COLOR).any()


def test_nothing_to_draw_changes_nothing() -> None:
    image = grey(50, 60)
    np.testing.assert_array_equal(draw_faces(image, []).pixels, image.pixels)


@pytest.mark.parametrize(("height", "width"), [(60, 80), (480, 640), (3000, 4000)])
def test_labels_are_readable_at_any_size(height: int, width: int) -> None:
    """Dark letters on a plate of at least 13 pixels, that grow with the picture."""
    image = grey(height, width)
    detection = face(width * 0.3, height * 0.5, width * 0.6, height * 0.9)
    label = changed(draw_faces(image, [detection]), draw_faces(image, [detection], ["Hello"]))
    rows = np.flatnonzero(label.any(axis=1))
    assert rows.max() - rows.min() + 1 >= max(13, height / 50)
    letters = inked(draw_faces(image, [detection], ["Hello"]))
    assert letters.any()


@pytest.mark.parametrize(
    "box",
    [(0, 0, 30, 30), (150, 0, 199, 40), (-40, 70, 20, 99), (150, 60, 260, 140), (0, 0, 199, 99)],
    ids=["upper left", "upper right", "beyond the left", "beyond the lower right", "whole"],
)
def test_labels_stay_in_the_frame(box: tuple[float, ...]) -> None:
    image = grey(100, 200)
    detection = Detection(np.array(box, np.float32), 1.0)
    plain, labelled = (draw_faces(image, [detection], texts) for texts in ([""], ["John Snow"]))
    middle = draw_faces(image, [face(90, 50, 110, 70)], ["John Snow"])
    letters = inked(labelled).sum()
    assert letters == inked(middle).sum()
    assert changed(plain, labelled).any()


def test_long_names_are_shortened_to_the_picture() -> None:
    image = grey(100, 120)
    drawn = draw_faces(image, [face(20, 40, 80, 90)], ["Bartholomew " * 5])
    letters = inked(drawn).any(axis=0)
    assert not letters[:2].any()
    assert not letters[-2:].any()
    assert letters.sum() > 40


def test_labels_of_neighbours_do_not_cover_one_another() -> None:
    image = grey(200, 300)
    faces = [face(50, 80, 100, 140), face(60, 82, 110, 142)]
    both = inked(draw_faces(image, faces, ["Mark", "Anna"])).sum()
    pairs = zip(faces, ["Mark", "Anna"], strict=True)
    each = [inked(draw_faces(image, [one], [text])).sum() for one, text in pairs]
    assert both == sum(each)


@pytest.mark.parametrize("text", ["Łukasz Żak", "中文", "🙂", "a\nb", "  ", "\0", "é" * 300])
def test_any_text_can_be_drawn(text: str) -> None:
    drawn = draw_faces(grey(120, 160), [face(20, 50, 80, 110)], [text])
    assert drawn.pixels.shape == (120, 160, 3)
    assert inked(drawn).any() == bool(text.strip())


def test_refuses_labels_that_do_not_fit() -> None:
    with pytest.raises(InputError, match="labels"):
        draw_faces(grey(50, 50), [face(5, 5, 20, 20)], ["a", "b"])


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_saves_every_format_and_reads_it_again(tmp_path: Path, photos: Path, suffix: str) -> None:
    image = load_image(photos / "pairs" / "lennon-1.jpg")
    bgr = Image(np.ascontiguousarray(image.in_order("bgr")), "bgr")
    target = tmp_path / f"out{suffix.upper()}"
    save_image(bgr, target)
    difference = np.abs(load_image(target).pixels.astype(int) - image.pixels)
    assert difference.mean() < (3 if suffix in (".jpg", ".jpeg", ".webp") else 1e-9)
    assert [p.name for p in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize("name", ["out", "out.txt", "out.jpg.gz"])
def test_refuses_an_unknown_suffix(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"suffix.*\.png"):
        save_image(grey(9, 9), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "out.webp"
    target.write_bytes(b"old")
    with pytest.raises(InputError, match="WEBP"):
        save_image(Image(np.zeros((1, 20000, 3), np.uint8), "rgb"), target)
    assert target.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["out.webp"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="nowhere"):
        save_image(grey(9, 9), tmp_path / "nowhere" / "out.png")
