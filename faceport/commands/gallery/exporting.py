"""`faceport gallery export`: a gallery as a file that other programs read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from faceport.commands.gallery.options import gallery_argument, open_rows
from faceport.commands.options import json_option
from faceport.commands.output import print_json


@click.command("export")
@gallery_argument
@click.option(
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="NAME.parquet (extra `datasets`), or a folder for NPZ and JSON.",
)
@click.option("--redact", is_flag=True, help="Pseudonyms for names; no sources, metadata or crops.")
@click.option("--crops/--no-crops", default=True, show_default=True, help="Take kept crops along.")
@json_option
def command(
    *, gallery: str, key_file: Path | None, output: Path, redact: bool, crops: bool, as_json: bool
) -> None:
    """Write the identities and their vectors to a Parquet file or a folder (docs/gallery.md).

    Identities without samples are left out. An export is not encrypted, and vectors are biometric
    data, with names or without.

    \b
    Examples:
      faceport gallery export g.db --output people.parquet
      faceport gallery export g.db --output people/ --redact
    """
    from faceport.gallery.audit import write_down
    from faceport.gallery.exchange import content_of, redacted, write_content

    with closing(open_rows(gallery, key_file)) as store:
        content = content_of(store, crops=crops and not redact)
        # Before it is written: an export that nobody wrote down is worse than one that failed.
        write_down(store, "export", {"output": str(output), "redacted": redact})
    if redact:
        content = redacted(content)
    write_content(content, output)
    counts = {"identities": len(content.names), "samples": len(content.owner)}
    if as_json:
        print_json({"output": str(output), **counts, "redacted": redact})
    else:
        click.echo(f"{counts['identities']} identities, {counts['samples']} samples in {output}")
