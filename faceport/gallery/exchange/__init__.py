"""Galleries as files for other programs: Parquet, or NPZ with JSON. See docs/gallery.md."""

from __future__ import annotations

from faceport.gallery.exchange.content import Content, check_content
from faceport.gallery.exchange.copying import content_of, import_content
from faceport.gallery.exchange.files import read_content, write_content
from faceport.gallery.exchange.redaction import redacted

__all__ = [
    "Content",
    "check_content",
    "content_of",
    "import_content",
    "read_content",
    "redacted",
    "write_content",
]
