"""Weights put into an engine that was built without them, from the bundle's ONNX file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faceport.bundle import sha256_of
from faceport.errors import SessionError
from faceport.runtime.tensorrt.engine_file import EngineHeader, rebuild
from faceport.runtime.tensorrt.logger import last_error


def refit(trt: Any, engine: Any, logger: Any, path: Path, header: EngineHeader) -> None:
    """Put the weights in.

    Args:
        trt: `tensorrt` or `tensorrt_rtx`.
        engine: to fill.
        logger: of the engine's runtime.
        path: of the engine's file; the ONNX file is looked for beside it.
        header: names the ONNX file and its hash.

    Raises:
        SessionError: the ONNX file is missing or another one, or TensorRT refuses its weights.
    """
    source = path.parent / Path(header.onnx_file).name
    if not source.is_file() or sha256_of(source) != header.onnx_sha256:
        raise SessionError(
            f"{path.name} has no weights of its own, and the ONNX file that has them is not there",
            received=f"{source.name}: {'another file' if source.is_file() else 'missing'}",
            expected=f"sha256 {header.onnx_sha256[:16]}",
            fix=f"copy the whole bundle, or {rebuild(path, header)}",
        )
    refitter = trt.Refitter(engine, logger)
    parsed = trt.OnnxParserRefitter(refitter, logger).refit_from_file(str(source))
    if not parsed or not refitter.refit_cuda_engine():
        raise SessionError(
            f"TensorRT could not put the weights into {path.name}: {last_error(logger)}",
            fix=rebuild(path, header),
        )
