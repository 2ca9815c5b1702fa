"""A YAML file as plain data: no tags that make objects, no key twice, no aliases without end."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faceport.errors import InputError, MissingDependencyError

MOST = 1_000_000
"""Characters of a file with its aliases written out: nine lines of them can stand for gigabytes."""


def load_yaml(path: Path) -> Any:
    """Read a YAML file.

    Raises:
        InputError: it can't be read, is no YAML, is too large, or has a key twice, of which PyYAML
            would silently drop the first.
        MissingDependencyError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingDependencyError("pyyaml", "bench") from error
    try:
        text = path.read_text(encoding="utf-8")
        node = yaml.compose(text, yaml.SafeLoader)
        if node is not None and _size(node, {}) >= MOST:
            raise InputError(
                f"{path} is too large with its aliases written out",
                expected=f"less than {MOST:,} characters",
            )
        _check_keys(node, path, set())
        return yaml.safe_load(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} could not be read: {reason}") from error
    except yaml.YAMLError as error:
        raise InputError(
            f"{path} is no YAML: {error}", fix="see `faceport sweep --help`"
        ) from error


def _size(node: Any, known: dict[int, int]) -> int:
    """Return the characters of a node with its aliases written out, `MOST` if there are more."""
    if id(node) not in known:
        # For the time being, so that a node within itself ends here: it would be without end.
        known[id(node)] = MOST
        parts = node.value if isinstance(node.value, list) else []
        size = 1 + (len(node.value) if isinstance(node.value, str) else 0)
        for part in parts:
            size += sum(_size(one, known) for one in (part if isinstance(part, tuple) else [part]))
        known[id(node)] = min(size, MOST)
    return known[id(node)]


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
