"""Enrolled identities and the search over them."""

from __future__ import annotations

from faceport.gallery.names import check_name
from faceport.gallery.sqlite import Gallery
from faceport.gallery.types import Identity, Match

__all__ = ["Gallery", "Identity", "Match", "check_name"]
