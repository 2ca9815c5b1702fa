"""What the subcommands of `faceport gallery` share: the gallery, its key, and being asked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from faceport.commands.options import all_of, key_file_option

if TYPE_CHECKING:
    from faceport.gallery import Gallery
    from faceport.gallery.stores.base import Store
    from faceport.gallery.types import Settings

AGAINST = ("templates", "samples")

gallery_argument = all_of(click.argument("gallery", metavar="GALLERY"), key_file_option)
against_option = click.option(
    "--against",
    type=click.Choice(AGAINST),
    default="templates",
    show_default=True,
    help="Compare with each identity's fused template, or with all of its samples.",
)
yes_option = click.option("--yes", is_flag=True, help="Do it without asking.")


def open_gallery(
    location: str,
    key_file: Path | None,
    *,
    create: bool = False,
    settings: Settings | None = None,
    index: str = "auto",
) -> Gallery:
    """Open a gallery with its key."""
    from faceport.gallery import Gallery
    from faceport.gallery.keys import read_key

    key = read_key(key_file)
    return Gallery.open(location, create=create, settings=settings, key=key, index=index)


def open_rows(location: str, key_file: Path | None) -> Store:
    """Open a gallery's store alone, to read all of it in one snapshot."""
    from faceport.gallery.keys import read_key
    from faceport.gallery.stores import open_store

    return open_store(location, create=False, key=read_key(key_file))


def confirm(question: str, yes: bool) -> None:
    """Ask before something that can't be undone.

    Raises:
        UsageError: there is nobody to ask.
        Abort: the answer is no.
    """
    if yes:
        return
    if not sys.stdin.isatty():
        raise click.UsageError(f"{question} Nobody can be asked here: say it with --yes.")
    click.confirm(question, abort=True, err=True)
