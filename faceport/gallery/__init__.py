"""Enrolled identities and the search over them."""

from __future__ import annotations

from faceport.gallery.gallery import Gallery
from faceport.gallery.names import check_name
from faceport.gallery.protocol import GalleryProtocol
from faceport.gallery.types import (
    Answer,
    Identity,
    Match,
    Problem,
    Sample,
    Settings,
    Space,
    Stats,
    StoredSample,
    ThresholdOrigin,
    VectorSet,
)

__all__ = [
    "Answer",
    "Gallery",
    "GalleryProtocol",
    "Identity",
    "Match",
    "Problem",
    "Sample",
    "Settings",
    "Space",
    "Stats",
    "StoredSample",
    "ThresholdOrigin",
    "VectorSet",
    "check_name",
]
