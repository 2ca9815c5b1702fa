"""`faceport gallery stats`: a gallery in figures."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json, print_table


@click.command("stats")
@gallery_argument
@json_option
def command(*, gallery: str, key_file: Path | None, as_json: bool) -> None:
    """Show how many are in a gallery, how they are kept, and the threshold with its origin.

    \b
    Examples:
      faceport gallery stats g.db
      faceport gallery stats postgresql://host/faces --json
    """
    from faceport.codec import encode

    with open_gallery(gallery, key_file) as people:
        values: dict[str, Any] = encode(people.stats())
    if as_json:
        print_json(values)
        return
    rows = [(name, "" if value is None else value) for name, value in _flat(values)]
    print_table(str(values.pop("location")), ("", ""), rows)


def _flat(values: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """List the values, those of a part under its own names."""
    rows: list[tuple[str, Any]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += [(f"{name} {inner}", item) for inner, item in _flat(value)]
        elif name != "location":
            rows.append((name, value))
    return rows
