"""`faceport gallery check`: is a gallery sound?"""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json, print_table


@click.command("check")
@gallery_argument
@json_option
def command(*, gallery: str, key_file: Path | None, as_json: bool) -> None:
    """Look for damage: pages, references, vectors, templates, counters, index files.

    The exit code is 1 if something is found.

    \b
    Examples:
      faceport gallery check g.db
      faceport gallery check g.db --json
    """
    from faceport.codec import encode

    with open_gallery(gallery, key_file) as people:
        problems, location = people.check(), people.location
    if as_json:
        print_json({"gallery": location, "problems": encode(problems)})
    elif problems:
        rows = [(problem.kind, problem.detail) for problem in problems]
        print_table(f"{len(problems)} problems in {location}", ("check", "what was found"), rows)
    else:
        click.echo(f"{location} is sound")
    if problems:
        raise click.exceptions.Exit(1)
