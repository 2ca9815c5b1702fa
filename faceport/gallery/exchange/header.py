"""What both formats say of themselves: format, version, space, settings."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from faceport.codec import decode, encode
from faceport.errors import GalleryError, SpecError
from faceport.gallery.exchange.content import FORMAT, VERSION, Content
from faceport.gallery.types import Settings, Space

T = TypeVar("T")


def header_of(content: Content) -> dict[str, Any]:
    """Return the header of a content, as JSON values."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "space": encode(content.space),
        "settings": encode(content.settings),
        "redacted": content.redacted,
    }


def read_json(path: Path, text: bytes) -> Mapping[str, Any]:
    """Read a JSON object whose header is that of an export.

    Raises:
        GalleryError: it is something else, or of another version.
    """
    try:
        values = json.loads(text)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, Mapping):
        raise no_export(path, repr(text[:40]))
    found = values.get("format"), values.get("version")
    if found != (FORMAT, VERSION):
        raise no_export(path, f"format {found[0]!r}, version {found[1]!r}")
    return values


def part(path: Path, values: Mapping[str, Any], key: str, cls: type[T]) -> T:
    """Read a part of the header.

    Raises:
        GalleryError: it is missing or malformed.
    """
    try:
        return decode(cls, values.get(key), key)
    except SpecError as error:
        raise GalleryError(f"{path} is damaged: {error}", fix="export it again") from error


def space_and_settings(path: Path, values: Mapping[str, Any]) -> tuple[Space, Settings]:
    """Read both.

    Raises:
        GalleryError: one is missing or malformed.
    """
    return part(path, values, "space", Space), part(path, values, "settings", Settings)


def no_export(path: Path, received: str) -> GalleryError:
    """Return the error for a file that is no export."""
    return GalleryError(
        f"{path} is no exported gallery that can be read here",
        received=received,
        expected=f"format {FORMAT!r}, version {VERSION}",
        fix="make one with: faceport gallery export",
    )
