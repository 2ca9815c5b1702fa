"""`faceport gallery import`: an exported gallery into this one."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json


@click.command("import")
@gallery_argument
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@json_option
def command(*, gallery: str, key_file: Path | None, source: Path, as_json: bool) -> None:
    """Enroll what `faceport gallery export` wrote to SOURCE; GALLERY is made where it is not there.

    All of it is checked first: the embedder's fingerprint, the vectors' length, names. Identities
    that are there already get what is new to them. A gallery that is made takes over the settings.

    \b
    Examples:
      faceport gallery import g.db people.parquet
      faceport gallery import postgresql://host/faces people/
    """
    from faceport.gallery.exchange import import_content, read_content

    content = read_content(source)
    with open_gallery(gallery, key_file, create=True, settings=content.settings) as people:
        added = import_content(people, content)
        location = people.location
    there = len(content.owner) - added
    if as_json:
        counts = {"identities": len(content.names), "added": added, "already_there": there}
        print_json({"gallery": location, **counts})
    else:
        click.echo(f"{added} samples of {len(content.names)} identities added to {location}")
        if there:
            click.echo(f"{there} were there already")
