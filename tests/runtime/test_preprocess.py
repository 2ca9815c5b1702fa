"""`to_tensor` against the formula in float64, for every order, layout and dtype."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.runtime.preprocess import to_tensor
from faceport.spec import ColorOrder, Layout, PreprocessSpec

SPEC = PreprocessSpec(
    height=6,
    width=4,
    color_order="rgb",
    mean=(123.675, 116.28, 103.53),
    std=(58.395, 57.12, 57.375),
    geometry="letterbox",
)
RAW = replace(SPEC, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0), dtype="uint8")


def pictures(count: int = 3, height: int = 6, width: int = 4) -> NDArray[np.uint8]:
    return np.random.default_rng(5).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def reference(
    pixels: NDArray[np.uint8], order: ColorOrder, spec: PreprocessSpec
) -> NDArray[np.float64]:
    """The formula, pixel by pixel in float64."""
    out = np.zeros((len(pixels), 3, *pixels.shape[1:3]), np.float64)
    for channel, name in enumerate(spec.color_order):
        plane = pixels[..., order.index(name)].astype(np.float64)
        out[:, channel] = (plane - spec.mean[channel]) / spec.std[channel]
    return out if spec.layout == "nchw" else np.moveaxis(out, 1, 3)


@pytest.mark.parametrize("order", ["rgb", "bgr"])
@pytest.mark.parametrize("wanted", ["rgb", "bgr"])
@pytest.mark.parametrize("layout", ["nchw", "nhwc"])
@pytest.mark.parametrize("base", [SPEC, RAW], ids=["float32", "uint8"])
def test_equals_the_formula(
    order: ColorOrder, wanted: ColorOrder, layout: Layout, base: PreprocessSpec
) -> None:
    spec = replace(base, color_order=wanted, layout=layout)
    pixels = pictures()
    tensor = to_tensor(pixels, order, spec)
    expected = reference(pixels, order, spec)
    assert tensor.dtype == np.dtype(spec.dtype)
    assert tensor.shape == expected.shape
    assert tensor.flags.c_contiguous
    assert np.abs(tensor - expected).max() <= 1e-6


@settings(deadline=None, max_examples=50)
@given(
    mean=st.tuples(*[st.floats(-10, 300)] * 3),
    std=st.tuples(*[st.floats(0.01, 300)] * 3),
    count=st.integers(1, 4),
)
def test_error_is_that_of_float32(
    mean: tuple[float, float, float], std: tuple[float, float, float], count: int
) -> None:
    spec = replace(SPEC, mean=mean, std=std)
    pixels = pictures(count)
    expected = reference(pixels, "bgr", spec)
    error = np.abs(to_tensor(pixels, "bgr", spec) - expected).max()
    assert error <= 1e-6 * max(np.abs(expected).max(), 1e-3)


def test_takes_views_that_are_not_contiguous() -> None:
    wide = pictures(3, 12, 8)
    view = wide[:, ::2, ::-2, ::-1]
    copy = np.ascontiguousarray(view)
    np.testing.assert_array_equal(to_tensor(view, "bgr", SPEC), to_tensor(copy, "bgr", SPEC))


def test_leaves_its_input_alone() -> None:
    pixels = pictures()
    before = pixels.copy()
    to_tensor(pixels, "bgr", SPEC)
    to_tensor(pixels, "bgr", RAW)
    np.testing.assert_array_equal(pixels, before)


def test_dynamic_size_takes_any_size() -> None:
    spec = replace(SPEC, dynamic_size=True)
    assert to_tensor(pictures(1, 32, 64), "rgb", spec).shape == (1, 3, 32, 64)


@pytest.mark.parametrize(
    "pixels",
    [
        pictures()[0],
        pictures()[..., :2],
        pictures().astype(np.float32),
        pictures(0),
        pictures(1, 4, 6),
    ],
    ids=["one picture", "two channels", "float", "empty batch", "height and width swapped"],
)
def test_refuses_what_is_no_batch(pixels: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="expected"):
        to_tensor(pixels, "rgb", SPEC)


def test_refuses_an_unknown_order() -> None:
    with pytest.raises(InputError, match="color_order"):
        to_tensor(pictures(), "RGB", SPEC)  # type: ignore[arg-type]
