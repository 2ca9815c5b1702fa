"""`faceport enroll`: faces with names into a gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.models import load_pipeline
from faceport.commands.options import (
    detection_options,
    detector_option,
    embedder_option,
    flip_option,
    gallery_option,
    json_option,
    reduced_option,
    session_options,
)
from faceport.commands.output import print_json, print_table, steps, warn
from faceport.commands.photos import finish, largest_face, pictures_in
from faceport.errors import InputError

if TYPE_CHECKING:
    from faceport.runtime.pipeline import Pipeline, Result
    from faceport.runtime.types import Embedding


@dataclass(frozen=True)
class _Enrolment:
    """What one identity's pictures gave: embeddings, and why the other pictures gave none."""

    name: str
    embeddings: tuple[Embedding, ...]
    sources: tuple[str, ...]
    skipped: tuple[str, ...]
    failed: tuple[str, ...]


@click.command("enroll")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@detector_option
@embedder_option
@gallery_option
@click.option("--name", help="Enroll the pictures of FOLDER itself as this one identity.")
@click.option(
    "--largest", is_flag=True, help="Of several faces in a picture take the largest, not none."
)
@flip_option
@reduced_option
@detection_options
@session_options
@json_option
def command(
    *,
    folder: Path,
    gallery: Path,
    name: str | None,
    largest: bool,
    flip: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Enroll a folder of identities: FOLDER/NAME/*.jpg.

    A picture must show one face; one with none or several is left out and named. Each identity
    is written in one transaction. What is enrolled already is not enrolled twice.

    \b
    Examples:
      faceport enroll --detector det.bundle --embedder mbf.bundle --gallery g.db people/
      faceport enroll --detector det.bundle --embedder mbf.bundle --gallery g.db --name Ann ann/
    """
    people = {name: pictures_in(folder)} if name is not None else _people(folder)
    _check_request(people, choices)
    with load_pipeline(choices) as pipeline, steps(quiet=as_json) as step:
        if gallery.exists():
            _check_gallery(gallery, pipeline)
        done = []
        for person, photos in people.items():
            step(f"enrolling {person}")
            enrolment = _embedded(person, photos, pipeline, largest, flip)
            done.append((enrolment, _store(gallery, enrolment)))
    _report(gallery, done, as_json)
    total = sum(len(photos) for photos in people.values())
    finish([message for enrolment, _ in done for message in enrolment.failed], total)


def _people(folder: Path) -> dict[str, list[Path]]:
    folders = [p for p in sorted(folder.iterdir()) if p.is_dir() and not p.name.startswith(".")]
    if not folders:
        raise InputError(
            f"{folder} has no identities",
            expected="one folder a person, with that person's pictures in it",
            fix="or give --name to enroll the folder itself as one identity",
        )
    return {path.name: _pictures_or_none(path) for path in folders}


def _pictures_or_none(folder: Path) -> list[Path]:
    try:
        return pictures_in(folder)
    except InputError as error:
        warn(f"left out {error}")
        return []


def _check_request(people: Mapping[str, Sequence[Path]], choices: Mapping[str, Any]) -> None:
    """Refuse before any work what would be refused in the middle of it."""
    from faceport.gallery import check_name

    for name in people:
        check_name(name)
    if (choices["detector"] == "stub") != (choices["embedder"] == "stub"):
        raise InputError(
            "a stub and a model are not enrolled together",
            received=f"--detector {choices['detector']} --embedder {choices['embedder']}",
            fix="give both models, or `stub` for both to try the wiring",
        )


def _check_gallery(path: Path, pipeline: Pipeline) -> None:
    """Refuse a gallery of another embedder before any work is done."""
    from faceport.gallery import Gallery

    with Gallery(path) as gallery:
        gallery.check_embedder(pipeline.embedder)


def _embedded(
    name: str, photos: Sequence[Path], pipeline: Pipeline, largest: bool, flip: bool
) -> _Enrolment:
    embeddings, sources, skipped, failed = [], [], [], []
    results = pipeline.process_each(photos, flip=flip)
    for path, result in zip(photos, results, strict=True):
        embedding, reason = _one_face(result, largest)
        if result.error is not None:
            failed.append(str(result.error))
        elif embedding is None:
            skipped.append(f"{path}: {reason}")
        else:
            embeddings.append(embedding)
            sources.append(str(path))
    return _Enrolment(name, tuple(embeddings), tuple(sources), tuple(skipped), tuple(failed))


def _one_face(result: Result, largest: bool) -> tuple[Embedding | None, str]:
    if not result.faces:
        return None, "no face found"
    if len(result.faces) > 1 and not largest:
        return None, f"{len(result.faces)} faces; crop it, or pass --largest"
    return largest_face(result.faces).embedding, ""


def _store(path: Path, enrolment: _Enrolment) -> int:
    from faceport.gallery import Gallery, Sample

    if not enrolment.embeddings:
        return 0
    samples = list(map(Sample, enrolment.embeddings, enrolment.sources))
    with Gallery(path) as gallery:
        return gallery.enroll(enrolment.name, samples)


def _report(gallery: Path, done: Sequence[tuple[_Enrolment, int]], as_json: bool) -> None:
    for enrolment, _ in done:
        for message in enrolment.skipped:
            warn(f"left out {message}")
    if as_json:
        people = [
            {
                "name": e.name,
                "added": added,
                "already_there": len(e.embeddings) - added,
                "skipped": list(e.skipped),
                "failed": list(e.failed),
            }
            for e, added in done
        ]
        print_json({"gallery": str(gallery), "identities": people})
        return
    rows = [
        (e.name, added, len(e.embeddings) - added, len(e.skipped) + len(e.failed))
        for e, added in done
    ]
    print_table(str(gallery), ("identity", "added", "already there", "left out"), rows)
