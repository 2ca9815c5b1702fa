"""`faceport enroll`: faces with names into a gallery."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.enroll_list import people_of
from faceport.commands.gallery.options import open_gallery
from faceport.commands.models import load_pipeline
from faceport.commands.options import (
    detection_options,
    detector_option,
    embedder_option,
    flip_option,
    gallery_option,
    json_option,
    key_file_option,
    reduced_option,
    session_options,
)
from faceport.commands.output import note, print_json, print_table, warn
from faceport.commands.photos import end
from faceport.commands.picked import picked
from faceport.commands.screen import Screen, screen
from faceport.errors import InputError
from faceport.runtime.device import usable_cores

if TYPE_CHECKING:
    from faceport.gallery import Gallery
    from faceport.gallery.enrolment import Enrolled, EnrolmentOptions, Person, Remark
    from faceport.runtime.pipeline import Pipeline


@click.command("enroll")
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@detector_option
@embedder_option
@gallery_option
@key_file_option
@click.option("--name", help="Enroll the pictures of SOURCE itself as this one identity.")
@click.option(
    "--largest", is_flag=True, help="Of several faces in a picture take the largest, not none."
)
@click.option(
    "--consensus",
    "leave_out",
    is_flag=True,
    help="Leave out pictures that disagree with most of the identity's others; without it they "
    "are enrolled and named.",
)
@click.option(
    "--consensus-threshold",
    "threshold",
    type=click.FloatRange(-1, 1),
    help="Cosine from which two pictures agree  [default: the gallery's threshold, else 0.35].",
)
@click.option(
    "--keep-crops",
    is_flag=True,
    help="Keep the picture of each face (PNG) in the gallery from now on, to embed it again.",
)
@click.option(
    "--audit",
    is_flag=True,
    help="Keep an audit log in the gallery from now on: changes, and who is searched for.",
)
@flip_option
@reduced_option
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Pictures side by side, each model run with one thread unless --threads says otherwise  "
    "[default: as many as cores; 1 for a single picture].",
)
@detection_options
@session_options
@json_option
def command(
    *,
    source: Path,
    gallery: str,
    key_file: Path | None,
    name: str | None,
    keep_crops: bool,
    audit: bool,
    workers: int | None,
    as_json: bool,
    **choices: Any,
) -> None:
    """Enroll a folder of identities (SOURCE/NAME/*.jpg), or a CSV (name,image[,metadata…]).

    A picture must show one face; one with none or several is left out and named. What is enrolled
    already, by the hash of the picture, is passed over before any model runs: after Ctrl-C the same
    command goes on.

    \b
    Examples:
      faceport enroll --detector det.bundle --embedder mbf.bundle --gallery g.db people/
      faceport enroll --detector det.bundle --embedder mbf.bundle --gallery g.db --name Ann ann/
      faceport enroll --detector det.bundle --embedder mbf.bundle --gallery g.db staff.csv \\
        --consensus --keep-crops
    """
    from faceport.gallery.enrolment import EnrolmentOptions

    people = people_of(source, name)
    _check_stubs(choices)
    total = sum(len(person.pictures) for person in people)
    count = workers or max(1, min(usable_cores(), total))
    options = picked(EnrolmentOptions, {**choices, "workers": count})
    # The models first: a gallery is not made for models that do not load.
    with (
        load_pipeline(choices, workers=count) as pipeline,
        open_gallery(gallery, key_file, create=True) as store,
    ):
        store.check_embedder(pipeline.embedder)
        wanted = {"keep_crops": keep_crops, "audit": audit}
        missing = {k: True for k, on in wanted.items() if on and not getattr(store.settings, k)}
        if missing:
            store.change_settings(**missing)
        with screen(as_json) as shown:
            done = _enrolled(store, pipeline, people, options, shown, total)
        location = store.location
    _report(location, done, as_json)
    end(sum(one.kind == "error" for person in done for one in person.left_out), total)


def _enrolled(
    gallery: Gallery,
    pipeline: Pipeline,
    people: Sequence[Person],
    options: EnrolmentOptions,
    shown: Screen,
    total: int,
) -> list[Enrolled]:
    from faceport.gallery.enrolment import enroll_people

    seen = 0
    done: list[Enrolled] = []

    def tick() -> None:
        nonlocal seen
        seen += 1
        shown.pictures(seen, total)

    shown.say("enrolling")
    try:
        with closing(
            enroll_people(gallery, pipeline, people, options, on_picture=tick)
        ) as enrolled:
            for person in enrolled:
                for remark in person.left_out:
                    warn(f"left out {_text(remark)}")
                for remark in person.flagged:
                    warn(f"look at {_text(remark)}")
                done.append(person)
    except (KeyboardInterrupt, SystemExit):
        note(
            f"{len(done)} of {len(people)} identities are done, in {gallery.location}; the same "
            "command goes on from there"
        )
        raise
    return done


def _check_stubs(choices: Mapping[str, Any]) -> None:
    """Refuse before any work what would be refused in the middle of it."""
    if (choices["detector"] == "stub") != (choices["embedder"] == "stub"):
        raise InputError(
            "a stub and a model are not enrolled together",
            received=f"--detector {choices['detector']} --embedder {choices['embedder']}",
            fix="give both models, or `stub` for both to try the wiring",
        )


def _text(remark: Remark) -> str:
    # An error names its picture itself.
    return remark.reason if remark.kind == "error" else f"{remark.path}: {remark.reason}"


def _report(location: str, done: Sequence[Enrolled], as_json: bool) -> None:
    if as_json:
        print_json({"gallery": location, "identities": [_json(one) for one in done]})
        return
    rows = [
        (one.name, one.added, one.already_there, len(one.left_out), len(one.flagged))
        for one in done
    ]
    columns = ("identity", "added", "already there", "left out", "doubtful")
    print_table(location, columns, rows)


def _json(one: Enrolled) -> dict[str, Any]:
    failed = [_text(remark) for remark in one.left_out if remark.kind == "error"]
    return {
        "name": one.name,
        "added": one.added,
        "already_there": one.already_there,
        "skipped": [_text(remark) for remark in one.left_out if remark.kind != "error"],
        "failed": failed,
        "flagged": [_text(remark) for remark in one.flagged],
        "left_out": [
            {"image": str(remark.path), "kind": remark.kind, "reason": remark.reason}
            for remark in one.left_out
        ],
    }
