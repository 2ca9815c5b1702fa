"""Exports that several test modules look at, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from faceport.bundle import Bundle
from faceport.exporters import Exportable, ExportOptions, export_bundle


@pytest.fixture(scope="session")
def tiny_bundle(tiny_model: Exportable, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny network in every format."""
    folder: Path = tmp_path_factory.mktemp("tiny")
    options = ExportOptions(formats=("onnx", "torchscript", "pt2"))
    return export_bundle(tiny_model, folder / "tiny.bundle", options)
