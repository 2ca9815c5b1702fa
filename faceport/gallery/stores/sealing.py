"""Whether a gallery file is sealed, and with which key.

`meta` keeps the salt of a sealed file and a value by which the right key is told from a wrong one.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from faceport.errors import GalleryError
from faceport.gallery.stores.vectors import Sealing, Unsealed

SALT = "seal_salt"
CHECK = "seal_check"


def set_key(connection: sqlite3.Connection, key: bytes) -> None:
    """Make an empty gallery a sealed one, within the caller's transaction."""
    from faceport.gallery.stores.encrypted import Seal, new_salt

    salt = new_salt()
    connection.executemany(
        "INSERT INTO meta VALUES (?, ?)",
        [(SALT, salt.hex()), (CHECK, Seal(key, salt).check_value)],
    )


def sealing_of(connection: sqlite3.Connection, key: bytes | None, path: Path) -> Sealing:
    """Return what opens the gallery's blobs.

    Raises:
        GalleryError: it is sealed and there is no key, or another one; or it is not sealed and
            there is a key.
    """
    meta = dict(connection.execute("SELECT key, value FROM meta"))
    if SALT not in meta and key is None:
        return Unsealed()
    if SALT not in meta or key is None:
        raise GalleryError(
            f"gallery {path} is {'sealed' if key is None else 'not sealed'}",
            received="no key" if key is None else "a key",
            fix="give its key, in the variable FACEPORT_GALLERY_KEY or a file (--key-file)"
            if key is None
            else "open it without one, or make a new gallery with the key",
        )
    from faceport.gallery.stores.encrypted import Seal

    try:
        salt = bytes.fromhex(meta[SALT])
    except ValueError:
        salt = b""
    seal = Seal(key, salt)
    if seal.check_value != meta.get(CHECK):
        raise GalleryError(
            f"gallery {path} was sealed with another key",
            fix="give the key that it was made with, in the variable FACEPORT_GALLERY_KEY or a "
            "file (--key-file)",
        )
    return seal
