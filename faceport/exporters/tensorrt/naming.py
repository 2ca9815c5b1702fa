"""The name of an engine's file: precision, GPU, compute capability, TensorRT's version."""

from __future__ import annotations

import re

from faceport.runtime.tensorrt.device import Gpu
from faceport.runtime.tensorrt.modules import SHORT

ANY_GPU = "any-gpu"
VERSION_PARTS = 3


def engine_name(precision: str, backend: str, version: str, gpu: Gpu | None) -> str:
    """Return a file name like `model.fp16.orin.sm87.trt10.3.0.engine`.

    Args:
        precision: of the graph.
        backend: `tensorrt` or `tensorrt-rtx`.
        version: of its module; the first three numbers are taken.
        gpu: that the engine belongs to; None if it runs on any that its runtime supports.
    """
    short = ".".join(version.split(".")[:VERSION_PARTS])
    device = ANY_GPU
    if gpu is not None:
        slug = re.sub(r"[^a-z0-9]+", "-", gpu.name.lower()).strip("-") or "gpu"
        device = f"{slug}.sm{gpu.compute_capability.replace('.', '')}"
    return f"model.{precision}.{device}.{SHORT[backend]}{short}.engine"
