"""`faceport gallery migrate`: the same people, embedded by another model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.gallery.options import (
    confirm,
    gallery_argument,
    open_gallery,
    yes_option,
)
from faceport.commands.models import load_pipeline
from faceport.commands.options import (
    detection_options,
    detector_option,
    embedder_option,
    flip_option,
    json_option,
    reduced_option,
    session_options,
)
from faceport.commands.output import note, print_json, print_table
from faceport.commands.picked import picked
from faceport.commands.screen import screen
from faceport.errors import GalleryError
from faceport.runtime.device import usable_cores

if TYPE_CHECKING:
    from faceport.gallery import Gallery
    from faceport.gallery.reembedding import Missing, Reembedded, Wanted
    from faceport.runtime.pipeline import Pipeline


@click.command("migrate")
@gallery_argument
@detector_option
@embedder_option
@click.option(
    "--largest", is_flag=True, help="Of several faces in a picture take the largest, not none."
)
@flip_option
@reduced_option
@click.option(
    "--trust-paths",
    is_flag=True,
    help="Take the picture at a sample's path where no hash of it was kept.",
)
@click.option(
    "--root",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder that the samples' relative paths count from  [default: the current one].",
)
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Drop the samples that can't be embedded again, instead of changing nothing.",
)
@click.option(
    "--workers", type=click.IntRange(1), help="Pictures side by side  [default: as many as cores]."
)
@yes_option
@detection_options
@session_options
@json_option
def command(
    *,
    gallery: str,
    key_file: Path | None,
    allow_missing: bool,
    workers: int | None,
    yes: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Embed all samples again, from kept crops or the pictures at their paths, by another model.

    A picture counts only if its bytes are those that were enrolled. All samples change at once, in
    one transaction at the end; until then, and after an interruption, the gallery is as it was.
    The threshold belonged to the old model and is removed: calibrate again.

    \b
    Examples:
      faceport gallery migrate g.db --detector det.bundle --embedder new.bundle
      faceport gallery migrate g.db --detector det.bundle --embedder new.bundle \\
        --allow-missing --yes
    """
    from faceport.gallery.reembedding import ReembeddingOptions, reembed

    count = workers or usable_cores()
    with open_gallery(gallery, key_file) as people:
        samples = _samples(people)
        if not samples:
            raise GalleryError(f"{people.location} has no samples to embed again")
        # Asked before the work, not hours after.
        confirm(f"Embed {len(samples)} samples of {people.location} again, for good?", yes)
        with load_pipeline(choices, workers=count) as pipeline, screen(as_json) as shown:
            _check(people, pipeline)
            shown.say("embedding again")
            options = picked(ReembeddingOptions, {**choices, "workers": count})
            tick = _counter(len(samples), shown.pictures)
            made = reembed(people, pipeline, samples, options, on_sample=tick)
        _check_missing(made, allow_missing, len(samples))
        drop = [one.sample.sample_id for one in made.missing]
        people.replace_embeddings(made.embeddings, drop=drop)
        _report(people, made, as_json)


def _samples(people: Gallery) -> list[Wanted]:
    from faceport.gallery.reembedding import Wanted

    return [
        Wanted(sample.id, identity.name, sample.source, sample.image_hash, sample.has_crop)
        for identity in people.identities()
        for sample in people.samples(identity.name)
    ]


def _check(people: Gallery, pipeline: Pipeline) -> None:
    """Refuse the embedder that the gallery is of."""
    if people.fingerprint == pipeline.embedder.fingerprint:
        raise GalleryError(
            f"{people.location} is of that embedder already",
            received=pipeline.embedder.fingerprint[:12],
            expected="another one",
        )


def _counter(total: int, show: Callable[[int, int], None]) -> Callable[[], None]:
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        show(done, total)

    return tick


def _check_missing(made: Reembedded, allow_missing: bool, total: int) -> None:
    for one in made.missing:
        note(f"warning: {_line(one)}")
    if made.missing and not allow_missing:
        raise GalleryError(
            f"{len(made.missing)} of {total} samples can't be embedded again",
            fix="bring their pictures back, or drop them with --allow-missing; nothing was changed",
        )
    if not made.embeddings:
        raise GalleryError("no sample can be embedded again", fix="nothing was changed")


def _line(missing: Missing) -> str:
    sample = missing.sample
    return f"{sample.name}, sample {sample.sample_id} ({sample.source}): {missing.reason}"


def _report(people: Gallery, made: Reembedded, as_json: bool) -> None:
    emptied = [identity.name for identity in people.identities() if not identity.samples]
    counts = {
        "samples": len(made.embeddings),
        "from_crops": made.from_crops,
        "from_pictures": len(made.embeddings) - made.from_crops,
        "dropped": len(made.missing),
        "identities_without_samples": len(emptied),
    }
    if as_json:
        missing = [{**vars(one.sample), "reason": one.reason} for one in made.missing]
        head = {"gallery": people.location, "fingerprint": people.fingerprint, **counts}
        print_json({**head, "missing": missing, "emptied": emptied})
        return
    rows = [(name.replace("_", " "), value) for name, value in counts.items()]
    print_table(f"{people.location} is of {people.space} now", ("", ""), rows)
    note(f"its threshold is the default again: faceport gallery calibrate {people.location}")
