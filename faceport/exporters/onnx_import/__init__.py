"""Import an existing ONNX detector or recogniser into a bundle."""

from __future__ import annotations

from faceport.exporters.onnx_import.importing import import_onnx
from faceport.exporters.onnx_import.options import FAMILIES, Family, ImportOptions

__all__ = ["FAMILIES", "Family", "ImportOptions", "import_onnx"]
