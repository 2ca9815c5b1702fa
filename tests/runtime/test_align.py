"""The similarity fit against skimage and known transforms; crops against where the points land."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.images import Image, load_image
from faceport.runtime.align import align_faces, fit_similarity, template_points
from faceport.runtime.types import Detection
from faceport.spec import PreprocessSpec

SPEC = PreprocessSpec(
    height=112,
    width=112,
    color_order="rgb",
    mean=(127.5,) * 3,
    std=(127.5,) * 3,
    geometry="align",
    alignment_template="arcface_112",
)
CROP = replace(SPEC, geometry="crop", alignment_template=None)
TEMPLATE = template_points(112, 112)
# The woman at the left of friends_6_faces.jpg, as a detector sees her.
REAL = np.array([[83, 322], [132, 306], [119, 338], [107, 367], [149, 355]], np.float32)

angles = st.floats(-math.pi, math.pi)
scales = st.floats(0.01, 100)
shifts = st.floats(-5000, 5000)


def similarity(angle: float, scale: float, dx: float, dy: float) -> NDArray[np.float64]:
    a, b = scale * math.cos(angle), scale * math.sin(angle)
    return np.array([[a, -b, dx], [b, a, dy]])


def moved(points: NDArray[np.floating], matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return points @ matrix[:, :2].T + matrix[:, 2]


def face(image: Image, landmarks: NDArray[np.floating]) -> tuple[Image, Detection]:
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    box = np.concatenate([low, high]).astype(np.float32)
    return image, Detection(box, 0.9, landmarks.astype(np.float32))


def boxed(image: Image, *box: float) -> tuple[Image, Detection]:
    return image, Detection(np.array(box, np.float32), 0.9)


@given(angle=angles, scale=scales, dx=shifts, dy=shifts)
def test_fit_recovers_a_known_transform(angle: float, scale: float, dx: float, dy: float) -> None:
    known = similarity(angle, scale, dx, dy)
    inverse = np.linalg.inv(np.vstack([known, [0, 0, 1]]))[:2]
    fitted = fit_similarity(moved(TEMPLATE, inverse), TEMPLATE)
    np.testing.assert_allclose(fitted, known, rtol=1e-6, atol=1e-6 * max(1.0, abs(dx), abs(dy)))


@settings(deadline=None)
@given(seed=st.integers(0, 2**32 - 1), spread=st.floats(1, 500))
def test_fit_equals_skimage(seed: int, spread: float) -> None:
    from skimage.transform import SimilarityTransform

    points = np.random.default_rng(seed).normal(scale=spread, size=(5, 2)) + 200
    expected = SimilarityTransform.from_estimate(points, TEMPLATE).params[:2]
    np.testing.assert_allclose(fit_similarity(points, TEMPLATE), expected, rtol=1e-6, atol=1e-6)


@given(seed=st.integers(0, 2**32 - 1))
def test_no_other_similarity_fits_better(seed: int) -> None:
    rng = np.random.default_rng(seed)
    points = TEMPLATE + rng.normal(scale=8, size=(5, 2))
    best = fit_similarity(points, TEMPLATE)
    error = ((moved(points, best) - TEMPLATE) ** 2).sum()
    for _ in range(10):
        a, b, c, d = rng.normal(scale=0.01, size=4) * [1, 1, 50, 50]
        other = best + np.array([[a, -b, c], [b, a, d]])
        assert ((moved(points, other) - TEMPLATE) ** 2).sum() >= error


def test_mirrored_points_are_turned_and_not_mirrored() -> None:
    mirrored = TEMPLATE * [-1, 1]
    matrix = fit_similarity(mirrored, TEMPLATE)
    assert np.linalg.det(matrix[:, :2]) > 0


def test_fits_many_at_once() -> None:
    points = np.stack([TEMPLATE * 2, TEMPLATE + 7, TEMPLATE[:, ::-1] * [1, -1]])
    each = np.stack([fit_similarity(p, TEMPLATE) for p in points])
    np.testing.assert_array_equal(fit_similarity(points, TEMPLATE), each)


@pytest.mark.parametrize(
    "points",
    [
        np.full((5, 2), 40.0),
        np.full((5, 2), 1e6) + np.eye(5, 2) * 1e-3,
        np.full((5, 2), np.nan),
        np.where(np.eye(5, 2) > 0, np.inf, TEMPLATE),
        TEMPLATE[:4],
        TEMPLATE[0],
        np.zeros((5, 3)),
    ],
    ids=["one point", "nearly one point", "nan", "infinite", "four", "flat", "three numbers"],
)
def test_refuses_points_that_have_no_fit(points: NDArray[np.float64]) -> None:
    with pytest.raises(InputError, match="landmarks"):
        fit_similarity(points, TEMPLATE)


def test_refuses_points_for_which_every_turn_is_equal() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    with pytest.raises(InputError, match="no similarity"):
        fit_similarity(square * [-1, 1], square)


def test_names_the_face_that_has_no_fit() -> None:
    with pytest.raises(InputError, match="77"):
        fit_similarity(np.stack([TEMPLATE, np.full((5, 2), 77.0)]), TEMPLATE)


def test_template_of_other_sizes() -> None:
    np.testing.assert_allclose(template_points(112, 96), TEMPLATE - [8, 0])
    np.testing.assert_allclose(template_points(224, 224), TEMPLATE * 2)
    np.testing.assert_allclose(template_points(112, 128), TEMPLATE - [-8, 0])
    assert tuple(TEMPLATE[2]) == (56.0252, 71.7366)


@pytest.mark.parametrize(("height", "width"), [(112, 112), (112, 96), (160, 160)])
@pytest.mark.parametrize("angle", [0.0, 0.6, -2.5])
@pytest.mark.parametrize("scale", [0.5, 1.3, 3.0])
def test_landmarks_land_on_the_template(
    height: int, width: int, angle: float, scale: float
) -> None:
    """One bright dot a landmark: its centre of mass in the crop is the template's point."""
    spec = replace(SPEC, height=height, width=width)
    template = template_points(height, width)
    points = moved(TEMPLATE - 56, similarity(angle, scale, 330, 290))
    rows, columns = np.mgrid[0:600, 0:640]
    for index, (x, y) in enumerate(points):
        dot = 255 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * (3 * scale) ** 2))
        picture = Image(np.repeat(dot.astype(np.uint8)[..., None], 3, axis=2), "rgb")
        crop = align_faces([face(picture, points)], spec)[0, ..., 0].astype(np.float64)
        ys, xs = np.mgrid[0:height, 0:width]
        centre = np.array([(crop * xs).sum(), (crop * ys).sum()]) / crop.sum()
        assert np.abs(centre - template[index]).max() < 0.5


def test_equals_the_reference_warp_on_a_photograph(photos: Path) -> None:
    """insightface's `norm_crop`: skimage's transform, cv2.warpAffine, black border."""
    from skimage.transform import SimilarityTransform

    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    matrix = SimilarityTransform.from_estimate(REAL, TEMPLATE.astype(np.float32)).params[:2]
    expected = cv2.warpAffine(image.pixels, matrix, (112, 112), borderValue=0.0)
    crop = align_faces([face(image, REAL)], SPEC)[0]
    # The two fits differ in their last digits, so a pixel may be rounded the other way.
    assert np.abs(crop.astype(int) - expected).max() <= 1
    assert expected.std() > 20


def test_crop_does_not_depend_on_the_colour_order(photos: Path) -> None:
    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    other = Image(np.ascontiguousarray(image.in_order("bgr")), "bgr")
    mixed = [face(image, REAL), face(other, REAL), boxed(image, 9, 9, 99, 120)]
    mixed.append(boxed(other, 9, 9, 99, 120))
    rgb = align_faces(mixed, SPEC)
    bgr = align_faces(mixed, replace(SPEC, color_order="bgr"))
    np.testing.assert_array_equal(rgb, bgr[..., ::-1])
    np.testing.assert_array_equal(rgb[0], rgb[1])
    np.testing.assert_array_equal(rgb[2], rgb[3])
    assert not np.array_equal(rgb[0], rgb[2])


def test_outside_of_the_frame_is_black() -> None:
    white = Image(np.full((112, 112, 3), 255, np.uint8), "rgb")
    crop = align_faces([face(white, TEMPLATE - [-56, 0])], SPEC)[0]
    # The points lie 56 to the right, so the crop shows columns 56 to 167 of 112.
    assert (crop[:, :56] == 255).all()
    assert (crop[:, 56:] == 0).all()


def test_no_faces() -> None:
    assert align_faces([], SPEC).shape == (0, 112, 112, 3)


def ramp(height: int = 80, width: int = 100) -> Image:
    """Red is the column, green the row."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.uint8)
    return Image(np.stack([columns, rows, np.zeros_like(rows)], axis=-1), "rgb")


def test_box_is_widened_by_its_size() -> None:
    small = replace(CROP, height=28, width=28)
    crop = align_faces([boxed(ramp(), 40, 30, 60, 50)], small)[0]
    # 20 % of 20 pixels a side: columns 36 to 63, rows 26 to 53, at their own size.
    np.testing.assert_array_equal(crop, ramp().pixels[26:54, 36:64])


def test_box_padding_is_the_specs() -> None:
    bare = replace(CROP, box_padding=0.0, height=20, width=20)
    crop = align_faces([boxed(ramp(), 40, 30, 60, 50)], bare)[0]
    np.testing.assert_array_equal(crop, ramp().pixels[30:50, 40:60])


def test_box_is_clamped_to_the_frame() -> None:
    whole = replace(CROP, height=80, width=100)
    crop = align_faces([boxed(ramp(), -40, -5, 140, 90)], whole)[0]
    np.testing.assert_array_equal(crop, ramp().pixels)


@pytest.mark.parametrize("spec", [SPEC, CROP], ids=["align", "crop"])
def test_faces_without_landmarks_are_cut_by_the_box(spec: PreprocessSpec) -> None:
    crop = align_faces([boxed(ramp(), 40, 30, 60, 50)], spec)[0]
    expected = cv2.resize(ramp().pixels[26:54, 36:64], (112, 112), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(crop, expected)


def test_geometry_crop_ignores_landmarks() -> None:
    image = ramp()
    with_points = face(image, TEMPLATE * 0.5 + 10)
    without = (image, replace(with_points[1], landmarks=None))
    np.testing.assert_array_equal(align_faces([with_points], CROP), align_faces([without], CROP))


@given(
    x=st.floats(-50, 150),
    y=st.floats(-50, 130),
    width=st.floats(1, 300),
    height=st.floats(1, 300),
)
def test_a_box_that_meets_the_picture_gives_a_crop_of_it(
    x: float, y: float, width: float, height: float
) -> None:
    meets = x < 100 and y < 80 and x + width > 0 and y + height > 0
    if meets:
        crop = align_faces([boxed(ramp(), x, y, x + width, y + height)], CROP)[0]
        assert max(0, x - 0.2 * width - 1) <= crop[..., 0].min()
        assert crop[..., 0].max() <= x + 1.2 * width
        assert max(0, y - 0.2 * height - 1) <= crop[..., 1].min()
        assert crop[..., 1].max() <= y + 1.2 * height


@pytest.mark.parametrize(
    "box",
    [(200, 10, 220, 30), (10, 10, 10, 30), (30, 10, 10, 30), (np.nan, 0, 9, 9), (0, 0, np.inf, 9)],
    ids=["outside", "empty", "reversed", "nan", "infinite"],
)
def test_refuses_a_box_without_pixels(box: tuple[float, ...]) -> None:
    with pytest.raises(InputError, match="no pixels"):
        align_faces([boxed(ramp(), *box)], CROP)


def test_a_box_is_scaled_by_the_filter_that_the_spec_names(photos: Path) -> None:
    import torch

    image = load_image(photos / "groups" / "friends_6_faces.jpg")
    spec = replace(CROP, height=64, width=48, resample="bilinear_antialias")
    crop = align_faces([boxed(image, 400.2, 200.7, 700.1, 600.4)], spec)[0]
    # Widened by a fifth of 299.9 and 399.7 pixels a side.
    region = image.in_order("rgb")[120:681, 340:761]
    planes = torch.from_numpy(region.copy()).permute(2, 0, 1)[None].float()
    wanted = torch.nn.functional.interpolate(planes, (64, 48), mode="bilinear", antialias=True)
    assert np.abs(crop - wanted[0].permute(1, 2, 0).numpy()).max() <= 0.51
    sampled = align_faces(
        [boxed(image, 400.2, 200.7, 700.1, 600.4)], replace(spec, resample="bilinear")
    )
    assert np.abs(crop.astype(int) - sampled[0]).max() > 10
