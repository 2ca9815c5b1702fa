from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faceport.errors import FingerprintMismatchError, GalleryError, InputError
from faceport.gallery import Gallery
from faceport.runtime.stub import StubEmbedder
from faceport.runtime.types import Embedding

DIM = 16


def embedding(
    seed: int, *, dim: int = DIM, fingerprint: str = "f" * 64, is_stub: bool = False
) -> Embedding:
    vector = np.random.default_rng(seed).normal(size=dim)
    unit = (vector / np.linalg.norm(vector)).astype(np.float32)
    return Embedding(unit, 20.0, fingerprint, "test/cpu", is_stub)


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery(tmp_path / "g.db") as gallery:
        yield gallery


def test_finds_who_was_enrolled(gallery: Gallery) -> None:
    for seed in range(5):
        gallery.enroll(f"person {seed}", [embedding(seed), embedding(seed + 100)], ["a", "b"])
    (matches,) = gallery.search([embedding(103)], threshold=0.5, top_k=2)
    assert matches[0].name == "person 3"
    assert matches[0].score == pytest.approx(1, abs=1e-6)
    assert matches[0].known
    assert len(matches) == 2
    assert [i.samples for i in gallery.identities()] == [2] * 5
    assert gallery.sources("person 3") == ["a", "b"]


def test_a_score_below_the_threshold_is_unknown(gallery: Gallery) -> None:
    gallery.enroll("ann", [embedding(1)], ["a"])
    (matches,) = gallery.search([embedding(2)], threshold=0.9)
    assert not matches[0].known
    assert matches[0].score < 0.9


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_search_equals_brute_force(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    counts = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=8))
    top_k = data.draw(st.integers(1, 10))
    query = embedding(data.draw(st.integers(10_000, 20_000)))
    owned = {
        f"p{i}": [embedding(100 * i + j) for j in range(count)] for i, count in enumerate(counts)
    }
    with Gallery(tmp_path_factory.mktemp("g") / "g.db") as gallery:
        for name, items in owned.items():
            gallery.enroll(name, items, ["s"] * len(items))
        (matches,) = gallery.search([query], threshold=0.0, top_k=top_k)
    exact = {
        name: max(float(query.vector.astype(np.float64) @ e.vector) for e in items)
        for name, items in owned.items()
    }
    ranked = sorted(exact, key=exact.__getitem__, reverse=True)[:top_k]
    assert [m.name for m in matches] == ranked
    assert [m.score for m in matches] == pytest.approx([exact[n] for n in ranked], abs=1e-5)


def test_an_empty_gallery_knows_nobody(gallery: Gallery) -> None:
    assert gallery.search([embedding(1)], threshold=0.3) == [[]]
    assert gallery.search([], threshold=0.3) == []
    assert gallery.fingerprint is None


@pytest.mark.parametrize(
    "other",
    [
        embedding(1, fingerprint="e" * 64),
        embedding(1, dim=DIM * 2),
        embedding(1, is_stub=True),
    ],
    ids=["fingerprint", "dim", "stub"],
)
def test_another_embedder_is_refused(gallery: Gallery, other: Embedding) -> None:
    gallery.enroll("ann", [embedding(0)], ["a"])
    with pytest.raises(FingerprintMismatchError, match="another embedder"):
        gallery.enroll("bob", [other], ["b"])
    with pytest.raises(FingerprintMismatchError, match="another embedder"):
        gallery.search([other], threshold=0.3)
    assert [i.name for i in gallery.identities()] == ["ann"]


def test_an_enrolment_is_all_or_nothing(gallery: Gallery) -> None:
    with pytest.raises(FingerprintMismatchError):
        gallery.enroll("ann", [embedding(0), embedding(1, fingerprint="e" * 64)], ["a", "b"])
    assert gallery.identities() == []
    assert gallery.fingerprint is None


@pytest.mark.parametrize("name", ["", "  ", "unknown", "x" * 201, "a\0b", "\udcff"])
def test_unusable_names(gallery: Gallery, name: str) -> None:
    with pytest.raises(InputError, match="name"):
        gallery.enroll(name, [embedding(0)], ["a"])


@pytest.mark.parametrize("name", ["O'Brien\"; DROP TABLE identities;--", "../../x", "愛\nñ"])
def test_odd_names_are_kept_as_they_are(gallery: Gallery, name: str) -> None:
    gallery.enroll(name, [embedding(0)], ["a"])
    assert gallery.search([embedding(0)], threshold=0.5)[0][0].name == name


@pytest.mark.parametrize("scale", [0.0, 0.5, np.nan])
def test_only_unit_vectors_enter(gallery: Gallery, scale: float) -> None:
    unit = embedding(0)
    bad = Embedding(unit.vector * np.float32(scale), 1.0, unit.fingerprint, "test/cpu")
    with pytest.raises(InputError, match="unit vector"):
        gallery.enroll("ann", [bad], ["a"])


def test_a_second_reader_sees_the_change(gallery: Gallery) -> None:
    gallery.enroll("ann", [embedding(0)], ["a"])
    with Gallery(gallery.path, create=False) as other:
        assert other.search([embedding(1)], threshold=0.9)[0][0].name == "ann"
        gallery.enroll("bob", [embedding(1)], ["b"])
        assert other.search([embedding(1)], threshold=0.9)[0][0].name == "bob"


def test_what_is_there_already_is_not_added_again(gallery: Gallery) -> None:
    assert gallery.enroll("ann", [embedding(0)], ["a"]) == 1
    assert gallery.enroll("ann", [embedding(0), embedding(1)], ["a", "b"]) == 1
    assert gallery.enroll("bob", [embedding(0)], ["a"]) == 1
    assert [i.samples for i in gallery.identities()] == [2, 1]


def test_an_embedder_is_refused_before_it_works(gallery: Gallery) -> None:
    gallery.check_embedder(StubEmbedder())
    gallery.enroll("ann", [embedding(0)], ["a"])
    with pytest.raises(FingerprintMismatchError, match="stub"):
        gallery.check_embedder(StubEmbedder())


def test_delete(gallery: Gallery) -> None:
    gallery.enroll("ann", [embedding(0)], ["a"])
    gallery.enroll("bob", [embedding(1)], ["b"])
    gallery.delete("ann")
    assert [m.name for m in gallery.search([embedding(0)], threshold=0)[0]] == ["bob"]
    with pytest.raises(GalleryError, match="nobody"):
        gallery.delete("ann")


def test_search_limits(gallery: Gallery) -> None:
    with pytest.raises(InputError, match="limits"):
        gallery.search([embedding(0)], threshold=1.5)
    with pytest.raises(InputError, match="limits"):
        gallery.search([embedding(0)], threshold=0.5, top_k=0)


def test_a_missing_gallery_is_not_made_by_reading(tmp_path: Path) -> None:
    with pytest.raises(GalleryError, match="no gallery"):
        Gallery(tmp_path / "g.db", create=False)
    assert not (tmp_path / "g.db").exists()


def _text(path: Path) -> None:
    path.write_text("not a database, and long enough to be read as a page\n" * 30)


def _foreign(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE notes (text)")
    connection.commit()
    connection.close()


def _newer(path: Path) -> None:
    Gallery(path).close()
    connection = sqlite3.connect(path)
    connection.execute("UPDATE meta SET value = '99' WHERE key = 'schema_version'")
    connection.commit()
    connection.close()


@pytest.mark.parametrize("make", [_text, _foreign, _newer])
def test_files_that_are_no_gallery(tmp_path: Path, make: Callable[[Path], None]) -> None:
    path = tmp_path / "g.db"
    make(path)
    before = path.read_bytes()
    with pytest.raises(GalleryError):
        Gallery(path)
    assert path.read_bytes() == before


def test_a_cut_vector_is_found(gallery: Gallery) -> None:
    gallery.enroll("ann", [embedding(0)], ["a"])
    connection = sqlite3.connect(gallery.path)
    connection.execute("UPDATE embeddings SET vector = substr(vector, 1, 10)")
    connection.commit()
    connection.close()
    with pytest.raises(GalleryError, match="another length"):
        gallery.search([embedding(0)], threshold=0.3)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE embeddings SET vector = zeroblob(64)",
        "UPDATE meta SET value = 'abc' WHERE key = 'dim'",
        "DELETE FROM meta WHERE key = 'fingerprint'",
    ],
)
def test_a_changed_file_is_found(gallery: Gallery, statement: str) -> None:
    gallery.enroll("ann", [embedding(0)], ["a"])
    connection = sqlite3.connect(gallery.path)
    connection.execute(statement)
    connection.commit()
    connection.close()
    with pytest.raises(GalleryError, match="damaged"):
        gallery.search([embedding(0)], threshold=0.3)


KILLED = """
import os, sys
from faceport.gallery import Gallery
gallery = Gallery(sys.argv[1])
with gallery._transaction() as connection:
    connection.execute("INSERT INTO identities (name) VALUES ('half')")
    os._exit(9)
"""


def test_a_killed_enrolment_leaves_what_was_there(gallery: Gallery) -> None:
    gallery.enroll("ann", [embedding(0)], ["a"])
    gallery.close()
    done = subprocess.run([sys.executable, "-c", KILLED, str(gallery.path)], check=False)
    assert done.returncode == 9
    with Gallery(gallery.path, create=False) as again:
        assert [i.name for i in again.identities()] == ["ann"]
        assert again.search([embedding(0)], threshold=0.9)[0][0].known
