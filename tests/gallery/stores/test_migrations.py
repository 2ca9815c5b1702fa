from __future__ import annotations

import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from face_gallery import DIM, FINGERPRINT, VERSION_1, embedding

from faceport.errors import GalleryError
from faceport.gallery import Gallery

PEOPLE = {"ann": [1, 2, 3], "O'Brien\"\n愛": [4], "nobody yet": []}


@pytest.fixture
def old(tmp_path: Path) -> Path:
    path = tmp_path / "g.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in filter(str.strip, VERSION_1.split(";")):
            connection.execute(statement)
        meta = {"schema_version": "1", "fingerprint": FINGERPRINT, "dim": DIM, "is_stub": 0}
        connection.executemany(
            "INSERT INTO meta VALUES (?, ?)", [(k, str(v)) for k, v in meta.items()]
        )
        for number, (name, seeds) in enumerate(PEOPLE.items(), 7):
            connection.execute("INSERT INTO identities VALUES (?, ?)", (number, name))
            for seed in seeds:
                blob = embedding(seed).vector.astype("<f4").tobytes()
                added = f"2026-01-0{seed}T00:00:00+00:00"
                connection.execute(
                    "INSERT INTO embeddings VALUES (?, ?, ?, ?, ?, ?)",
                    (seed, number, blob, 20.0 + seed, f"{seed}.jpg", added),
                )
    return path


def test_a_file_of_version_1_is_brought_up_to_date(old: Path) -> None:
    with Gallery(old, create=False) as gallery:
        held = {i.name: i.samples for i in gallery.identities()}
        assert held == {name: len(seeds) for name, seeds in PEOPLE.items()}
        ann = gallery.identity("ann")
        assert (ann.created[:10], ann.changed[:10]) == ("2026-01-01", "2026-01-03")
        for stored, seed in zip(gallery.samples("ann"), PEOPLE["ann"], strict=True):
            np.testing.assert_array_equal(stored.vector, embedding(seed).vector)
            assert (stored.id, stored.source, stored.norm) == (seed, f"{seed}.jpg", 20.0 + seed)
        assert gallery.search([embedding(2)], against="samples")[0].name == "ann"
        assert gallery.search([embedding(4)])[0].name == "O'Brien\"\n愛"
        assert gallery.fingerprint == FINGERPRINT
        assert gallery.check() == []
        assert gallery.stats().schema == "2"
    with closing(sqlite3.connect(old)) as connection:
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master")}
    assert not {"embeddings", "identities_1", "embeddings_identity"} & tables


def test_new_ids_come_after_the_old(old: Path) -> None:
    from faceport.gallery import Sample

    with Gallery(old) as gallery:
        gallery.enroll("new", [Sample(embedding(9), "9.jpg")])
        assert gallery.samples("new")[0].id == 5
        assert gallery.check() == []


def test_an_empty_file_of_version_1(tmp_path: Path, old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("DELETE FROM embeddings")
        connection.execute("DELETE FROM identities")
        connection.execute("DELETE FROM meta WHERE key != 'schema_version'")
    with Gallery(old) as gallery:
        assert gallery.identities() == []
        assert gallery.space is None
        assert gallery.check() == []


def test_a_damaged_file_is_left_as_it_was(old: Path) -> None:
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("UPDATE embeddings SET vector = x'00' WHERE id = 2")
    before = old.read_bytes()
    with pytest.raises(GalleryError, match="another length"):
        Gallery(old)
    assert old.read_bytes() == before


def test_several_processes_may_find_it_at_once(old: Path) -> None:
    failures: list[Exception] = []

    def opening() -> None:
        try:
            with Gallery(old) as gallery:
                assert gallery.check() == []
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=opening) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_where_it_can_not_be_written_it_says_what_to_do(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("faceport.gallery.stores.sqlite.can_write", lambda _: False)
    with pytest.raises(GalleryError, match="older schema"):
        Gallery(old)
