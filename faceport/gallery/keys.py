"""The key of an encrypted gallery: from a file or the environment, never from the command line.

A process's arguments can be read by every user of the machine, and stay in the shell's history.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Mapping
from pathlib import Path

from faceport.errors import InputError

KEY_VARIABLE = "FACEPORT_GALLERY_KEY"
KEY_BYTES = 32
MAX_TEXT = 200

FIX = f"make one with `openssl rand -hex {KEY_BYTES}`, and keep a copy: without it nothing is read"


def read_key(file: Path | None = None, environ: Mapping[str, str] | None = None) -> bytes | None:
    """Read the key of a gallery; the file goes before the variable FACEPORT_GALLERY_KEY.

    Returns:
        32 bytes, or None where neither is given.

    Raises:
        InputError: the file can't be read, or there is no such key in it.
    """
    if file is not None:
        return parse_key(_text(file), str(file))
    text = (os.environ if environ is None else environ).get(KEY_VARIABLE)
    return None if not text else parse_key(text, KEY_VARIABLE)


def parse_key(text: str, origin: str) -> bytes:
    """Read 32 bytes written as 64 hexadecimal digits or in base64.

    Raises:
        InputError: it is something else; the message does not repeat it.
    """
    word = text.strip()
    for decode in (bytes.fromhex, _from_base64):
        try:
            key = decode(word)
        except (ValueError, binascii.Error):
            continue
        if len(key) == KEY_BYTES:
            return key
    raise InputError(
        f"{origin} holds no key",
        received=f"{len(word)} characters",
        expected=f"{KEY_BYTES} bytes as hexadecimal digits or base64",
        fix=FIX,
    )


def check_key(key: bytes) -> None:
    """Refuse a key of another length.

    Raises:
        InputError: it is not 32 bytes.
    """
    if len(key) != KEY_BYTES:
        raise InputError(
            "the key of a gallery has another length",
            received=f"{len(key)} bytes",
            expected=f"{KEY_BYTES} bytes",
            fix=FIX,
        )


def _from_base64(text: str) -> bytes:
    return base64.b64decode(text, altchars=b"-_" if set(text) & set("-_") else None, validate=True)


def _text(file: Path) -> str:
    try:
        with file.open("rb") as handle:
            return handle.read(MAX_TEXT + 1).decode("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{file} can't be read as a key: {error}", fix=FIX) from error
