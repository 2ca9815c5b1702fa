"""What an identity may be called."""

from __future__ import annotations

from faceport.errors import InputError
from faceport.gallery.types import UNKNOWN

MAX_NAME = 200


def check_name(name: str) -> None:
    """Check the name of an identity.

    Raises:
        InputError: it is blank, too long, `unknown`, or can't be stored as Unicode text.
    """
    text = not any(c == "\0" or "\ud800" <= c <= "\udfff" for c in name)
    if not text or not name.strip() or len(name) > MAX_NAME or name == UNKNOWN:
        raise InputError(
            "the name of an identity is not usable",
            received=repr(name[:40]),
            expected=f"1 to {MAX_NAME} characters, not blank, not 'unknown'",
        )
