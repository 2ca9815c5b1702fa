"""From a published checkpoint to a torch module and its spec: `convert`.

Torch is imported when a checkpoint is converted, not when this package is.
"""

from __future__ import annotations

from faceport.converters.conversion import Conversion, ConvertOptions, Progress
from faceport.converters.convert import convert
from faceport.converters.layouts import archs, families

__all__ = ["Conversion", "ConvertOptions", "Progress", "archs", "convert", "families"]
