"""Limits: the spec's own, overruled one by one, and checked."""

from __future__ import annotations

import math

import pytest

from faceport.errors import InputError
from faceport.runtime.detectors import DetectionLimits, limits_of
from faceport.spec import DetectorSpec

SPEC = DetectorSpec(
    decoder="scrfd",
    strides=(8,),
    outputs={},
    score_threshold=0.6,
    nms_threshold=0.3,
    max_faces=7,
    min_size=12.0,
)


def test_the_spec_has_the_defaults() -> None:
    assert limits_of(SPEC) == DetectionLimits(0.6, 0.3, 7, 12.0)


@pytest.mark.parametrize(
    ("name", "value"),
    [("score_threshold", 0.0), ("nms_threshold", 0.0), ("max_faces", 0), ("min_size", 0.0)],
)
def test_zero_is_a_value_and_overrules(name: str, value: float) -> None:
    limits = limits_of(SPEC, **{name: value})
    assert getattr(limits, name) == value
    others = {"score_threshold", "nms_threshold", "max_faces", "min_size"} - {name}
    assert all(getattr(limits, other) == getattr(SPEC, other) for other in others)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("score_threshold", 1.01),
        ("score_threshold", math.nan),
        ("nms_threshold", -0.1),
        ("max_faces", -1),
        ("min_size", -1.0),
        ("min_size", math.nan),
        ("min_size", math.inf),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: float) -> None:
    with pytest.raises(InputError, match=name):
        limits_of(SPEC, **{name: value})
