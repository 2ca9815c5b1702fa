"""Whatever a name or a path holds, it is kept as it is and means nothing to anybody else."""

from __future__ import annotations

from pathlib import Path

import pytest
from gallery_model import ODD_NAMES, perform, sample
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.gallery import Gallery
from faceport.gallery.types import Sample

KEY = bytes(range(32))
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
PIECES = st.sampled_from(
    [
        *("'", '"', ";--", "\n", "\r\n", "../", "/", "\\", "%s", "{}", "$(x)", "?", ":name", " "),
        *("\x1b[0m", "\u202e", "\u00e9", "e\u0301", "\U0001f642", "DROP TABLE samples"),
    ]
)
NAMES = st.one_of(TEXT, st.lists(PIECES, min_size=1, max_size=8).map("".join)).filter(
    lambda name: bool(name.strip()) and name not in ("unknown", "other")
)


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
@settings(max_examples=25, deadline=None)
@given(names=st.lists(NAMES, min_size=2, max_size=4, unique=True), source=TEXT)
def test_names_and_sources_come_back(
    tmp_path_factory: pytest.TempPathFactory, key: bytes | None, names: list[str], source: str
) -> None:
    folder = tmp_path_factory.mktemp("names")
    first, second, *others = names
    with Gallery.open(str(folder / "g.db"), key=key) as gallery:
        gallery.change_settings(audit=True)
        for number, name in enumerate([first, *others]):
            face = sample(number)
            gallery.enroll(
                name,
                [Sample(face.embedding, source, face.image_hash)],
                metadata={source or "x": name},
            )
        gallery.rename(first, second)
    with Gallery.open(str(folder / "g.db"), key=key) as gallery:
        assert [i.name for i in gallery.identities()] == sorted([second, *others])
        assert gallery.identity(second).metadata == {source or "x": first}
        assert gallery.samples(second)[0].source == source
        assert gallery.has_image(sample(0).image_hash) == second
        (answer,) = gallery.search([sample(0).embedding])
        assert answer.name == second
        assert gallery.check() == []
        gallery.delete(second)
        assert [i.name for i in gallery.identities()] == sorted(others)
    assert {file.name.removesuffix("-wal").removesuffix("-shm") for file in folder.iterdir()} <= {
        "g.db",
        "g.db.index",
    }


def test_names_that_look_alike_are_different_people(tmp_path: Path) -> None:
    alike = ["\u00e9", "e\u0301", "E", "e", "e ", " e"]
    with Gallery.open(str(tmp_path / "g.db")) as gallery:
        for number, name in enumerate(alike):
            perform(gallery, {"do": "enroll", "name": name, "samples": [number]})
        assert {i.name for i in gallery.identities()} == set(alike)


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_gallery_may_be_called_anything(tmp_path: Path, name: str) -> None:
    folder = tmp_path / name.replace("/", "∕")
    folder.mkdir()
    path = folder / "a?mode=ro#b%20c.db"
    with Gallery.open(str(path)) as gallery:
        perform(gallery, {"do": "enroll", "name": name, "samples": [1]})
    assert path.is_file()
    with Gallery.open(str(path), create=False) as gallery:
        assert gallery.identities()[0].name == name
