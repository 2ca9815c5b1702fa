"""`faceport gallery snapshot`: a gallery for devices that only match."""

from __future__ import annotations

from pathlib import Path

import click

from faceport.commands.gallery.options import gallery_argument, open_gallery
from faceport.commands.options import json_option
from faceport.commands.output import print_json


@click.command("snapshot")
@gallery_argument
@click.option(
    "--output",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to make, or a snapshot to replace.",
)
@json_option
def command(*, gallery: str, key_file: Path | None, output: Path, as_json: bool) -> None:
    """Write a gallery as a folder that is mapped into memory and can only be read.

    `--gallery FOLDER` then searches it. Crops and the audit log stay behind; a snapshot is not
    encrypted, whatever the gallery is.

    \b
    Examples:
      faceport gallery snapshot g.db --output people.snapshot
      faceport gallery snapshot postgresql://host/faces --output people.snapshot --json
    """
    from faceport.gallery import Gallery
    from faceport.gallery.snapshots import write_snapshot

    with open_gallery(gallery, key_file) as people:
        write_snapshot(people, output)
    # Without the key of the gallery, which may be in the environment.
    with Gallery.open(output, create=False) as written:
        stats = written.stats()
    if as_json:
        counts = {"identities": stats.identities, "samples": stats.samples}
        print_json({"output": str(output), **counts})
    else:
        click.echo(f"{stats.identities} identities, {stats.samples} samples in {output}")
