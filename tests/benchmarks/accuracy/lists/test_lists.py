from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from faceport.benchmarks.accuracy.lists import open_list
from faceport.benchmarks.accuracy.types import IdentitySet, PairSet
from faceport.errors import InputError


def test_the_path_says_the_kind(tmp_path: Path) -> None:
    person = tmp_path / "people" / "Ann_Lee"
    person.mkdir(parents=True)
    for i in (1, 2):
        (person / f"Ann_Lee_000{i}.jpg").touch()
    (tmp_path / "a.csv").write_text(
        "a,b,same\nAnn_Lee/Ann_Lee_0001.jpg,Ann_Lee/Ann_Lee_0002.jpg,1\n"
    )
    (tmp_path / "b.txt").write_text("1\nAnn_Lee\t1\t2\nAnn_Lee\t1\tBen\t1\n")
    (tmp_path / "people" / "Ben").mkdir()
    (tmp_path / "people" / "Ben" / "Ben_0001.png").touch()
    (tmp_path / "c.bin").write_bytes(pickle.dumps(([b"a", b"b"], [True])))

    identities = open_list(str(tmp_path / "people"), aligned=True)
    assert isinstance(identities, IdentitySet)
    assert all(picture.aligned for picture in identities.pictures)
    for name, pictures in (("a.csv", 2), ("b.txt", 3), ("c.bin", 2)):
        pairs = open_list(tmp_path / name, root=str(tmp_path / "people"), aligned=True)
        assert isinstance(pairs, PairSet)
        assert pairs.name == name[0]
        assert len(pairs.pictures) == pictures
        assert all(picture.aligned for picture in pairs.pictures)


def test_other_paths_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(InputError, match=r"received a file \.json"):
        open_list(tmp_path / "a.json")
    with pytest.raises(InputError, match="received nothing there"):
        open_list(tmp_path / "b")
    with pytest.raises(InputError, match=r"c\.txt could not be read"):
        open_list(tmp_path / "c.txt")
