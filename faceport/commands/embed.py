"""`faceport embed`: the faces of photographs as unit vectors."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.embed_output import report, settings_of, write_output
from faceport.commands.models import load_pipeline, models_json
from faceport.commands.options import (
    detection_options,
    detector_option,
    embedder_option,
    flip_option,
    images_argument,
    json_option,
    reduced_option,
    session_options,
)
from faceport.commands.output import print_json, print_table, warn
from faceport.commands.photos import box_text, detection_json, embedding_json, end, expand
from faceport.commands.screen import Screen, screen
from faceport.runtime.device import usable_cores

if TYPE_CHECKING:
    from faceport.runtime.pipeline import Pipeline, Result
    from faceport.runtime.types import Face


@click.command("embed")
@images_argument
@detector_option
@embedder_option
@flip_option
@reduced_option
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Pictures side by side, each model run with one thread unless --threads says otherwise  "
    "[default: as many as cores; 1 for a single picture].",
)
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write JSON lines to this file, one a picture, as they are done. A run that was "
    "interrupted goes on where it ended.",
)
@click.option(
    "--resume/--no-resume",
    default=True,
    help="Keep what --output has already, or begin it anew  [default: keep].",
)
@detection_options
@session_options
@json_option
def command(
    *,
    images: tuple[Path, ...],
    workers: int | None,
    output: Path | None,
    resume: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Detect, align and embed the faces of photographs (files, or folders of them).

    A file that can't be read is named, the others go on, and the exit code is 1.

    \b
    Examples:
      faceport embed --detector det.bundle --embedder mbf.bundle photo.jpg --json
      faceport embed --detector det.bundle --embedder ada.bundle --flip holiday/
      faceport embed --detector det.bundle --embedder mbf.bundle --output faces.jsonl archive/
    """
    photos = expand(images)
    count = workers or min(usable_cores(), len(photos))
    quiet = as_json or len(photos) == 1
    with load_pipeline(choices, workers=count) as pipeline:
        process = partial(_results, pipeline, workers=count, flip=choices["flip"])
        if output is None:
            with screen(quiet) as shown:
                shown.say("embedding")
                results = _collected(process(photos), len(photos), shown)
            failed = _print(photos, results, pipeline, as_json)
        else:
            settings = settings_of(pipeline, choices)
            with screen(quiet) as shown:
                shown.say("embedding")
                written = write_output(output, photos, process, settings, resume, shown)
            report(output, written, models_json(pipeline), as_json)
            failed = written.failed
    end(failed, len(photos))


def _results(
    pipeline: Pipeline, photos: Iterable[Path], *, workers: int, flip: bool
) -> Generator[Result, None, None]:
    if workers == 1:
        return pipeline.process_each(photos, flip=flip)
    return pipeline.stream(photos, workers=workers, flip=flip)


def _collected(results: Iterable[Result], total: int, shown: Screen) -> list[Result]:
    kept = []
    for result in results:
        kept.append(result)
        shown.pictures(len(kept), total)
    return kept


def _print(
    photos: Sequence[Path], results: Sequence[Result], pipeline: Pipeline, as_json: bool
) -> int:
    """Print all results, and return how many pictures failed."""
    records, rows, failed = [], [], []
    for path, result in zip(photos, results, strict=True):
        error = str(result.error) if result.error else None
        failed += [error] if error else []
        faces = [_face_json(face) for face in result.faces]
        records.append({"image": str(path), "faces": faces, "error": error})
        rows += [_row(path, number, face) for number, face in enumerate(result.faces, 1)]
    if as_json:
        print_json({**models_json(pipeline), "images": records})
    else:
        title = f"{len(rows)} faces in {len(photos)} pictures ({pipeline.embedder.provider})"
        print_table(title, ("picture", "face", "box", "score", "norm", "vector"), rows)
    for message in failed:
        warn(message)
    return len(failed)


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
