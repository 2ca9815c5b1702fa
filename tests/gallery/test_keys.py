from __future__ import annotations

import base64
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import InputError
from faceport.gallery.keys import KEY_VARIABLE, check_key, parse_key, read_key

KEY = bytes(range(224, 256))


@settings(max_examples=50, deadline=None)
@given(st.binary(min_size=32, max_size=32))
def test_all_spellings_of_a_key_are_the_same_key(key: bytes) -> None:
    for text in (
        key.hex(),
        key.hex().upper() + "\n",
        base64.b64encode(key).decode(),
        base64.urlsafe_b64encode(key).decode(),
    ):
        assert parse_key(text, "test") == key


def test_the_file_goes_before_the_variable(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY.hex() + "\n")
    other = {KEY_VARIABLE: "00" * 32}
    assert read_key(file, other) == KEY
    assert read_key(None, other) == bytes(32)
    assert read_key(None, {}) is None
    assert read_key(None, {KEY_VARIABLE: ""}) is None


@pytest.mark.parametrize("text", ["", "secret", "ab" * 31, "ab" * 33, "ä" * 32, "=" * 44])
def test_what_is_no_key_is_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    file = tmp_path / "k"
    file.write_text(text)
    with pytest.raises(InputError, match="openssl rand -hex 32") as caught:
        read_key(file)
    assert not text or text not in str(caught.value)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="can't be read as a key"):
        read_key(tmp_path / "nothing", {})


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEY_VARIABLE, KEY.hex())
    assert read_key() == KEY


def test_a_key_of_another_length() -> None:
    check_key(KEY)
    with pytest.raises(InputError, match="16 bytes"):
        check_key(KEY[:16])
