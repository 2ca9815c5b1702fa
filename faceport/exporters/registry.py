"""Which module exports which format.

Adding one: write a module with an `export` that is an `Exporter`, name it in `EXPORTERS`, and name
the backend that runs its files in `faceport.runtime.sessions.FORMAT_BACKENDS`. The bundle, the
parity check and the manifest need no change.
"""

from __future__ import annotations

import importlib

from faceport.errors import InputError
from faceport.exporters.base import Exporter

EXPORTERS: dict[str, str] = {
    "onnx": "faceport.exporters.onnx",
    "torchscript": "faceport.exporters.torchscript",
    "pt2": "faceport.exporters.pt2",
}
"""Artefact format to the module that has its `export`."""


def exporter_of(format: str) -> Exporter:
    """Return the exporter of a format.

    Raises:
        InputError: no such format.
    """
    if format not in EXPORTERS:
        raise InputError("no such format", received=format, expected=", ".join(EXPORTERS))
    exporter: Exporter = importlib.import_module(EXPORTERS[format]).export
    return exporter
