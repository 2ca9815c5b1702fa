"""The two NVIDIA modules with one API, imported only when an engine is built or run."""

from __future__ import annotations

import importlib
from typing import Any

from faceport.errors import MissingDependencyError

TENSORRT = "tensorrt"
TENSORRT_RTX = "tensorrt-rtx"

MODULES = {TENSORRT: "tensorrt", TENSORRT_RTX: "tensorrt_rtx"}
"""Backend to the module's import name; the extra is called like the backend."""

SHORT = {TENSORRT: "trt", TENSORRT_RTX: "trtrtx"}
"""Backend to how an engine's file name calls it."""


def import_tensorrt(backend: str) -> Any:
    """Return the module of a backend.

    Raises:
        MissingDependencyError: it is not installed, or its libraries are not.
    """
    try:
        return importlib.import_module(MODULES[backend])
    # Its bindings without its libraries fail with OSError.
    except (ImportError, OSError) as error:
        raise MissingDependencyError(MODULES[backend], backend) from error


def version_of(trt: Any) -> str:
    """Return the module's version, like `10.3.0.30`."""
    return str(trt.__version__)
