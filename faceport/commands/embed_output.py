"""`faceport embed --output`: embeddings into a file, as they come."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from faceport.commands.output import note, print_json, print_table, warn
from faceport.commands.screen import Screen
from faceport.errors import InputError

if TYPE_CHECKING:
    from faceport.runtime.pipeline import Pipeline, Result

Process = Callable[[Iterable[Path]], Generator["Result", None, None]]
"""Runs pictures through a pipeline, one result each, in order."""

CHOICES = (
    *("flip", "precision", "detector_precision", "max_pixels", "reduced_decoding"),
    *("backend", "detector_backend", "provider_options"),
)


@dataclass(frozen=True)
class Written:
    """What a run put into its file."""

    pictures: int
    already_there: int
    faces: int
    failed: int


def write_output(
    target: Path,
    photos: Sequence[Path],
    process: Process,
    settings: Mapping[str, Any],
    resume: bool,
    shown: Screen,
) -> Written:
    """Embed what is not in the file yet, and append it picture by picture."""
    from faceport.runtime.embedding_writer import embedding_writer

    _check_target(target, photos)
    with embedding_writer(target, settings, resume=resume) as writer:
        there = sum(writer.is_done(path) for path in photos)
        left = (path for path in photos if not writer.is_done(path))
        count = faces = failed = 0
        try:
            with closing(process(left)) as results:
                for result in results:
                    error = None if result.error is None else str(result.error)
                    if error is not None:
                        warn(error)
                    writer.add(Path(str(result.source)), result.faces, error)
                    count, faces = count + 1, faces + len(result.faces)
                    failed += error is not None
                    shown.pictures(count, len(photos) - there)
        except (KeyboardInterrupt, SystemExit):
            note(
                f"{there + count} of {len(photos)} pictures are in {target}; "
                "the same command goes on from there"
            )
            raise
    return Written(count, there, faces, failed)


def settings_of(pipeline: Pipeline, choices: Mapping[str, Any]) -> dict[str, Any]:
    """Return what decides about the vectors; one file has vectors of one kind only."""
    from faceport.codec import encode

    detector = pipeline.detector
    spec = getattr(detector, "spec", None)
    limits = getattr(detector, "limits", None)
    return {
        "embedder": pipeline.embedder.fingerprint,
        "dim": pipeline.embedder.dim,
        "is_stub": pipeline.embedder.is_stub,
        "detector": None if spec is None else spec.fingerprint,
        "limits": None if limits is None else encode(limits),
        "tuned": {part: _tuned(part, choices) for part in ("embedder", "detector")},
        **{name: choices[name] for name in CHOICES},
    }


def _tuned(part: str, choices: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a device file chose of what decides about the vectors: `tune` may change it."""
    from faceport.codec import encode
    from faceport.commands.models import picked_session_options
    from faceport.runtime.opening import followed_file

    prefix = "detector_" if part == "detector" else ""
    named = choices[f"{prefix}backend"], choices[f"{prefix}precision"]
    file = followed_file(choices[part], picked_session_options(choices), *named)
    if file is None:
        return None
    computed = encode(file.options.provider_options)
    return {"artefact": file.sha256, "backend": file.backend, "provider_options": computed}


def report(target: Path, written: Written, models: Mapping[str, Any], as_json: bool) -> None:
    """Print what was written."""
    from faceport.codec import encode

    if as_json:
        print_json({**models, "output": str(target), **encode(written)})
        return
    row = (written.pictures, written.already_there, written.faces, written.failed)
    print_table(str(target), ("pictures", "already there", "faces", "failed"), [row])


def _check_target(target: Path, photos: Sequence[Path]) -> None:
    if target in photos:
        raise InputError(f"{target} is one of the photographs", fix="choose another --output")
