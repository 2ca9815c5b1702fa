"""`faceport gallery delete`: forget an identity, or single samples of it."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.gallery.options import (
    confirm,
    gallery_argument,
    open_gallery,
    yes_option,
)
from faceport.commands.options import json_option
from faceport.commands.output import print_json
from faceport.errors import GalleryError


@click.command("delete")
@gallery_argument
@click.argument("name")
@click.option(
    "--sample",
    "sample_ids",
    type=int,
    multiple=True,
    metavar="ID",
    help="Only this sample of the identity (`faceport gallery show`). Repeatable.",
)
@yes_option
@json_option
def command(
    *,
    gallery: str,
    key_file: Path | None,
    name: str,
    sample_ids: tuple[int, ...],
    yes: bool,
    as_json: bool,
) -> None:
    """Remove an identity with all that is kept of it, or single samples.

    \b
    Examples:
      faceport gallery delete g.db Ann
      faceport gallery delete g.db Ann --sample 17 --yes
    """
    with open_gallery(gallery, key_file) as people:
        ids = [sample.id for sample in people.samples(name)]
        foreign = sorted(set(sample_ids) - set(ids))
        if foreign:
            raise GalleryError(
                f"{name} has no such sample", received=foreign, expected=f"one of {ids[:10]}"
            )
        what = f"{len(set(sample_ids))} samples of {name}" if sample_ids else name
        confirm(f"Remove {what} from {people.location}? It can't be undone.", yes)
        if sample_ids:
            for sample_id in dict.fromkeys(sample_ids):
                people.remove_sample(sample_id)
        else:
            people.delete(name)
    removed = len(set(sample_ids)) if sample_ids else len(ids)
    if as_json:
        print_json({"name": name, "samples_removed": removed, "identity_removed": not sample_ids})
    else:
        click.echo(f"removed {what} ({removed} samples)")
