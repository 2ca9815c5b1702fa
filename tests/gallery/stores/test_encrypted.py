from __future__ import annotations

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import GalleryError, InputError, MissingDependencyError
from faceport.gallery.stores.encrypted import NONCE_BYTES, TAG_BYTES, Seal, new_salt

KEY = bytes(range(32))
SALT = bytes(16)


@pytest.fixture(scope="module")
def seal() -> Seal:
    return Seal(KEY, SALT)


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300), st.text(max_size=20))
def test_what_is_sealed_opens(data: bytes, place: str) -> None:
    seal = Seal(KEY, SALT)
    blob = seal.seal(data, place)
    assert seal.open(blob, place) == data
    assert len(blob) == len(data) + NONCE_BYTES + TAG_BYTES


@settings(max_examples=60, deadline=None)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=200))
def test_a_text_has_one_token_and_opens(text: str) -> None:
    seal = Seal(KEY, SALT)
    token = seal.seal_text(text, "name")
    assert token == seal.seal_text(text, "name")
    assert seal.open_text(token, "name") == text
    assert token.isascii()
    assert len(text) < 4 or text not in token


def test_gcm_is_the_published_algorithm(seal: Seal) -> None:
    """Opened with the library directly, under a key derived by hand (RFC 5869)."""
    import hashlib
    import hmac

    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    secret = hmac.new(SALT, KEY, hashlib.sha256).digest()
    first = hmac.new(secret, b"faceport gallery 1" + b"\x01", hashlib.sha256).digest()
    blob = seal.seal(b"vector", "sample 7")
    plain = AESGCM(first).decrypt(blob[:12], blob[12:], b"sample 7")
    assert plain == b"vector"


def test_every_changed_byte_is_seen(seal: Seal) -> None:
    blob = seal.seal(b"a vector", "sample 1")
    for i in range(len(blob)):
        changed = blob[:i] + bytes([blob[i] ^ 1]) + blob[i + 1 :]
        with pytest.raises(GalleryError, match="does not open"):
            seal.open(changed, "sample 1")
    for i in range(len(blob)):
        with pytest.raises(GalleryError, match="does not open"):
            seal.open(blob[:i], "sample 1")


@pytest.mark.parametrize("token", ["", "x", "AAAA", "ä", "A" * 64])
def test_what_is_no_token_is_refused(seal: Seal, token: str) -> None:
    with pytest.raises(GalleryError, match="does not open"):
        seal.open_text(token, "name")


def test_a_blob_in_anothers_place_does_not_open(seal: Seal) -> None:
    with pytest.raises(GalleryError, match="sample 2"):
        seal.open(seal.seal(b"a vector", "sample 1"), "sample 2")
    with pytest.raises(GalleryError, match="image hash"):
        seal.open_text(seal.seal_text("ann", "name"), "image hash")


def test_nonces_differ(seal: Seal) -> None:
    blobs = {seal.seal(b"the same", "sample 1") for _ in range(200)}
    assert len({blob[:NONCE_BYTES] for blob in blobs}) == 200


def test_keys_and_salts_make_other_keys(seal: Seal) -> None:
    others = (Seal(bytes(32), SALT), Seal(KEY, new_salt()))
    for other in others:
        assert other.check_value != seal.check_value
        with pytest.raises(GalleryError):
            other.open(seal.seal(b"x", "p"), "p")
    assert Seal(KEY, SALT).check_value == seal.check_value


def test_lengths_say_little(seal: Seal) -> None:
    lengths = {len(seal.seal_text("x" * n, "name")) for n in range(31)}
    assert len(lengths) == 1


def test_a_key_of_another_length() -> None:
    with pytest.raises(InputError, match="31 bytes"):
        Seal(KEY[:31], SALT)


def test_a_missing_package_names_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cryptography.hazmat.primitives.ciphers.aead", None)
    with pytest.raises(MissingDependencyError, match=r"faceport\[encryption\]"):
        Seal(KEY, SALT)
