from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from faceport.exporters.base import Calibrator
from faceport.exporters.precision.qdq import activation_scale, weight_in_8_bits
from faceport.exporters.precision.ranges import Range, ranges_of


def found(calibrator: Calibrator, *pictures: NDArray[np.float32]) -> Range:
    return ranges_of(lambda: [{"x": picture} for picture in pictures], calibrator)["x"]


def test_minmax_is_all_that_was_seen_and_always_holds_0() -> None:
    assert found("minmax", np.float32([1, 2]), np.float32([5, 3])) == Range(0.0, 5.0)
    assert found("minmax", np.float32([-3, -2]), np.float32([-1])) == Range(-3.0, 0.0)


@pytest.mark.parametrize("calibrator", ["percentile", "entropy"])
def test_a_lone_outlier_is_cut_off_and_little_else(calibrator: Calibrator) -> None:
    values = np.random.default_rng(2).normal(size=100_000).astype(np.float32)
    values[7] = 60
    span = found(calibrator, *np.split(values, 4))
    assert 2.5 < span.high < 10
    outside = np.mean((values < span.low) | (values > span.high))
    assert outside <= 1e-3


@pytest.mark.parametrize("calibrator", ["minmax", "percentile", "entropy"])
def test_values_that_are_all_0_have_no_range(calibrator: Calibrator) -> None:
    assert found(calibrator, np.zeros(50, np.float32)) == Range(0.0, 0.0)


@given(st.floats(-1e4, 0), st.floats(0, 1e4))
def test_a_number_in_range_is_at_most_half_a_step_off(low: float, high: float) -> None:
    x = np.linspace(low, high, 101)
    step, zero = activation_scale(Range(low, high), "onnxruntime")
    back = (np.clip(np.rint(x / step) + int(zero), 0, 255) - int(zero)) * step
    # The zero point is rounded too, which costs half a step at an end.
    assert np.abs(back - x).max() <= step * 1.01
    assert 0.0 in (np.arange(256) - int(zero)) * step
    step, zero = activation_scale(Range(low, high), "tensorrt")
    assert int(zero) == 0
    back = np.clip(np.rint(x / step), -128, 127) * step
    assert np.abs(back - x).max() <= step * 0.51


@pytest.mark.parametrize("axis", [0, 1])
def test_each_channel_of_a_weight_has_its_own_step(axis: int) -> None:
    weight = np.random.default_rng(3).normal(size=(4, 6, 3, 3)).astype(np.float32)
    weight *= 10.0 ** np.arange(weight.shape[axis]).reshape(
        [-1 if i == axis else 1 for i in range(4)]
    )
    whole, steps = weight_in_8_bits(weight, axis)
    shape = [-1 if i == axis else 1 for i in range(4)]
    others = tuple(i for i in range(4) if i != axis)
    assert np.abs(whole).max(axis=others).tolist() == [127] * weight.shape[axis]
    assert (np.abs(whole * steps.reshape(shape) - weight) <= steps.reshape(shape) * 0.501).all()
