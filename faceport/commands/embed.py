"""`faceport embed`: the faces of photographs as unit vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.models import load_pipeline, models_json
from faceport.commands.options import (
    detection_options,
    detector_option,
    embedder_option,
    flip_option,
    images_argument,
    json_option,
    session_options,
)
from faceport.commands.output import print_json, print_table
from faceport.commands.photos import box_text, detection_json, embedding_json, expand, finish

if TYPE_CHECKING:
    from faceport.runtime.types import Face


@click.command("embed")
@images_argument
@detector_option
@embedder_option
@flip_option
@detection_options
@session_options
@json_option
def command(images: tuple[Path, ...], flip: bool, as_json: bool, **choices: Any) -> None:
    """Detect, align and embed the faces of photographs (files, or folders of them).

    A file that can't be read is named, the others go on, and the exit code is 1.

    \b
    Examples:
      faceport embed --detector det.bundle --embedder mbf.bundle photo.jpg --json
      faceport embed --detector det.bundle --embedder ada.bundle --flip holiday/
    """
    photos = expand(images)
    failed: list[str] = []
    records, rows = [], []
    with load_pipeline(choices) as pipeline:
        for path, result in zip(photos, pipeline.process_each(photos, flip=flip), strict=True):
            if result.error is not None:
                failed.append(str(result.error))
            error = str(result.error) if result.error else None
            faces = [_face_json(face) for face in result.faces]
            records.append({"image": str(path), "faces": faces, "error": error})
            rows += [_row(path, number, face) for number, face in enumerate(result.faces, 1)]
        if as_json:
            print_json({**models_json(pipeline), "images": records})
        else:
            title = f"{len(rows)} faces in {len(photos)} pictures ({pipeline.embedder.provider})"
            print_table(title, ("picture", "face", "box", "score", "norm", "vector"), rows)
    finish(failed, len(photos))


def _face_json(face: Face) -> dict[str, Any]:
    return {**detection_json(face.detection), "embedding": embedding_json(face.embedding)}


def _row(path: Path, number: int, face: Face) -> tuple[object, ...]:
    vector = face.embedding.vector
    start = ", ".join(f"{value:+.3f}" for value in vector[:3])
    return (
        path,
        number,
        box_text(face.detection),
        f"{face.detection.score:.3f}",
        f"{face.embedding.norm:.2f}",
        f"[{start}, …] ({vector.size})",
    )
