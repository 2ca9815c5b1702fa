"""faceport: face model checkpoints in, proven edge artefacts out, and a light runtime for them.

The names below are loaded when first used, so that `import faceport` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from faceport.version import __version__

if TYPE_CHECKING:
    from faceport.bundle import Bundle
    from faceport.errors import FaceportError
    from faceport.gallery import Gallery, Sample
    from faceport.images import Image, load_image
    from faceport.runtime.pipeline import Pipeline
    from faceport.runtime.sessions.base import SessionOptions
    from faceport.runtime.types import Detection, Embedding, Face
    from faceport.spec import ModelSpec, PreprocessSpec

__all__ = [
    "Bundle",
    "Detection",
    "Embedding",
    "Face",
    "FaceportError",
    "Gallery",
    "Image",
    "ModelSpec",
    "Pipeline",
    "PreprocessSpec",
    "Sample",
    "SessionOptions",
    "__version__",
    "load_image",
]

_HOMES = {
    "Bundle": "faceport.bundle",
    "Detection": "faceport.runtime.types",
    "Embedding": "faceport.runtime.types",
    "Face": "faceport.runtime.types",
    "FaceportError": "faceport.errors",
    "Gallery": "faceport.gallery",
    "Image": "faceport.images",
    "ModelSpec": "faceport.spec",
    "Pipeline": "faceport.runtime.pipeline",
    "PreprocessSpec": "faceport.spec",
    "Sample": "faceport.gallery",
    "SessionOptions": "faceport.runtime.sessions.base",
    "load_image": "faceport.images",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'faceport' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
