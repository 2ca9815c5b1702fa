"""External data of an ONNX file: found anywhere in it, and never outside its folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from faceport.errors import ExportError


def external_files(model: Any, folder: Path) -> tuple[Path, ...]:
    """Return the files that a model's tensors lie in, sorted; empty where all is in the model.

    Every tensor is looked at, in subgraphs, functions and attributes too: one that is overlooked
    would be read from wherever it points.

    Args:
        model: a parsed `onnx.ModelProto`, external data not loaded.
        folder: where the ONNX file lies.

    Raises:
        ExportError: a path is absolute, has `..`, leads out by a link, or is no file.
    """
    from onnx import TensorProto

    locations = {
        entry.value
        for tensor in _tensors(model, TensorProto)
        for entry in tensor.external_data
        if entry.key == "location"
    }
    return tuple(_inside(folder, location) for location in sorted(locations))


def _tensors(message: Any, kind: type) -> Iterator[Any]:
    if isinstance(message, kind):
        yield message
        return
    for field, value in message.ListFields():
        if field.message_type is None:
            continue
        for item in value if field.is_repeated else [value]:
            yield from _tensors(item, kind)


def _inside(folder: Path, location: str) -> Path:
    relative = PurePosixPath(location)
    plain = location and not relative.is_absolute() and ".." not in relative.parts
    if plain and "\\" not in location and "\0" not in location:
        path = folder / relative
        if path.resolve().is_relative_to(folder.resolve()) and path.is_file():
            return path
    raise ExportError(
        "the ONNX file keeps weights in another file that cannot be used",
        received=repr(location),
        expected="a file in the ONNX file's own folder, not a link out of it",
        fix="get the model again with all its files, and put them into one folder",
    )
