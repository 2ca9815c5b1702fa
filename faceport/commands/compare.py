"""`faceport compare`: are two photographs of the same person? (1:1)"""

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
    json_option,
    reduced_option,
    session_options,
    threshold_option,
)
from faceport.commands.output import print_json, print_table
from faceport.commands.photos import box_text, detection_json, largest_face
from faceport.errors import InputError

if TYPE_CHECKING:
    from faceport.runtime.types import Face

PHOTO = click.Path(path_type=Path)


@click.command("compare")
@click.argument("first", type=PHOTO, metavar="PHOTO_A")
@click.argument("second", type=PHOTO, metavar="PHOTO_B")
@detector_option
@embedder_option
@threshold_option
@flip_option
@reduced_option
@detection_options
@session_options
@json_option
def command(
    first: Path, second: Path, threshold: float, flip: bool, as_json: bool, **choices: Any
) -> None:
    """Compare the largest face of one photograph with that of another.

    The score is the cosine of the two embeddings. The exit code is 0 whatever the answer, and 1
    if a picture has no face.

    \b
    Examples:
      faceport compare --detector det.bundle --embedder mbf.bundle a.jpg b.jpg
      faceport compare --detector det.bundle --embedder mbf.bundle --json a.jpg b.jpg
    """
    with load_pipeline(choices) as pipeline:
        pictures = [(path, pipeline(path, flip=flip)) for path in (first, second)]
        models = models_json(pipeline)
    faces = [_face_of(path, found) for path, found in pictures]
    score = float(faces[0].embedding.vector @ faces[1].embedding.vector)
    same = score >= threshold
    if as_json:
        sides = [
            {"image": str(path), "faces": len(found), **detection_json(face.detection)}
            for (path, found), face in zip(pictures, faces, strict=True)
        ]
        print_json(
            {**models, "images": sides, "score": score, "threshold": threshold, "same": same}
        )
        return
    rows = [
        (path, len(found), box_text(face.detection), f"{face.embedding.norm:.2f}")
        for (path, found), face in zip(pictures, faces, strict=True)
    ]
    verdict = "same person" if same else "different people"
    title = f"{verdict}: cosine {score:.4f}, threshold {threshold:g}"
    print_table(title, ("picture", "faces", "largest face", "norm"), rows)


def _face_of(path: Path, faces: list[Face]) -> Face:
    if not faces:
        raise InputError(
            f"no face was found in {path}", fix="use another picture, or lower --score-threshold"
        )
    return largest_face(faces)
