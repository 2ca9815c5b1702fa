"""Frozen dataclasses to JSON values and back, strictly: no unknown keys, no missing ones.

A spec that is read wrongly gives wrong preprocessing without any sign of it, so every value is
checked against the annotation of its field, and the error names the path to it.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from faceport.errors import SpecError

T = TypeVar("T")


def encode(value: Any) -> Any:
    """Return `value` (a dataclass, or what its fields hold) as dicts, lists and scalars."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [encode(item) for item in value]
    return str(value) if isinstance(value, Path) else value


def decode(cls: type[T], data: object, path: str = "") -> T:
    """Build the dataclass `cls` from JSON values.

    Fields with a default may be absent; unknown keys may not be there.

    Raises:
        SpecError: a key is unknown or missing, or a value is not of its field's type.
    """
    where = path or cls.__name__
    if not isinstance(data, Mapping):
        raise SpecError(f"{where} is malformed", received=kind(data), expected="a JSON object")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(fields))
    if unknown:
        raise SpecError(
            f"{where} has an unknown key",
            received=unknown[0],
            expected=f"one of {', '.join(fields)}",
            fix="read it with the faceport version that wrote it",
        )
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in data:
            values[name] = _value(hints[name], data[name], f"{where}.{name}")
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise SpecError(f"{where} lacks a key", expected=name)
    return cls(**values)


def kind(value: object) -> str:
    """Name a value's JSON type and a glimpse of it, for messages."""
    return f"{type(value).__name__} {str(value)[:60]!r}"


def _value(hint: Any, value: object, path: str) -> Any:
    origin = typing.get_origin(hint)
    args = typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        inner = [a for a in args if a is not type(None)]
        if len(inner) == 1:
            return _value(inner[0], value, path)
        return _first_match(inner, value, path)
    if origin is typing.Literal:
        if value not in args or isinstance(value, bool):
            raise SpecError(f"{path} is not known", received=kind(value), expected=_one_of(args))
        return value
    if origin is tuple:
        return _tuple(args, value, path)
    if origin in (dict, Mapping):
        if not isinstance(value, Mapping):
            raise SpecError(f"{path} is malformed", received=kind(value), expected="an object")
        return {str(k): _value(args[1], v, f"{path}.{k}") for k, v in value.items()}
    if dataclasses.is_dataclass(hint):
        return decode(typing.cast(type[Any], hint), value, path)
    return _scalar(hint, value, path)


def _first_match(hints: list[Any], value: object, path: str) -> Any:
    for hint in hints:
        try:
            return _value(hint, value, path)
        except SpecError:
            continue
    names = " or ".join(getattr(h, "__name__", str(h)) for h in hints)
    raise SpecError(f"{path} is malformed", received=kind(value), expected=names)


def _tuple(args: tuple[Any, ...], value: object, path: str) -> tuple[Any, ...]:
    if not isinstance(value, list | tuple):
        raise SpecError(f"{path} is malformed", received=kind(value), expected="a list")
    if args[-1] is Ellipsis:
        return tuple(_value(args[0], v, f"{path}[{i}]") for i, v in enumerate(value))
    if len(value) != len(args):
        raise SpecError(f"{path} is malformed", received=f"{len(value)} values", expected=len(args))
    return tuple(
        _value(a, v, f"{path}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True))
    )


def _scalar(hint: Any, value: object, path: str) -> Any:
    if hint is float and isinstance(value, int | float) and not isinstance(value, bool):
        # Compared, not converted: a JSON integer may be larger than any float.
        if math.isfinite(value) if isinstance(value, float) else abs(value) < 2**53:
            return float(value)
    elif hint is bool:
        if isinstance(value, bool):
            return value
    elif hint is Path:
        if isinstance(value, str):
            return Path(value)
    elif isinstance(value, hint) and not isinstance(value, bool):
        return value
    raise SpecError(f"{path} is malformed", received=kind(value), expected=hint.__name__)


def _one_of(options: tuple[object, ...]) -> str:
    return "one of " + ", ".join(str(o) for o in options)
