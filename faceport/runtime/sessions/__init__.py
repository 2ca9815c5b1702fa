"""Sessions: one module a backend, all behind the protocol in `base`.

Adding one: write a module with an `open_session(path, options)` that returns a `Session`, and name
it in `BACKENDS`.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from faceport.errors import InputError
from faceport.runtime.sessions.base import Session, SessionFactory, SessionOptions

__all__ = [
    "BACKENDS",
    "BACKEND_FORMATS",
    "DEVICE_FORMATS",
    "FORMAT_BACKENDS",
    "Session",
    "SessionOptions",
    "open_session",
]

BACKENDS: dict[str, str] = {
    "onnxruntime": "faceport.runtime.sessions.onnxruntime",
    "openvino": "faceport.runtime.sessions.openvino",
    "torchscript": "faceport.runtime.sessions.torchscript",
    "pt2": "faceport.runtime.sessions.pt2",
    "tensorrt": "faceport.runtime.sessions.tensorrt",
    "tensorrt-rtx": "faceport.runtime.sessions.tensorrt_rtx",
}
"""Backend name to the module that has its `open_session`. `stub` needs no file: see `stub`."""

FORMAT_BACKENDS: dict[str, str] = {
    "onnx": "onnxruntime",
    "torchscript": "torchscript",
    "pt2": "pt2",
    "tensorrt": "tensorrt",
    "tensorrt-rtx": "tensorrt-rtx",
}
"""Artefact format to the backend that runs it unless another is asked for."""

BACKEND_FORMATS: dict[str, tuple[str, ...]] = {
    "onnxruntime": ("onnx",),
    "openvino": ("onnx",),
    "torchscript": ("torchscript",),
    "pt2": ("pt2",),
    "tensorrt": ("tensorrt",),
    "tensorrt-rtx": ("tensorrt-rtx",),
}
"""Backend to the artefact formats that it runs."""

DEVICE_FORMATS: frozenset[str] = frozenset({"tensorrt", "tensorrt-rtx"})
"""Formats that may be made on a machine that can't run them, and so be without parity figures.

They run on `cuda` and on nothing else."""


def open_session(path: str | Path, backend: str, options: SessionOptions | None = None) -> Session:
    """Load an artefact.

    Raises:
        InputError: no such backend.
        MissingDependencyError: the backend's package is not installed.
        ProviderUnavailableError: none of the providers listed is there.
        SessionError: the engine can't load the file.
    """
    if backend not in BACKENDS:
        raise InputError("no such backend", received=backend, expected=", ".join(BACKENDS))
    factory: SessionFactory = importlib.import_module(BACKENDS[backend]).open_session
    return factory(Path(path), options or SessionOptions())
