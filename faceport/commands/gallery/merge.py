"""`faceport gallery merge`: one person under two names becomes one identity."""

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


@click.command("merge")
@gallery_argument
@click.argument("source")
@click.argument("into")
@yes_option
@json_option
def command(
    *, gallery: str, key_file: Path | None, source: str, into: str, yes: bool, as_json: bool
) -> None:
    """Give the samples and metadata of SOURCE to INTO, whose own go first, and remove SOURCE.

    \b
    Examples:
      faceport gallery merge g.db "A. Lee" "Ann Lee"
      faceport gallery merge g.db person-17 Bob --yes
    """
    with open_gallery(gallery, key_file) as people:
        count = people.identity(source).samples
        people.identity(into)
        confirm(f"Give the {count} samples of {source} to {into}, and remove {source}?", yes)
        people.merge(source, into)
        samples = people.identity(into).samples
    if as_json:
        print_json({"source": source, "into": into, "samples": samples})
    else:
        click.echo(f"{into} has {samples} samples now; {source} is gone")
