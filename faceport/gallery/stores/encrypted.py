"""Sealing of what a gallery stores: nobody reads or changes it without the key.

Blobs (vectors, templates, crops) are sealed with AES-256-GCM under a random nonce of 96 bits; texts
(names, sources, hashes of pictures, metadata, audit details) with AES-SIV, which gives the same
token for the same text, so that names and hashes can be looked up. Each is bound to its place
(table, column, row's id where it is not looked up): put elsewhere it does not open. The keys are
derived (HKDF-SHA256) from the user's key and a random salt of each gallery.

References: NIST SP 800-38D (GCM; at most 2**32 random nonces a key), RFC 5297 (SIV), RFC 5869
(HKDF).
"""

from __future__ import annotations

import base64
import hmac
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from faceport.errors import GalleryError, MissingDependencyError
from faceport.gallery.keys import check_key
from faceport.gallery.stores.marks import Value, row_bytes

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

SALT_BYTES = 16
NONCE_BYTES = 12
TAG_BYTES = 16
PAD = 32
"""Texts are filled up to a multiple of this many bytes, so that their length says little."""


class _Crypto(NamedTuple):
    AESGCM: type[AESGCM]
    AESSIV: type[AESSIV]
    InvalidTag: type[Exception]


class Seal:
    """Seals and opens blobs and texts of one gallery.

    Attributes:
        check_value: hexadecimal; tells the right key from a wrong one and gives no key away.
    """

    def __init__(self, key: bytes, salt: bytes) -> None:
        """Derive the gallery's keys.

        Raises:
            InputError: the key is not 32 bytes.
            MissingDependencyError: `cryptography` is not installed.
        """
        check_key(key)
        crypto, material = _derived(key, salt)
        self._blobs = crypto.AESGCM(material[:32])
        self._texts = crypto.AESSIV(material[32:96])
        self._refusals = (crypto.InvalidTag, ValueError)
        self._mark_key = material[96:128]
        self.check_value = material[128:144].hex()

    def seal(self, data: bytes, place: str) -> bytes:
        """Encrypt a blob for one place: nonce, ciphertext, tag."""
        nonce = os.urandom(NONCE_BYTES)
        return nonce + bytes(self._blobs.encrypt(nonce, data, place.encode()))

    def open(self, blob: bytes, place: str) -> bytes:
        """Decrypt what `seal` made for this place.

        Raises:
            GalleryError: it was changed, cut, or made for another place or with another key.
        """
        if len(blob) < NONCE_BYTES + TAG_BYTES:
            raise _tampered(place, "too short")
        try:
            return bytes(
                self._blobs.decrypt(blob[:NONCE_BYTES], blob[NONCE_BYTES:], place.encode())
            )
        except self._refusals as error:
            raise _tampered(place, _kind(error)) from error

    def seal_text(self, text: str, place: str) -> str:
        """Encrypt a text so that the same text gives the same token (URL-safe base64)."""
        token = self._texts.encrypt(_padded(text.encode()), [place.encode()])
        return base64.urlsafe_b64encode(token).decode()

    def open_text(self, token: str, place: str) -> str:
        """Decrypt what `seal_text` made for this place.

        Raises:
            GalleryError: it was changed, or made for another place or with another key.
        """
        try:
            raw = base64.b64decode(token, altchars=b"-_", validate=True)
            return _unpadded(bytes(self._texts.decrypt(raw, [place.encode()]))).decode()
        except self._refusals as error:
            raise _tampered(place, _kind(error)) from error

    def mark(self, place: str, values: Sequence[Value]) -> bytes:
        """Return the first 16 bytes of a row's HMAC-SHA256."""
        return hmac.digest(self._mark_key, row_bytes(place, values), "sha256")[:16]


def new_salt() -> bytes:
    """Draw the salt of a new gallery."""
    return os.urandom(SALT_BYTES)


def _derived(key: bytes, salt: bytes) -> tuple[_Crypto, bytes]:
    try:
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
        from cryptography.hazmat.primitives.kdf.hkdf import HKDF
    except ImportError as error:
        raise MissingDependencyError("cryptography", "encryption") from error
    kdf = HKDF(hashes.SHA256(), length=144, salt=salt, info=b"faceport gallery 1")
    return _Crypto(AESGCM, AESSIV, InvalidTag), kdf.derive(key)


def _padded(data: bytes) -> bytes:
    # ISO/IEC 7816-4: one bit, then zeros.
    filled = data + b"\x80"
    return filled + b"\0" * (-len(filled) % PAD)


def _unpadded(data: bytes) -> bytes:
    return data.rstrip(b"\0")[:-1]


def _kind(error: Exception) -> str:
    return type(error).__name__


def _tampered(place: str, received: str) -> GalleryError:
    return GalleryError(
        f"the gallery's {place} does not open with its key",
        received=received,
        expected="what faceport wrote there",
        fix="restore the gallery from a copy; something else changed the file",
    )
