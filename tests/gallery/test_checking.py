from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from face_gallery import DIM, samples

from faceport.errors import GalleryError
from faceport.gallery import Gallery


@pytest.fixture
def gallery(tmp_path: Path) -> Iterator[Gallery]:
    with Gallery(tmp_path / "g.db") as gallery:
        gallery.enroll("ann", samples([0, 1, 2]))
        gallery.enroll("bob", samples([3]))
        assert gallery.check() == []
        yield gallery


def execute(path: str, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        for statement in statements:
            connection.execute(statement)


NAN = "x'" + np.full(DIM, np.nan, "<f4").tobytes().hex() + "'"
UNIT = "x'" + np.eye(1, DIM, dtype="<f4").tobytes().hex() + "'"


@pytest.mark.parametrize(
    ("kind", "statement"),
    [
        ("vectors", f"UPDATE samples SET vector = {NAN} WHERE id = 2"),
        ("vectors", "UPDATE samples SET vector = zeroblob(64) WHERE id = 2"),
        ("vectors", "UPDATE samples SET vector = x'00' WHERE id = 2"),
        ("vectors", "UPDATE samples SET norm = -1 WHERE id = 2"),
        ("vectors", "UPDATE templates SET vector = x'00'"),
        ("vectors", "UPDATE meta SET value = 'x' WHERE key = 'dim'"),
        ("vectors", "UPDATE meta SET value = 'float64' WHERE key = 'vector_type'"),
        ("vectors", "DELETE FROM meta WHERE key = 'fingerprint'"),
        ("templates", f"UPDATE templates SET vector = {UNIT} WHERE identity_id = 1"),
        ("templates", "UPDATE templates SET norm = 0.1 WHERE identity_id = 1"),
        ("templates", f"UPDATE samples SET vector = {UNIT} WHERE id = 4"),
        ("templates", "UPDATE samples SET identity_id = 2 WHERE id = 3"),
        ("templates", "DELETE FROM samples WHERE id = 1"),
        ("rows", "DELETE FROM samples WHERE id = 4"),
        ("rows", "DELETE FROM templates WHERE identity_id = 1"),
        ("rows", "DELETE FROM identities WHERE id = 1"),
        ("rows", "INSERT INTO crops VALUES (99, x'00')"),
        ("rows", "INSERT INTO removed VALUES (1, 1)"),
        ("counters", "UPDATE identities SET version = 99 WHERE id = 1"),
        ("counters", "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'samples'"),
        ("counters", "DELETE FROM sqlite_sequence WHERE name = 'identities'"),
    ],
)
def test_damage_is_found(gallery: Gallery, kind: str, statement: str) -> None:
    execute(gallery.location, "PRAGMA foreign_keys = OFF", statement)
    kinds = {problem.kind for problem in gallery.check()}
    assert kind in kinds


def test_what_is_wrong_is_named(gallery: Gallery) -> None:
    execute(gallery.location, f"UPDATE templates SET vector = {UNIT} WHERE identity_id = 2")
    (problem,) = (each for each in gallery.check() if each.kind == "templates")
    assert problem.detail == "of 'bob' (identity 2) is not what its samples give"


def test_broken_pages_are_found(gallery: Gallery) -> None:
    gallery.enroll("many", samples(range(100, 160)))
    gallery.close()
    path = Path(gallery.location)
    data = bytearray(path.read_bytes())
    assert len(data) > 8 * 4096
    for page in range(4, len(data) // 4096):
        data[page * 4096 : page * 4096 + 200] = b"\xff" * 200
    path.write_bytes(data)
    try:
        with Gallery(path) as again:
            problems = again.check()
    except GalleryError:
        return
    assert {problem.kind for problem in problems} == {"database"}
