from __future__ import annotations

import pytest

from faceport.exporters.tensorrt.naming import engine_name
from faceport.runtime.tensorrt.device import Gpu


@pytest.mark.parametrize(
    ("gpu", "version", "expected"),
    [
        (Gpu(0, "Orin", "8.7", 1), "10.3.0.30", "model.fp16.orin.sm87.trt10.3.0.engine"),
        (
            Gpu(0, "NVIDIA H100 80GB HBM3", "9.0", 1),
            "11.4.0.106",
            "model.fp16.nvidia-h100-80gb-hbm3.sm90.trt11.4.0.engine",
        ),
        (Gpu(0, "../ ", "8.7", 1), "10.3", "model.fp16.gpu.sm87.trt10.3.engine"),
    ],
)
def test_names(gpu: Gpu, version: str, expected: str) -> None:
    assert engine_name("fp16", "tensorrt", version, gpu) == expected


def test_an_engine_for_any_gpu() -> None:
    name = engine_name("int8", "tensorrt-rtx", "1.7.1.116", None)
    assert name == "model.int8.any-gpu.trtrtx1.7.1.engine"
