"""What an input's shape says, and what it leaves open."""

from __future__ import annotations

import pytest

from faceport.errors import ExportError, InputError
from faceport.exporters.onnx_import.graph_input import GraphInput, read_input
from faceport.spec import Layout, TensorSpec


def entry(*shape: int | str, dtype: str = "float32") -> TensorSpec:
    return TensorSpec("x", dtype, shape)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((1, 3, 112, 96), ("nchw", False, 112, 96)),
        (("N", 3, 112, 96), ("nchw", True, 112, 96)),
        (("N", 112, 96, 3), ("nhwc", True, 112, 96)),
        (("N", 3, "h", "w"), ("nchw", True, None, None)),
        ((1, "h", "w", 3), ("nhwc", False, None, None)),
        (("N", 3, 112, "w"), ("nchw", True, 112, None)),
    ],
)
def test_the_shape_says(
    shape: tuple[int | str, ...], expected: tuple[Layout, bool, int | None, int | None]
) -> None:
    found = read_input([entry(*shape)])
    assert (found.layout, found.batch_is_open, found.height, found.width) == expected


def test_the_description_names_open_axes() -> None:
    opened = GraphInput("x", "float32", "nchw", True, None, None)
    assert opened.tensor_spec().shape == ("batch", 3, "height", "width")
    fixed = GraphInput("x", "uint8", "nhwc", False, 112, 96)
    assert fixed.tensor_spec() == TensorSpec("x", "uint8", (1, 112, 96, 3))


def test_an_open_channel_axis_needs_a_word() -> None:
    shape = entry("N", "a", "b", "c")
    with pytest.raises(InputError, match="--layout nchw or --layout nhwc"):
        read_input([shape])
    assert read_input([shape], "nhwc").layout == "nhwc"
    assert read_input([shape], "nchw").layout == "nchw"


def test_a_word_against_the_shape_is_refused() -> None:
    with pytest.raises(InputError, match=r"received nhwc for shape .*; expected nchw"):
        read_input([entry("N", 3, 112, 112)], "nhwc")


def test_a_shape_that_fits_both_goes_by_the_word() -> None:
    shape = entry("N", 3, 112, 3)
    assert read_input([shape], "nhwc").layout == "nhwc"


@pytest.mark.parametrize(
    "shape", [(1, 1, 112, 112), ("N", 4, 112, 112), ("N", 3, 112), ("N", 37632), (1, 112, 112, 1)]
)
def test_what_takes_no_colour_pictures(shape: tuple[int | str, ...]) -> None:
    with pytest.raises(ExportError, match="takes no colour pictures"):
        read_input([entry(*shape)])


@pytest.mark.parametrize("dtype", ["float16", "float64", "int8", "int32", "int64", "bool"])
def test_other_dtypes_are_refused(dtype: str) -> None:
    with pytest.raises(ExportError, match=f"received {dtype}; expected float32, or uint8"):
        read_input([entry(1, 3, 112, 112, dtype=dtype)])


@pytest.mark.parametrize("batch", [2, 4, 16])
def test_a_batch_fixed_above_one_is_refused(batch: int) -> None:
    with pytest.raises(ExportError, match=f"takes {batch} pictures at a time"):
        read_input([entry(batch, 3, 112, 112)])


def test_one_input() -> None:
    with pytest.raises(ExportError, match="another number of inputs"):
        read_input([entry(1, 3, 8, 8), entry(1, 3, 8, 8)])
    with pytest.raises(ExportError, match="another number of inputs"):
        read_input([])
