"""`faceport gallery`: look after the identities that were enrolled, one module a subcommand."""

from __future__ import annotations

import click

from faceport.commands.lazy import LazyGroup

SUBCOMMANDS = {
    "list": "faceport.commands.gallery.listing",
    "show": "faceport.commands.gallery.show",
    "stats": "faceport.commands.gallery.stats",
    "check": "faceport.commands.gallery.check",
    "settings": "faceport.commands.gallery.settings",
    "calibrate": "faceport.commands.gallery.calibrate",
    "duplicates": "faceport.commands.gallery.duplicates",
    "audit": "faceport.commands.gallery.audit",
    "rename": "faceport.commands.gallery.rename",
    "merge": "faceport.commands.gallery.merge",
    "delete": "faceport.commands.gallery.delete",
    "export": "faceport.commands.gallery.exporting",
    "import": "faceport.commands.gallery.importing",
    "snapshot": "faceport.commands.gallery.snapshot",
    "migrate": "faceport.commands.gallery.migrate",
}
"""Subcommand name to the module that has it as `command`."""


@click.group("gallery", cls=LazyGroup, modules=SUBCOMMANDS)
def command() -> None:
    """Look after a gallery: who is in it, how sound it is, from which cosine a face is known.

    GALLERY is a file (SQLite) or a `postgresql://…` address.

    \b
    Examples:
      faceport gallery list g.db
      faceport gallery calibrate g.db --far 1e-3
      faceport gallery export g.db --output people.parquet
    """
