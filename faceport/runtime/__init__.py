"""The runtime: detect, align, embed. Importing it loads numpy and nothing heavier.

OpenCV, Pillow and the inference engines are imported when a picture is read or a model is loaded.
"""

from __future__ import annotations

from faceport.runtime.detectors import DetectionLimits, open_detector
from faceport.runtime.embedder import open_embedder
from faceport.runtime.pipeline import Pipeline, Result
from faceport.runtime.sessions import SessionOptions, open_session
from faceport.runtime.types import Detection, Detector, Embedder, Embedding, Face

__all__ = [
    "Detection",
    "DetectionLimits",
    "Detector",
    "Embedder",
    "Embedding",
    "Face",
    "Pipeline",
    "Result",
    "SessionOptions",
    "open_detector",
    "open_embedder",
    "open_session",
]
