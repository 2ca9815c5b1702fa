"""From a command's choices to a library call's options."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, TypeVar

T = TypeVar("T")


def picked(cls: type[T], choices: Mapping[str, Any]) -> T:
    """Fill an options class from the choices named like its fields; None keeps the default."""
    names = {field.name for field in dataclasses.fields(cls)}  # type: ignore[arg-type]
    return cls(**{k: v for k, v in choices.items() if k in names and v is not None})
