from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from faceport.converters.hashing import BLOCK, checked_sha256, file_sha256
from faceport.errors import InputError


@pytest.mark.parametrize("size", [0, 1, BLOCK, BLOCK + 1])
def test_a_files_hash_is_that_of_its_bytes(size: int, tmp_path: Path) -> None:
    content = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
    (tmp_path / "a").write_bytes(content)
    assert file_sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()


def test_a_hash_is_taken_in_either_case() -> None:
    assert checked_sha256(None) is None
    assert checked_sha256("AB" * 32) == "ab" * 32


@pytest.mark.parametrize("value", ["", "ab", "g" * 64, "a" * 65, " " + "a" * 63])
def test_a_malformed_hash_is_refused(value: str) -> None:
    with pytest.raises(InputError, match="64 hex digits"):
        checked_sha256(value)
