"""Files of embeddings: read as they were written, continued after any end, and nothing else's."""

from __future__ import annotations

import json
import os
import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from faceport.errors import InputError
from faceport.runtime.embedding_file import header_line, picture_line, read_embeddings
from faceport.runtime.embedding_writer import embedding_writer, state_of
from faceport.runtime.types import Detection, Embedding, Face

SETTINGS = {"embedder": "abc", "dim": 8, "limits": {"score_threshold": 0.5}, "flip": False}


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"{name}.jpg" for name in ("a", "ü b", "c")]
    for path in paths:
        path.write_bytes(path.name.encode() * 3)
    return paths


def face(seed: int, *, landmarks: bool = True) -> Face:
    random = np.random.default_rng(seed)
    vector = random.normal(size=8).astype(np.float32)
    marks = random.uniform(0, 900, (5, 2)).astype(np.float32) if landmarks else None
    box = np.array([1.25, 2.5, 300.125, 400], np.float32)
    return Face(Detection(box, 0.87654, marks), Embedding(vector, 21.375, "abc", "test/none"))


def write(path: Path, pictures: list[Path], *, resume: bool = True, **changes: Any) -> list[str]:
    """Write what is not there, and return what that was."""
    written = []
    with embedding_writer(path, {**SETTINGS, **changes}, resume=resume) as writer:
        for number, picture in enumerate(pictures):
            if not writer.is_done(picture):
                writer.add(picture, [face(number), face(9, landmarks=False)], None)
                written.append(picture.name)
    return written


def test_is_read_as_it_was_written(tmp_path: Path, pictures: list[Path]) -> None:
    path = tmp_path / "faces.jsonl"
    with embedding_writer(path, SETTINGS, resume=True) as writer:
        writer.add(pictures[0], [face(1), face(2)], None)
        writer.add(pictures[1], [], None)
        writer.add(tmp_path / "gone.jpg", [], "gone.jpg could not be opened")
    first, second, third = read_embeddings(path)
    assert (first.image, first.error) == (str(pictures[0]), None)
    assert (first.size, first.mtime_ns) == state_of(pictures[0])
    np.testing.assert_array_equal(
        first.vectors, [face(1).embedding.vector, face(2).embedding.vector]
    )
    np.testing.assert_allclose(first.boxes, [face(1).detection.bbox] * 2, atol=0.006)
    assert first.norms.tolist() == [21.375] * 2
    assert first.scores == pytest.approx([0.87654] * 2, abs=1e-5)
    assert (second.image, second.vectors.shape, second.error) == (str(pictures[1]), (0, 0), None)
    assert (third.size, third.mtime_ns, third.error) == (0, 0, "gone.jpg could not be opened")
    record = json.loads(path.read_text().splitlines()[1])
    assert len(record["faces"][0]["landmarks"]) == 5


def test_goes_on_where_it_ended(tmp_path: Path, pictures: list[Path]) -> None:
    path = tmp_path / "faces.jsonl"
    assert write(path, pictures[:2]) == ["a.jpg", "ü b.jpg"]
    before = path.read_bytes()
    assert write(path, pictures) == ["c.jpg"]
    assert write(path, pictures) == []
    assert path.read_bytes().startswith(before)
    assert [one.image for one in read_embeddings(path)] == [str(path) for path in pictures]


def test_a_torn_line_is_dropped_wherever_it_is_cut(tmp_path: Path, pictures: list[Path]) -> None:
    whole = tmp_path / "whole.jsonl"
    write(whole, pictures)
    data = whole.read_bytes()
    last = data.rindex(b"\n", 0, -1) + 1
    header = data.index(b"\n")
    path = tmp_path / "faces.jsonl"
    for end in (last + 1, last + 100, len(data) - 1):
        path.write_bytes(data[:end])
        assert len(list(read_embeddings(path))) == 2
        assert write(path, pictures) == ["c.jpg"]
        assert path.read_bytes() == data
    for end in (0, 5, 30, header):
        path.write_bytes(data[:end])
        assert len(write(path, pictures)) == 3
        assert path.read_bytes() == data


def test_a_picture_that_changed_or_failed_is_done_again(
    tmp_path: Path, pictures: list[Path]
) -> None:
    path = tmp_path / "faces.jsonl"
    write(path, pictures)
    pictures[1].write_bytes(b"another picture")
    assert write(path, pictures) == ["ü b.jpg"]
    with embedding_writer(path, SETTINGS, resume=True) as writer:
        writer.add(pictures[0], [], "unreadable")
    assert write(path, pictures) == ["a.jpg"]


def test_can_be_begun_anew(tmp_path: Path, pictures: list[Path]) -> None:
    path = tmp_path / "faces.jsonl"
    write(path, pictures)
    assert write(path, pictures[:1], resume=False, embedder="other") == ["a.jpg"]
    assert len(list(read_embeddings(path))) == 1


def test_other_settings_are_refused_and_nothing_is_changed(
    tmp_path: Path, pictures: list[Path]
) -> None:
    path = tmp_path / "faces.jsonl"
    write(path, pictures)
    before = path.read_bytes()
    for changes in ({"embedder": "def"}, {"flip": True}, {"limits": None}, {"new": 1}):
        with pytest.raises(InputError, match=f"other settings.*{next(iter(changes))}"):
            write(path, pictures, **changes)
    assert path.read_bytes() == before


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize(
    "content", [b"hello", b"hello\n", b'{"a": 1}\n', b'{"a": 1}', b"[]\n", b"\xff\xd8\xff\xe0"]
)
def test_another_file_is_not_written_over(tmp_path: Path, content: bytes, resume: bool) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"notes\.txt"):
        write(path, [], resume=resume)
    assert path.read_bytes() == content
    with pytest.raises(InputError, match=r"notes\.txt"):
        list(read_embeddings(path))


def test_a_damaged_line_in_the_middle_is_an_error(tmp_path: Path, pictures: list[Path]) -> None:
    path = tmp_path / "faces.jsonl"
    path.write_bytes(header_line(SETTINGS) + b'{"image": \n' + b"{}\n")
    with pytest.raises(InputError, match="line 2"):
        write(path, pictures)
    path.write_bytes(header_line(SETTINGS) + b"{}\n")
    with pytest.raises(InputError, match="line 2"):
        write(path, pictures)
    with pytest.raises(InputError, match="line 2"):
        list(read_embeddings(path))


def test_two_do_not_write_at_once_and_a_folder_must_be_there(
    tmp_path: Path, pictures: list[Path]
) -> None:
    path = tmp_path / "faces.jsonl"
    with (
        embedding_writer(path, SETTINGS, resume=True),
        pytest.raises(InputError, match="another process"),
    ):
        write(path, pictures)
    with pytest.raises(InputError, match="nowhere"):
        write(tmp_path / "nowhere" / "faces.jsonl", pictures)
    with pytest.raises(InputError, match="can't be written"):
        write(tmp_path, pictures)


@pytest.mark.parametrize("device", ["/dev/null", "/dev/full", "pipe"])
def test_what_is_no_regular_file_is_refused(
    tmp_path: Path, pictures: list[Path], device: str
) -> None:
    path = tmp_path / device
    if device == "pipe":
        os.mkfifo(path)
    with pytest.raises(InputError, match="no regular file"):
        write(path, pictures)


def test_a_full_disk_is_an_error_and_what_is_whole_is_kept(
    tmp_path: Path, pictures: list[Path]
) -> None:
    path = tmp_path / "faces.jsonl"
    line = len(picture_line(str(pictures[0]), state_of(pictures[0]), [face(0)] * 2, None))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Within the second line: the system writes a part of it, and nothing more.
    resource.setrlimit(
        resource.RLIMIT_FSIZE, (len(header_line(SETTINGS)) + line * 3 // 2, before[1])
    )
    try:
        with pytest.raises(InputError, match="can't be written: File too large"):
            write(path, pictures)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert not path.read_bytes().endswith(b"\n")
    assert write(path, pictures) == ["ü b.jpg", "c.jpg"]
    assert [Path(one.image).name for one in read_embeddings(path)] == ["a.jpg", "ü b.jpg", "c.jpg"]
