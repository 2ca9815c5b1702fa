"""Where a gallery's rows are kept: one module a kind, each with `open_store`."""

from __future__ import annotations

import importlib
from pathlib import Path

from faceport.gallery.stores.base import Store

SCHEMES = {
    "postgresql://": "faceport.gallery.stores.postgres",
    "postgres://": "faceport.gallery.stores.postgres",
}
"""Start of a location and the module that opens it."""

FILE = "faceport.gallery.stores.sqlite"
FOLDER = "faceport.gallery.stores.snapshot"


def open_store(location: str | Path, *, create: bool = True, key: bytes | None = None) -> Store:
    """Open the store at a location: a server's URL, a snapshot's folder, or a SQLite file.

    Args:
        location: `postgresql://…`, or a path.
        create: make it where it is missing.
        key: of a sealed store, 32 bytes.

    Raises:
        GalleryError: it is missing, damaged, of a newer schema, or sealed with another key.
        MissingDependencyError: the store's extra is not installed.
    """
    text = str(location)
    module = FOLDER if Path(text).is_dir() else FILE
    for start, name in SCHEMES.items():
        if text.startswith(start):
            module = name
    # Imported when it is asked for, as each needs its own packages.
    store: Store = importlib.import_module(module).open_store(text, create=create, key=key)
    return store
