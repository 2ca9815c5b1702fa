"""`faceport identify`: who is in a photograph? (1:N)"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.gallery.options import open_gallery
from faceport.commands.models import load_pipeline, models_json
from faceport.commands.options import (
    detection_options,
    detector_option,
    embedder_option,
    flip_option,
    gallery_option,
    images_argument,
    json_option,
    key_file_option,
    reduced_option,
    save_image_option,
    session_options,
)
from faceport.commands.output import print_json, print_table
from faceport.commands.photos import box_text, check_target, detection_json, expand, finish

if TYPE_CHECKING:
    from faceport.gallery import Answer
    from faceport.gallery.types import Against
    from faceport.runtime.types import Face


@click.command("identify")
@images_argument
@detector_option
@embedder_option
@gallery_option
@key_file_option
@click.option(
    "--threshold",
    type=click.FloatRange(-1, 1),
    help="Cosine from which a face is known.  [default: the gallery's, else 0.35]",
)
@click.option(
    "--against",
    type=click.Choice(["templates", "samples"]),
    default="templates",
    show_default=True,
    help="Compare with each identity's fused embedding, or with all of its samples.",
)
@click.option(
    "--top-k", type=click.IntRange(1), default=1, show_default=True, help="Candidates to list."
)
@click.option(
    "--index",
    type=click.Choice(["auto", "exact", "int8", "bits", "hnsw", "store"]),
    default="auto",
    show_default=True,
    help="How the gallery is searched; `store`: by PostgreSQL, with nothing read into memory.",
)
@save_image_option
@flip_option
@reduced_option
@detection_options
@session_options
@json_option
def command(
    *,
    images: tuple[Path, ...],
    gallery: str,
    key_file: Path | None,
    threshold: float | None,
    against: Against,
    top_k: int,
    index: str,
    save_image: Path | None,
    flip: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Name the faces of photographs by a gallery; `unknown` where nobody reaches the threshold.

    \b
    Examples:
      faceport identify --detector det.bundle --embedder mbf.bundle --gallery g.db photo.jpg
      faceport identify --detector det.bundle --embedder mbf.bundle --gallery g.db photo.jpg \\
        --save-image named.jpg --json
    """
    photos = expand(images)
    if save_image is not None and len(photos) != 1:
        raise click.UsageError("--save-image is for one picture")
    check_target(save_image, photos)
    failed: list[str] = []
    records: list[dict[str, Any]] = []
    rows: list[tuple[object, ...]] = []
    with (
        open_gallery(gallery, key_file, index=index) as people,
        load_pipeline(choices) as pipeline,
    ):
        for path, result in zip(photos, pipeline.process_each(photos, flip=flip), strict=True):
            if result.error is not None:
                failed.append(str(result.error))
            answers = people.search(
                [face.embedding for face in result.faces],
                threshold=threshold,
                top_k=top_k,
                against=against,
            )
            found = list(zip(result.faces, answers, strict=True))
            error = str(result.error) if result.error else None
            records.append(
                {"image": str(path), "faces": [_json(*pair) for pair in found], "error": error}
            )
            rows += [_row(path, number, *pair) for number, pair in enumerate(found, 1)]
            if save_image is not None and result.error is None:
                _draw(path, found, save_image, choices["max_pixels"])
        models = models_json(pipeline)
        limit = people.threshold(threshold)
    if as_json:
        head = {**models, "gallery": people.location, "threshold": limit, "against": against}
        print_json({**head, "images": records})
    else:
        title = f"{len(rows)} faces in {len(photos)} pictures, threshold {limit:g}"
        print_table(title, ("picture", "face", "name", "score", "box", "candidates"), rows)
    finish(failed, len(photos))


def _json(face: Face, answer: Answer) -> dict[str, Any]:
    return {
        **detection_json(face.detection),
        "name": answer.name,
        "norm": face.embedding.norm,
        "low_quality": answer.low_quality,
        "margin": answer.margin,
        "matches": [
            {"name": m.name, "score": m.score, "known": m.known, "source": m.source}
            for m in answer.matches
        ],
    }


def _row(path: Path, number: int, face: Face, answer: Answer) -> tuple[object, ...]:
    matches = answer.matches
    score = f"{matches[0].score:.3f}" if matches else ""
    name = f"{answer.name} (low quality)" if answer.low_quality else answer.name
    others = ", ".join(f"{m.name} {m.score:.3f}" for m in matches)
    return path, number, name, score, box_text(face.detection), others


def _draw(path: Path, found: Sequence[tuple[Face, Answer]], target: Path, max_pixels: int) -> None:
    from faceport.images import load_image
    from faceport.runtime.draw import draw_faces, save_image

    labels = [
        f"{answer.name} {answer.matches[0].score:.2f}" if answer.matches else answer.name
        for _, answer in found
    ]
    image = load_image(path, max_pixels=max_pixels)
    save_image(draw_faces(image, [face.detection for face, _ in found], labels), target)
