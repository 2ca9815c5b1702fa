"""`faceport gallery rename`: give an identity another name."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json


@click.command("rename")
@gallery_argument
@click.argument("old")
@click.argument("new")
@json_option
def command(*, gallery: str, key_file: Path | None, old: str, new: str, as_json: bool) -> None:
    """Give the identity OLD the name NEW, which must be free.

    \b
    Examples:
      faceport gallery rename g.db Ann "Ann Lee"
      faceport gallery rename g.db person-17 Bob
    """
    with open_gallery(gallery, key_file) as people:
        people.rename(old, new)
        samples = people.identity(new).samples
    if as_json:
        print_json({"old": old, "new": new, "samples": samples})
    else:
        click.echo(f"{old} is now {new} ({samples} samples)")
