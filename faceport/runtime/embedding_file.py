"""Embeddings of many pictures in one file of JSON lines.

The first line is the header: what made the vectors. Each further line is one picture:

    {"format": "faceport-embeddings", "version": 1, "settings": {…}}
    {"image": "a.jpg", "size": 71034, "mtime_ns": 1700…, "error": null, "faces": [
        {"bbox": [x1, y1, x2, y2], "score": 0.9, "landmarks": [[x, y], …] or null,
         "norm": 21.3, "vector": "base64 of little-endian float32"}]}

Pixels have their origin at the upper left of the upright picture. Where a picture has several
lines, the last one counts. A last line without its line end was cut off, and is no line.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import InputError
from faceport.runtime.types import Face

FORMAT = "faceport-embeddings"
VERSION = 1

PICTURE = ("image", "size", "mtime_ns", "error", "faces")
"""What a picture's line has."""

Json = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class Stored:
    """The faces of one picture, as they are in the file.

    Attributes:
        image: the picture's path, as it was given.
        size: of the picture's file, bytes.
        mtime_ns: when it was last changed, nanoseconds since 1970.
        error: why there are no faces, or None.
        boxes: (N, 4) x1 y1 x2 y2 in pixels.
        scores: (N,) confidence, 0 to 1.
        norms: (N,) lengths before normalisation.
        vectors: (N, D) of length 1; (0, 0) without faces.
    """

    image: str
    size: int
    mtime_ns: int
    error: str | None
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    norms: NDArray[np.float32]
    vectors: NDArray[np.float32]


def header_line(settings: Json) -> bytes:
    """Return the first line of a file."""
    return _line({"format": FORMAT, "version": VERSION, "settings": settings})


def picture_line(
    image: str, state: tuple[int, int], faces: Sequence[Face], error: str | None
) -> bytes:
    """Return the line of a picture; `state` is its file's size and time of change."""
    size, mtime_ns = state
    values = {"image": image, "size": size, "mtime_ns": mtime_ns, "error": error}
    return _line({**values, "faces": [_face(face) for face in faces]})


def read_embeddings(path: Path) -> Iterator[Stored]:
    """Give the pictures of a file, a line at a time.

    Raises:
        InputError: it is no such file, or a line of it is damaged.
    """
    with path.open("rb") as file:
        read_header(path, file.readline())
        for number, line in enumerate(file, 2):
            if line.endswith(b"\n"):
                yield _stored(read_line(path, line, number, PICTURE))


def read_header(path: Path, line: bytes) -> Json:
    """Return the settings that a file's first line states.

    Raises:
        InputError: it is no header, or of another version.
    """
    header = read_line(path, line, 1)
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise InputError(
            f"{path} is no file of embeddings that can be read here",
            received=f"format {header.get('format')!r}, version {header.get('version')!r}",
            expected=f"format {FORMAT!r}, version {VERSION}",
            fix="choose another name for --output",
        )
    settings: Json = header.get("settings", {})
    return settings


def read_line(path: Path, line: bytes, number: int, names: Sequence[str] = ()) -> Json:
    """Return what a line says.

    Raises:
        InputError: it is no JSON object with these names.
    """
    try:
        values = json.loads(line)
    except ValueError:
        values = None
    if not isinstance(values, dict) or any(name not in values for name in names):
        raise InputError(
            f"{path}, line {number} is damaged, or the file is no file of embeddings",
            received=repr(line[:40]),
            expected=f"a JSON object with {', '.join(names)}" if names else "a JSON object",
            fix="remove the line, or choose another name for --output",
        )
    return values


def _stored(values: Json) -> Stored:
    faces = values["faces"]
    vectors = [np.frombuffer(base64.b64decode(face["vector"]), "<f4") for face in faces]
    return Stored(
        image=values["image"],
        size=values["size"],
        mtime_ns=values["mtime_ns"],
        error=values["error"],
        boxes=np.array([face["bbox"] for face in faces], np.float32).reshape(-1, 4),
        scores=np.array([face["score"] for face in faces], np.float32),
        norms=np.array([face["norm"] for face in faces], np.float32),
        vectors=np.stack(vectors).astype(np.float32) if faces else np.empty((0, 0), np.float32),
    )


def _face(face: Face) -> dict[str, Any]:
    marks = face.detection.landmarks
    vector = face.embedding.vector.astype("<f4").tobytes()
    return {
        "bbox": _rounded(face.detection.bbox.tolist()),
        "score": round(float(face.detection.score), 5),
        "landmarks": None if marks is None else [_rounded(point) for point in marks.tolist()],
        "norm": float(f"{face.embedding.norm:.7g}"),
        "vector": base64.b64encode(vector).decode("ascii"),
    }


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(value, 2) for value in values]


def _line(values: Json) -> bytes:
    text = json.dumps(values, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.encode("ascii") + b"\n"
