"""`faceport gallery settings`: how a gallery works."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json, print_table


@click.command("settings")
@gallery_argument
@click.option(
    "--fusion",
    type=click.Choice(["mean", "norm"]),
    help="How templates are made: the mean of unit vectors, or weighted by norm.",
)
@click.option(
    "--vector-type",
    type=click.Choice(["float32", "float16", "int8"]),
    help="How vectors are kept; what float16 or int8 lost does not come back.",
)
@click.option(
    "--min-norm",
    type=click.FloatRange(0),
    help="Say `low quality` of faces whose norm is lower; 0: of none.",
)
@click.option("--keep-crops/--no-keep-crops", default=None, help="Keep the faces of new samples.")
@click.option("--audit/--no-audit", default=None, help="Keep an audit log.")
@json_option
def command(*, gallery: str, key_file: Path | None, as_json: bool, **choices: Any) -> None:
    """Show the settings that a gallery keeps, or change those that are given.

    The threshold is set by `faceport gallery calibrate`.

    \b
    Examples:
      faceport gallery settings g.db
      faceport gallery settings g.db --fusion norm --min-norm 12
      faceport gallery settings g.db --vector-type float16 --json
    """
    from faceport.codec import encode

    changes = {name: value for name, value in choices.items() if value is not None}
    with open_gallery(gallery, key_file) as people:
        settings = people.change_settings(**changes) if changes else people.settings
        location = people.location
    values = encode(settings)
    if as_json:
        print_json({"gallery": location, "settings": values})
        return
    rows = [(name.replace("_", " "), "" if v is None else v) for name, v in values.items()]
    print_table(location, ("", ""), rows)
