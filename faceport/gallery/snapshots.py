"""A gallery as a folder that a device maps into memory and only reads."""

from __future__ import annotations

from pathlib import Path

from faceport.gallery.audit import write_down
from faceport.gallery.gallery import Gallery
from faceport.gallery.settings import KEY
from faceport.gallery.stores.snapshot_writer import write_rows

META = ("id", KEY)
"""Texts that a gallery keeps beside its rows and that a snapshot takes along."""


def write_snapshot(gallery: Gallery, folder: str | Path) -> None:
    """Write all identities with their samples and templates, but no crops and no audit log.

    `Gallery(folder)` opens it: the same answers, read-only, in milliseconds. Vectors are float32
    and not sealed, even where the gallery's are.

    Args:
        gallery: any; read in one consistent view.
        folder: made, or replaced as a whole where it holds a snapshot; after a crash the old one is
            there or the new one.

    Raises:
        GalleryError: the gallery can't be read, the folder can't be written or is no snapshot.
    """
    write_down(gallery.store, "export", {"output": str(folder), "redacted": False})
    with gallery.store.snapshot() as reader:
        write_rows(reader, Path(folder), META)
