"""The letterbox and back: geometry as a property, pixels against a plain reference."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import InputError
from faceport.images import Image, load_image
from faceport.runtime.letterbox import fit, letterbox
from faceport.spec import PreprocessSpec

SPEC = PreprocessSpec(
    height=640,
    width=640,
    color_order="rgb",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
    geometry="letterbox",
)

sides = st.one_of(st.integers(1, 5000), st.sampled_from([1, 2, 31, 32, 33, 640, 641, 60_000]))
specs = st.builds(
    replace,
    st.just(SPEC),
    height=st.integers(1, 1300),
    width=st.integers(1, 1300),
    pad_anchor=st.sampled_from(["top_left", "center"]),
    dynamic_size=st.booleans(),
    size_multiple=st.sampled_from([1, 16, 32, 128]),
)
coordinate = st.floats(-1e5, 1e5)


@settings(deadline=None, max_examples=300)
@given(sides, sides, specs, st.lists(st.tuples(coordinate, coordinate), min_size=1, max_size=5))
def test_points_come_back(
    height: int, width: int, spec: PreprocessSpec, points: list[tuple[float, float]]
) -> None:
    place = fit(height, width, spec)
    there = place.to_input(np.array(points))
    np.testing.assert_allclose(place.to_image(there), points, rtol=1e-9, atol=1e-6)


@settings(deadline=None, max_examples=300)
@given(sides, sides, specs)
def test_the_picture_fills_its_place_and_fits_the_input(
    height: int, width: int, spec: PreprocessSpec
) -> None:
    place = fit(height, width, spec)
    corners = place.to_input(np.array([[0.0, 0.0], [width, height]]))
    expected = np.array([[place.left, place.top], [place.left, place.top]], np.float64)
    expected[1] += (place.scaled_width, place.scaled_height)
    np.testing.assert_allclose(corners, expected, rtol=1e-12, atol=1e-9)
    assert min(place.scaled_height, place.scaled_width) >= 1
    assert place.top + place.scaled_height <= place.height
    assert place.left + place.scaled_width <= place.width
    # As large as it can be: the scale is the largest that fits, sides rounded to whole pixels.
    room = (spec.height, spec.width)
    if spec.dynamic_size:
        room = (max(max(room) // spec.size_multiple, 1) * spec.size_multiple,) * 2
    scale = min(Fraction(room[0], height), Fraction(room[1], width))
    for scaled, side in ((place.scaled_height, height), (place.scaled_width, width)):
        assert abs(scaled - side * scale) <= 0.5 + 1e-9 or scaled == 1


@settings(deadline=None, max_examples=200)
@given(sides, sides, specs)
def test_the_input_has_the_size_that_the_model_takes(
    height: int, width: int, spec: PreprocessSpec
) -> None:
    place = fit(height, width, spec)
    if not spec.dynamic_size:
        assert (place.height, place.width) == (spec.height, spec.width)
        return
    multiple = spec.size_multiple
    assert place.height % multiple == 0
    assert place.width % multiple == 0
    assert max(place.height, place.width) <= max(spec.height, spec.width, multiple)
    # No row or column of padding more than the multiple asks for.
    assert place.height - place.scaled_height < multiple
    assert place.width - place.scaled_width < multiple


def test_a_dynamic_input_is_smaller_than_the_square() -> None:
    place = fit(886, 1280, replace(SPEC, dynamic_size=True, size_multiple=32))
    assert (place.height, place.width) == (448, 640)
    assert (place.scaled_height, place.scaled_width) == (443, 640)


def test_scales_are_those_of_the_rounded_size() -> None:
    # 886 × 0.5 is exact; 333 / 1000 × 640 is 213.12, so y is scaled a little less than x.
    place = fit(333, 1000, SPEC)
    np.testing.assert_array_equal(place.scale, [640 / 1000, 213 / 333])


@pytest.mark.parametrize(
    ("anchor", "top", "left"), [("top_left", 0, 0), ("center", (640 - 443) // 2, 0)]
)
def test_pixels_are_those_of_a_plain_letterbox(
    photos: Path, anchor: str, top: int, left: int
) -> None:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    spec = replace(SPEC, pad_value=114, pad_anchor=anchor)
    pixels, place = letterbox(image, spec)
    scaled = cv2.resize(image.pixels, (640, 443), interpolation=cv2.INTER_LINEAR)
    expected = np.full((640, 640, 3), 114, np.uint8)
    expected[top : top + 443, left : left + 640] = scaled
    np.testing.assert_array_equal(pixels, expected)
    assert (place.top, place.left) == (top, left)


def test_a_mark_in_the_picture_is_where_the_geometry_says() -> None:
    pixels = np.zeros((300, 700, 3), np.uint8)
    pixels[200:210, 500:510] = 255
    out, place = letterbox(Image(pixels, "rgb"), replace(SPEC, pad_anchor="center"))
    rows, columns = np.nonzero(out[..., 0] > 127)
    middle = np.array([[columns.mean() + 0.5, rows.mean() + 0.5]])
    np.testing.assert_allclose(place.to_image(middle), [[505.0, 205.0]], atol=0.6)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5000), (5000, 1), (2, 3)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_the_smallest_and_the_longest_pictures(shape: tuple[int, int], dynamic: bool) -> None:
    spec = replace(SPEC, dynamic_size=dynamic, size_multiple=32 if dynamic else 1, pad_value=9)
    image = Image(np.full((*shape, 3), 200, np.uint8), "rgb")
    pixels, place = letterbox(image, spec)
    assert pixels.shape == (place.height, place.width, 3)
    inside = pixels[: place.scaled_height, : place.scaled_width]
    assert (inside == 200).all()
    assert (pixels == 200).sum() == inside.size


def test_the_colour_order_is_left_as_it_is() -> None:
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[..., 0] = 250
    for order in ("rgb", "bgr"):
        out, _ = letterbox(Image(pixels, order), SPEC)
        assert out[5, 5].tolist() == [250, 0, 0]


def test_a_mirrored_view_is_taken_as_it_looks(photos: Path) -> None:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    view = image.pixels[:, ::-1]
    plain = letterbox(Image(np.ascontiguousarray(view), "rgb"), SPEC)[0]
    np.testing.assert_array_equal(letterbox(Image(view, "rgb"), SPEC)[0], plain)


def test_another_geometry_is_refused() -> None:
    with pytest.raises(InputError, match="received geometry crop; expected geometry letterbox"):
        fit(10, 10, replace(SPEC, geometry="crop"))
