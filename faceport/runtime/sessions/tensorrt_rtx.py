"""Engines through TensorRT-RTX, NVIDIA's TensorRT for desktop cards: the same code, its module."""

from __future__ import annotations

from pathlib import Path

from faceport.runtime.sessions.base import SessionOptions
from faceport.runtime.sessions.tensorrt import TensorRtSession, open_engine
from faceport.runtime.tensorrt.modules import TENSORRT_RTX


def open_session(path: Path, options: SessionOptions) -> TensorRtSession:
    """Load an engine of TensorRT-RTX; see `open_engine`."""
    return open_engine(path, options, TENSORRT_RTX)
