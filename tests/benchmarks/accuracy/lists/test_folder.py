from __future__ import annotations

from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.lists.folder import read_folder
from faceport.errors import InputError


def test_the_real_identities(photos: Path) -> None:
    found = read_folder(photos / "identities" / "train")
    assert found.name == "train"
    assert found.people == ("alex_lacamoire", "biden", "kit_harington", "obama", "rose_leslie")
    assert found.labels.tolist() == [0, 1, 1, 2, 2, 3, 3, 4, 4]
    assert found.templates.tolist() == list(range(9))
    assert [picture.name for picture in found.pictures][:3] == [
        "alex_lacamoire/img1.jpg",
        "biden/biden.jpg",
        "biden/biden2.jpg",
    ]
    assert all(Path(str(picture.source)).is_file() for picture in found.pictures)


def test_deeper_pictures_belong_to_the_first_folder_and_hidden_ones_to_nobody(
    tmp_path: Path,
) -> None:
    for name in ("ann/a.JPG", "ann/1/b.png", "ben/1/2/c.jpg", "ben/notes.txt", ".x/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "ben" / ".hidden").mkdir()
    (tmp_path / "ben" / ".hidden" / "e.jpg").touch()
    (tmp_path / "empty").mkdir()
    found = read_folder(tmp_path, aligned=True)
    assert found.people == ("ann", "ben")
    assert [p.name for p in found.pictures] == ["ann/a.JPG", "ann/1/b.png", "ben/1/2/c.jpg"]
    assert found.labels.tolist() == [0, 0, 1]
    assert found.pictures[0].aligned


def test_pictures_of_nobody_and_no_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no pictures of people"):
        read_folder(tmp_path)
    (tmp_path / "a.jpg").touch()
    with pytest.raises(InputError, match=r"belong to nobody; received 1, first a\.jpg"):
        read_folder(tmp_path)
    with pytest.raises(InputError, match="could not be read"):
        read_folder(tmp_path / "a.jpg")
