from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from faceport.bundle import Bundle
from faceport.errors import ExportError
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.exporters.tensorrt.profile import batches_of, profile_of
from faceport.spec import TensorSpec


def test_an_embedder_has_a_range_of_batches(tiny_model: Any) -> None:
    options = BuildOptions(opt_batch=4, max_batch=16)
    assert profile_of(tiny_model.spec, options) == ((1, 3, 32, 24), (4, 3, 32, 24), (16, 3, 32, 24))
    limited = replace(tiny_model.spec, max_batch=2)
    assert batches_of(limited, options) == (1, 2, 2)


def test_a_fixed_batch_stays(tiny_model: Any) -> None:
    fixed = (TensorSpec("input", "float32", (6, 3, 32, 24)),)
    spec = replace(tiny_model.spec, inputs=fixed, max_batch=6)
    assert profile_of(spec, BuildOptions()) == ((6, 3, 32, 24),) * 3


def test_a_detector_of_any_size_goes_to_its_longest_side(detectors: dict[str, Path]) -> None:
    spec = Bundle.open(detectors["yunet"]).spec
    least, best, most = profile_of(spec, BuildOptions())
    assert (least[0], best[0], most[0]) == (1, 1, 1)
    assert batches_of(spec, BuildOptions(max_batch=2)) == (1, 1, 2)
    size = spec.preprocess
    assert size.dynamic_size
    assert least[2:] == (size.size_multiple, size.size_multiple)
    assert best[2:] == (size.height, size.width)
    assert most[2:] == (max(best[2:]), max(best[2:]))


def test_a_detector_of_fixed_size_has_one(detectors: dict[str, Path]) -> None:
    spec = Bundle.open(detectors["yunet"]).spec
    fixed = replace(spec, preprocess=replace(spec.preprocess, dynamic_size=False))
    least, best, most = profile_of(fixed, BuildOptions())
    assert most[0] == 8
    assert least[2:] == best[2:] == most[2:] == (fixed.preprocess.height, fixed.preprocess.width)


def test_an_axis_that_nothing_explains(tiny_model: Any) -> None:
    odd = (TensorSpec("input", "float32", ("batch", "channels", 32, 24)),)
    with pytest.raises(ExportError, match="axis 1"):
        profile_of(replace(tiny_model.spec, inputs=odd), BuildOptions())
