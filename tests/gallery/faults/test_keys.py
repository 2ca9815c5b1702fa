"""A gallery with a key: wrong and missing keys, and rows that somebody changed or moved."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from gallery_model import perform, read, sample

from faceport.errors import GalleryError, InputError
from faceport.gallery import Gallery
from faceport.gallery.types import Sample

KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "g.db"
    with Gallery.open(str(path), key=KEY) as gallery:
        gallery.change_settings(audit=True, keep_crops=True)
        for number, name in enumerate(("ann", "bob")):
            face = sample(number)
            gallery.enroll(name, [Sample(face.embedding, face.source, face.image_hash, b"crop")])
        gallery.search([sample(0).embedding])
    return path


def test_the_key_opens_it(path: Path) -> None:
    with Gallery.open(str(path), key=KEY) as gallery:
        assert sorted(read(gallery)) == ["ann", "bob"]
        assert gallery.search([sample(1).embedding])[0].name == "bob"
        assert gallery.check() == []


@pytest.mark.parametrize("key", [None, bytes(32)], ids=["missing", "wrong"])
def test_no_other_key_does(path: Path, key: bytes | None) -> None:
    before = path.read_bytes()
    with pytest.raises(GalleryError, match="key"):
        Gallery.open(str(path), key=key)
    assert path.read_bytes() == before


def test_a_key_of_another_length(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="31 bytes"):
        Gallery.open(str(tmp_path / "g.db"), key=KEY[:31])


def test_a_plain_gallery_takes_no_key(tmp_path: Path) -> None:
    Gallery.open(str(tmp_path / "g.db")).close()
    with pytest.raises(GalleryError, match="without"):
        Gallery.open(str(tmp_path / "g.db"), key=KEY)


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


SWAP = "UPDATE {0} SET {1} = (SELECT {1} FROM {0} b WHERE b.rowid = 3 - {0}.rowid)"


@pytest.mark.parametrize(
    ("table", "column", "use"),
    [
        ("samples", "vector", lambda g: g.search([sample(0).embedding], against="samples")),
        ("templates", "vector", lambda g: g.search([sample(0).embedding])),
        ("crops", "data", lambda g: g.crop(1)),
        ("identities", "metadata", lambda g: g.identities()),
    ],
)
def test_blobs_that_changed_places_do_not_open(
    path: Path, table: str, column: str, use: Callable[[Gallery], object]
) -> None:
    change(path, SWAP.format(table, column))
    with (
        Gallery.open(str(path), key=KEY) as gallery,
        pytest.raises(GalleryError, match="does not open"),
    ):
        use(gallery)


@pytest.mark.parametrize(
    "statements",
    [
        ["UPDATE samples SET identity_id = 3 - identity_id"],
        ["UPDATE samples SET norm = norm + 1"],
        ["UPDATE samples SET added = '2020-01-01T00:00:00+00:00' WHERE id = 1"],
        [
            "CREATE TEMP TABLE n AS SELECT id, name FROM identities",
            "UPDATE identities SET name = 'x' || id",
            "UPDATE identities SET name = (SELECT name FROM n WHERE n.id = 3 - identities.id)",
        ],
        ["UPDATE meta SET value = value || ' ' WHERE key = 'settings'"],
        ["DROP TRIGGER audit_is_not_deleted", "DELETE FROM audit WHERE number = 2"],
        [
            "DROP TRIGGER audit_is_not_deleted",
            "DELETE FROM audit WHERE number = (SELECT MAX(number) FROM audit)",
        ],
        [
            "DROP TRIGGER audit_is_not_changed",
            "UPDATE audit SET at = '2020-01-01T00:00:00.000+00:00' WHERE number = 1",
        ],
    ],
    ids=["owner", "norm", "time", "names", "settings", "log cut", "log cut off", "log changed"],
)
@pytest.mark.parametrize("key", [KEY, None], ids=["encrypted", "plain"])
def test_check_finds_rows_changed_by_hand(
    tmp_path: Path, key: bytes | None, statements: list[str]
) -> None:
    path = tmp_path / "g.db"
    with Gallery.open(str(path), key=key) as gallery:
        gallery.change_settings(audit=True)
        perform(gallery, {"do": "enroll", "name": "ann", "samples": [1]})
        perform(gallery, {"do": "enroll", "name": "bob", "samples": [2]})
        assert gallery.check() == []
    change(path, *statements)
    try:
        with Gallery.open(str(path), key=key) as gallery:
            assert gallery.check() != []
    except GalleryError:
        # Found at once.
        pass


def test_the_log_refuses_changes(path: Path) -> None:
    for statement in ("DELETE FROM audit", "UPDATE audit SET at = ''"):
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            change(path, statement)
