"""SHA-256 of files, and the form in which a user gives one."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

from faceport.errors import InputError

BLOCK = 1 << 20


def file_sha256(path: Path) -> str:
    """Return the hash of a file, 64 lower-case hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(BLOCK):
            digest.update(block)
    return digest.hexdigest()


def checked_sha256(value: str | None) -> str | None:
    """Return a hash in lower case.

    Raises:
        InputError: it is not 64 hex digits.
    """
    if value is None or re.fullmatch(r"[0-9a-fA-F]{64}", value):
        return value.lower() if value else None
    raise InputError("the sha256 is malformed", received=repr(value), expected="64 hex digits")
