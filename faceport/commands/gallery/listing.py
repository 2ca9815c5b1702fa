"""`faceport gallery list`: who is in a gallery?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json, print_table

if TYPE_CHECKING:
    from faceport.gallery import Identity


@click.command("list")
@gallery_argument
@click.option("--match", "text", default="", help="Only names that contain this text.")
@json_option
def command(*, gallery: str, key_file: Path | None, text: str, as_json: bool) -> None:
    """List the identities with their samples.

    \b
    Examples:
      faceport gallery list g.db
      faceport gallery list g.db --match ann --json
    """
    with open_gallery(gallery, key_file) as people:
        found = [one for one in people.identities() if text.lower() in one.name.lower()]
        location = people.location
    if as_json:
        print_json({"gallery": location, "identities": [identity_json(one) for one in found]})
        return
    rows = [(i.name, i.samples, i.created, i.changed, metadata_text(i)) for i in found]
    title = f"{len(found)} identities in {location}"
    print_table(title, ("identity", "samples", "created", "changed", "metadata"), rows)


def identity_json(identity: Identity) -> dict[str, Any]:
    """Return an identity as JSON values."""
    return {
        "name": identity.name,
        "samples": identity.samples,
        "metadata": dict(identity.metadata),
        "created": identity.created,
        "changed": identity.changed,
    }


def metadata_text(identity: Identity) -> str:
    """Return metadata as people read it: `team=blue, age=30`."""
    return ", ".join(f"{key}={value}" for key, value in identity.metadata.items())
