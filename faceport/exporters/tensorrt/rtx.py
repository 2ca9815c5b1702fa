"""Engines of TensorRT-RTX: portable between RTX cards, compiled for one when they are loaded."""

from __future__ import annotations

from pathlib import Path

from faceport.exporters.base import Exported, ExportOptions
from faceport.exporters.tensorrt.engine import build_engine
from faceport.exporters.tensorrt.options import BuildOptions
from faceport.spec import ModelSpec


def build(
    onnx_file: Path, spec: ModelSpec, precision: str, folder: Path, options: ExportOptions
) -> Exported:
    """Build an engine of TensorRT-RTX; needs no GPU. See `EngineBuilder`."""
    chosen = BuildOptions(max_batch=options.max_batch)
    return build_engine(onnx_file, spec, precision, folder, "tensorrt-rtx", chosen)
