"""Detectors: one module a family's decoder, and one frame around them all."""

from __future__ import annotations

from faceport.runtime.detectors.detector import FaceDetector
from faceport.runtime.detectors.limits import DetectionLimits, limits_of
from faceport.runtime.detectors.opening import open_detector
from faceport.runtime.detectors.registry import DECODERS, make_decoder

__all__ = [
    "DECODERS",
    "DetectionLimits",
    "FaceDetector",
    "limits_of",
    "make_decoder",
    "open_detector",
]
