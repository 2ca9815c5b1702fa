"""Which module makes which format, and which precision.

Adding a format: write a module with an `export` that is an `Exporter` (or a `build` that is an
`EngineBuilder`), name it in `EXPORTERS` (`ENGINE_EXPORTERS`), and name the backend that runs its
files in `faceport.runtime.sessions.FORMAT_BACKENDS`. Adding a precision: a module with a `reduce`
that is a `PrecisionStep`, its name in `PRECISION_STEPS`, its tolerance in
`faceport.runtime.parity.TOLERANCES`. The bundle, the parity check and the manifest need no change.
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from faceport.errors import InputError
from faceport.exporters.base import EngineBuilder, Exporter
from faceport.exporters.precision.base import PrecisionStep

EXPORTERS: dict[str, str] = {
    "onnx": "faceport.exporters.onnx",
    "torchscript": "faceport.exporters.torchscript",
    "pt2": "faceport.exporters.pt2",
}
"""Artefact format to the module that has its `export`: made from the torch module, in fp32."""

ENGINE_EXPORTERS: dict[str, str] = {
    "tensorrt": "faceport.exporters.tensorrt.engine",
    "tensorrt-rtx": "faceport.exporters.tensorrt.rtx",
}
"""Artefact format to the module that has its `build`: made from the ONNX file of each precision."""

PRECISION_STEPS: dict[str, str] = {
    "fp32": "faceport.exporters.precision.fp32",
    "fp16": "faceport.exporters.precision.fp16",
    "int8": "faceport.exporters.precision.int8",
}
"""Precision to the module that has its `reduce`: from the plain fp32 ONNX graph to one of it."""


def exporter_of(format: str) -> Exporter:
    """Return the exporter of a format.

    Raises:
        InputError: no such format.
    """
    exporter: Exporter = _named(EXPORTERS, format, "format").export
    return exporter


def engine_builder_of(format: str) -> EngineBuilder:
    """Return the builder of an engine format.

    Raises:
        InputError: no such format.
    """
    builder: EngineBuilder = _named(ENGINE_EXPORTERS, format, "engine").build
    return builder


def precision_step_of(precision: str) -> PrecisionStep:
    """Return the step from the fp32 ONNX graph to a precision.

    Raises:
        InputError: no such precision.
    """
    step: PrecisionStep = _named(PRECISION_STEPS, precision, "precision").reduce
    return step


def _named(registry: Mapping[str, str], name: str, what: str) -> Any:
    if name not in registry:
        raise InputError(f"no such {what}", received=name, expected=", ".join(registry))
    return importlib.import_module(registry[name])
