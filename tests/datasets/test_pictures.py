"""What a worker hands to the pipeline for each item."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from faceport.datasets.items import Item
from faceport.datasets.pictures import pictures
from faceport.errors import ImageDecodeError
from faceport.images import load_image


def test_a_pipe_is_an_error_and_does_not_hold_up_the_others(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "a.jpg").write_bytes(b"")
    names = ("a.jpg", "pipe.jpg", "gone.jpg")
    first, pipe, gone = pictures([Item(name, "file", tmp_path / name) for name in names])
    assert (first, gone) == (tmp_path / "a.jpg", tmp_path / "gone.jpg")
    assert not isinstance(pipe, Path)
    with pytest.raises(ImageDecodeError, match=r"pipe\.jpg could not be read: no regular file"):
        load_image(pipe)
