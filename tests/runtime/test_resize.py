"""The filters against torch, on real photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.images import load_image
from faceport.runtime.resize import RESIZERS, resize_into

PHOTOS = ("groups/friends_6_faces.jpg", "pairs/clapton-1.jpg", "pairs/adaface_3.jpeg")
ROUNDING = 0.5 + 0.01
"""Half a level, and float32's own error in the reference."""

Pixels = NDArray[np.uint8]


def by_torch(pixels: Pixels, height: int, width: int) -> NDArray[np.float32]:
    """Resize 0-255 floats, not rounded."""
    planes = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float().contiguous()
    result = torch.nn.functional.interpolate(
        planes, (height, width), mode="bilinear", antialias=True
    )
    resized: NDArray[np.float32] = result[0].permute(1, 2, 0).numpy()
    return resized


def by_us(pixels: Pixels, height: int, width: int, resample: str = "bilinear_antialias") -> Pixels:
    target = np.zeros((height, width, 3), np.uint8)
    resize_into(pixels, target, resample)  # type: ignore[arg-type]
    return target


@pytest.fixture(scope="module", params=PHOTOS)
def photo(request: pytest.FixtureRequest, photos: Path) -> Pixels:
    return load_image(photos / request.param).in_order("rgb")


@pytest.mark.parametrize("factor", [0.3, 0.7, 1, 1.5, 2, 3, 5, 8])
def test_photographs_come_out_as_torchs_antialiased_ones(photo: Pixels, factor: float) -> None:
    height, width = (min(round(side / factor), 1000) for side in photo.shape[:2])
    region = photo[: round(height * factor), : round(width * factor)]
    difference = by_us(region, height, width) - by_torch(region, height, width)
    assert np.abs(difference).max() <= ROUNDING
    assert np.abs(difference).mean() <= 0.3
    # No shift and no change of brightness.
    assert abs(difference.mean()) <= 0.02


@pytest.mark.parametrize("factor", [2, 3, 5])
def test_sampling_would_have_failed_that(photo: Pixels, factor: int) -> None:
    height, width = (side // factor for side in photo.shape[:2])
    region = photo[: height * factor, : width * factor]
    sampled = by_us(region, height, width, "bilinear")
    assert np.abs(sampled - by_torch(region, height, width)).max() > 10


# From 2 on: to a width of 1 torch 2.13 does not scale the height (on a CPU, antialiased).
@settings(deadline=None, max_examples=60)
@given(
    seed=st.integers(0, 2**32 - 1),
    before=st.tuples(st.integers(2, 90), st.integers(2, 90)),
    after=st.tuples(st.integers(2, 40), st.integers(2, 40)),
)
def test_any_size_and_any_pixels(
    seed: int, before: tuple[int, int], after: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (*before, 3), np.uint8)
    assert np.abs(by_us(pixels, *after) - by_torch(pixels, *after)).max() <= ROUNDING


@pytest.mark.parametrize("resample", RESIZERS)
def test_a_part_of_a_picture_is_scaled_as_if_it_were_alone(photo: Pixels, resample: str) -> None:
    part = photo[20:90, 31:122]
    assert not part.flags.c_contiguous
    alone = by_us(part.copy(), 40, 50, resample)
    np.testing.assert_array_equal(by_us(part, 40, 50, resample), alone)


def test_a_picture_one_pixel_wide_is_scaled_too() -> None:
    pixels = np.array([0, 100], np.uint8).reshape(2, 1, 1).repeat(3, axis=2)
    column = by_us(pixels, 4, 1)[:, 0, 0].tolist()
    assert column == [0, 25, 75, 100]


@pytest.mark.parametrize("resample", RESIZERS)
def test_the_same_size_is_the_same_picture(photo: Pixels, resample: str) -> None:
    np.testing.assert_array_equal(by_us(photo, *photo.shape[:2], resample), photo)
