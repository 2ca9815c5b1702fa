"""The photographs that a command was given, and how a run over many of them ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from faceport.commands.output import warn
from faceport.errors import InputError
from faceport.runtime.types import Detection, Embedding, Face

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"}


def expand(paths: Sequence[Path]) -> list[Path]:
    """Replace each folder by the pictures in it (by suffix, sorted, hidden ones left out).

    Raises:
        InputError: a folder has none.
    """
    photos: list[Path] = []
    for path in paths:
        photos += pictures_in(path) if path.is_dir() else [path]
    return photos


def pictures_in(folder: Path) -> list[Path]:
    """List the pictures of a folder, by suffix, sorted.

    Raises:
        InputError: there are none.
    """
    found = [p for p in sorted(folder.iterdir()) if p.suffix.lower() in SUFFIXES and p.is_file()]
    found = [p for p in found if not p.name.startswith(".")]
    if not found:
        raise InputError(
            f"{folder} has no pictures", expected=f"files {' '.join(sorted(SUFFIXES))}"
        )
    return found


def check_target(target: Path | None, photos: Sequence[Path]) -> None:
    """Refuse to draw over a photograph that was given.

    Raises:
        InputError: the target is one of them.
    """
    if (
        target is not None
        and target.exists()
        and any(map(target.samefile, filter(Path.exists, photos)))
    ):
        raise InputError(
            f"{target} is the photograph itself", fix="choose another name for --save-image"
        )


def finish(failed: Sequence[str], total: int) -> None:
    """End a run: with exit code 1 and a count if a picture could not be read."""
    for message in failed:
        warn(message)
    end(len(failed), total)


def end(failed: int, total: int) -> None:
    """End a run whose failures were named: with exit code 1 and a count if there are any."""
    if failed:
        click.echo(f"faceport: error: {failed} of {total} pictures failed", err=True)
        raise click.exceptions.Exit(1)


def largest_face(faces: Sequence[Face]) -> Face:
    """Return the face with the largest box; there is at least one."""

    def area(face: Face) -> float:
        x1, y1, x2, y2 = face.detection.bbox.tolist()
        return float((x2 - x1) * (y2 - y1))

    return max(faces, key=area)


def detection_json(detection: Detection) -> dict[str, Any]:
    """Return a detection as JSON values; pixels of the picture."""
    marks = detection.landmarks
    return {
        "bbox": _rounded(detection.bbox.tolist()),
        "score": round(float(detection.score), 5),
        "landmarks": None if marks is None else [_rounded(point) for point in marks.tolist()],
    }


def embedding_json(embedding: Embedding) -> dict[str, Any]:
    """Return an embedding as JSON values."""
    return {
        "vector": [float(f"{value:.8g}") for value in embedding.vector.tolist()],
        "norm": float(embedding.norm),
        "fingerprint": embedding.fingerprint,
        "provider": embedding.provider,
        "is_stub": embedding.is_stub,
    }


def box_text(detection: Detection) -> str:
    """Return a box as `x1,y1 – x2,y2` in whole pixels."""
    x1, y1, x2, y2 = (round(v) for v in detection.bbox.tolist())
    return f"{x1},{y1} – {x2},{y2}"


def _rounded(values: Sequence[float]) -> list[float]:
    return [round(float(value), 2) for value in values]
