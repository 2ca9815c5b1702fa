"""A gallery's settings: checked, and as the JSON text that the store keeps."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, fields, replace
from typing import Any, cast, get_args

from faceport.errors import GalleryError, InputError
from faceport.gallery.stores.base import Reader
from faceport.gallery.types import DEFAULT_THRESHOLD, Fusion, Settings, ThresholdOrigin, VectorType

KEY = "settings"


def read_settings(reader: Reader, location: str) -> Settings:
    """Read the settings that a store keeps; those of a new gallery where it keeps none.

    Raises:
        GalleryError: they are damaged, or have something that this version does not know.
    """
    text = reader.meta(KEY)
    vector_type = reader.vector_type()
    if text is None:
        return Settings(vector_type=vector_type)
    try:
        values = json.loads(text)
        origin = values["threshold_origin"]
        values["threshold_origin"] = None if origin is None else ThresholdOrigin(**origin)
        return check_settings(replace(Settings(**values), vector_type=vector_type))
    except (ValueError, TypeError, KeyError, InputError) as error:
        raise GalleryError(
            f"gallery {location} has settings that can't be read: {error}",
            received=text[:80],
            fix="use the faceport version that wrote them, or restore the gallery from a copy",
        ) from error


def threshold_of(settings: Settings, given: float | None) -> float:
    """Return the cosine from which a face is known: as given, else the gallery's, else 0.35."""
    if given is not None:
        return given
    return DEFAULT_THRESHOLD if settings.threshold is None else settings.threshold


def settings_text(settings: Settings) -> str:
    """Write settings as JSON."""
    return json.dumps(asdict(settings), sort_keys=True)


def changed_settings(settings: Settings, changes: dict[str, object]) -> Settings:
    """Replace fields by name; a threshold given by hand loses the origin of the one before.

    Raises:
        InputError: there is no such field, or its value is out of range.
    """
    unknown = changes.keys() - {field.name for field in fields(Settings)}
    if unknown:
        raise InputError(
            "a gallery has no such setting",
            received=", ".join(sorted(unknown)),
            expected=", ".join(field.name for field in fields(Settings)),
        )
    if "threshold" in changes:
        changes = {"threshold_origin": None, **changes}
    return check_settings(replace(settings, **cast(dict[str, Any], changes)))


def check_settings(settings: Settings) -> Settings:
    """Return the settings, if they are usable.

    Raises:
        InputError: a value is out of range.
    """
    rules = (
        ("fusion", settings.fusion in get_args(Fusion), get_args(Fusion)),
        ("vector_type", settings.vector_type in get_args(VectorType), get_args(VectorType)),
        ("threshold", _within(settings.threshold, -1, 1), "-1 to 1, or None"),
        ("min_norm", _within(settings.min_norm, 0, math.inf), "0 or more, or None"),
        ("keep_crops", isinstance(settings.keep_crops, bool), "true or false"),
        ("audit", isinstance(settings.audit, bool), "true or false"),
        ("threshold_origin", _is_origin(settings.threshold_origin), "a ThresholdOrigin, or None"),
    )
    for name, fits, expected in rules:
        if not fits:
            raise InputError(
                f"the gallery's setting {name}",
                received=repr(getattr(settings, name)),
                expected=expected,
            )
    return settings


def _within(value: object, low: float, high: float) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return value is None or (number and math.isfinite(value) and low <= value <= high)  # type: ignore[arg-type, operator]


def _is_origin(value: object) -> bool:
    return value is None or isinstance(value, ThresholdOrigin)
