"""Reading a picture's file."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from faceport.errors import ImageDecodeError
from faceport.gallery.pictures import read_picture


def test_a_picture_is_read_with_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"bytes")
    picture = read_picture(path)
    assert picture.image_hash == hashlib.sha256(b"bytes").hexdigest()
    assert picture.opened().read() == b"bytes"


def test_what_has_no_end_is_not_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    for path in (tmp_path / "pipe.jpg", Path("/dev/null")):
        with pytest.raises(ImageDecodeError, match="no regular file"):
            read_picture(path)


@pytest.mark.parametrize("name", ["gone.jpg", "", "a\0b", "x" * 300])
def test_what_can_not_be_opened_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ImageDecodeError, match="could not be opened"):
        read_picture(tmp_path / name)
