"""`faceport gallery show`: what is kept of an identity?"""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.gallery.listing import identity_json, metadata_text
from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json, print_table


@click.command("show")
@gallery_argument
@click.argument("name")
@json_option
def command(*, gallery: str, key_file: Path | None, name: str, as_json: bool) -> None:
    """Show an identity's samples: where each came from, and how good it is.

    \b
    Examples:
      faceport gallery show g.db Ann
      faceport gallery show g.db Ann --json
    """
    with open_gallery(gallery, key_file) as people:
        identity, samples = people.identity(name), people.samples(name)
    if as_json:
        columns = ("id", "source", "image_hash", "norm", "added", "has_crop")
        listed = [{key: getattr(sample, key) for key in columns} for sample in samples]
        print_json({**identity_json(identity), "samples": listed})
        return
    rows = [
        (s.id, s.source, f"{s.norm:.2f}", s.added, s.image_hash[:12], "yes" if s.has_crop else "")
        for s in samples
    ]
    title = f"{identity.name}  {metadata_text(identity)}".rstrip()
    print_table(title, ("sample", "source", "norm", "added", "image hash", "crop"), rows)
