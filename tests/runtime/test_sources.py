"""Sources one by one: decoded, or bytes, or an error; and groups that end in time."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

from faceport.errors import ImageDecodeError, InputError
from faceport.images import Image
from faceport.runtime import sources
from faceport.runtime.sources import Loaded, grouped, load_source


def load(source: object, *, want_bytes: bool = False, max_pixels: int = 10**8) -> Loaded:
    return load_source(source, None, max_pixels, want_bytes=want_bytes)  # type: ignore[arg-type]


def test_a_picture_is_decoded(photos: Path) -> None:
    path = photos / "pairs" / "lennon-1.jpg"
    loaded = load(path)
    assert loaded.image is not None
    assert loaded.source is path
    assert (loaded.data, loaded.error) == (None, None)


@pytest.mark.parametrize("want_bytes", [False, True])
def test_a_picture_stays_a_picture_where_bytes_are_wanted(photos: Path, want_bytes: bool) -> None:
    data = (photos / "pairs" / "lennon-1.jpg").read_bytes()
    for source in (data, io.BytesIO(data)):
        assert load(source, want_bytes=want_bytes).image is not None


def test_what_is_no_picture_is_an_error_or_bytes(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_bytes(b"hello")
    for source in (
        b"hello",
        bytearray(b"hello"),
        str(tmp_path / "note.txt"),
        tmp_path / "note.txt",
    ):
        refused = load(source)
        assert isinstance(refused.error, ImageDecodeError)
        assert refused.image is refused.data is None
        taken = load(source, want_bytes=True)
        assert taken.data == b"hello"
        assert taken.image is taken.error is None
    assert load(io.BytesIO(b"hello"), want_bytes=True).data == b"hello"


@pytest.mark.parametrize("want_bytes", [False, True])
def test_what_cannot_be_read_is_an_error_anyway(tmp_path: Path, want_bytes: bool) -> None:
    for source in (tmp_path / "nowhere.jpg", tmp_path, "nul\0byte"):
        loaded = load(source, want_bytes=want_bytes)
        assert isinstance(loaded.error, ImageDecodeError)
        assert loaded.data is None


@pytest.mark.parametrize("want_bytes", [False, True])
def test_a_wrong_argument_is_its_own_error(want_bytes: bool) -> None:
    for source in (np.zeros((4, 4, 3), np.uint8), 17, None):
        assert isinstance(load(source, want_bytes=want_bytes).error, InputError)


def picture(height: int = 2, width: int = 2) -> Loaded:
    return Loaded(b"", Image(np.zeros((height, width, 3), np.uint8), "rgb"))


def test_groups_end_at_a_number_of_pictures() -> None:
    all_of_them = [picture() for _ in range(sources.GROUP_PICTURES * 2 + 3)]
    groups = list(grouped(all_of_them))
    assert [len(group) for group in groups] == [16, 16, 3]
    assert [one for group in groups for one in group] == all_of_them


def test_groups_end_at_a_number_of_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "GROUP_PIXELS", 100)
    sizes = [picture(5, 5), picture(9, 9), picture(20, 20), picture(1, 1), Loaded(b"", data=b"x")]
    assert [len(group) for group in grouped(sizes)] == [2, 1, 2]


def test_groups_take_no_more_than_they_need() -> None:
    taken: list[int] = []

    def source() -> object:
        for index in range(100):
            taken.append(index)
            yield picture()

    next(grouped(source()))  # type: ignore[arg-type]
    assert len(taken) == sources.GROUP_PICTURES


def test_no_sources_no_groups() -> None:
    assert list(grouped([])) == []
