"""A YAML file as plain data: no tags that make objects, and no key twice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faceport.errors import InputError, MissingDependencyError


def load_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        InputError: it can't be read, is no YAML, or has a key twice, of which PyYAML would silently
            drop the first.
        MissingDependencyError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("pyyaml", "bench") from error
    try:
        text = path.read_text(encoding="utf-8")
        _check_keys(yaml.compose(text, yaml.SafeLoader), path, set())
        return yaml.safe_load(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} could not be read: {reason}") from error
    except yaml.YAMLError as error:
        raise InputError(
            f"{path} is no YAML: {error}", fix="see `faceport sweep --help`"
        ) from error


def _check_keys(node: Any, path: Path, seen: set[int]) -> None:
    """Look for a key that is there twice; an alias may lead back to what was seen."""
    if node is None or id(node) in seen or not isinstance(node.value, list):
        return
    seen.add(id(node))
    lines: dict[str, int] = {}
    for child in node.value:
        if not isinstance(child, tuple):
            _check_keys(child, path, seen)
            continue
        key, value = child
        line = key.start_mark.line + 1
        if str(key.value) in lines:
            raise InputError(
                f"{path} has the key {str(key.value)!r} twice",
                received=f"lines {lines[str(key.value)]} and {line}",
                fix="leave one of them out",
            )
        lines[str(key.value)] = line
        _check_keys(value, path, seen)
