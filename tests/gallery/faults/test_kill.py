"""SIGKILL: what was acknowledged is there, and what was not is there whole or not at all."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from face_gallery import VERSION_1
from gallery_killer import finish, kill_after, report, start
from gallery_model import (
    DIM,
    FINGERPRINT,
    Person,
    Plan,
    State,
    after,
    check_templates,
    perform,
    read,
    replay,
    sample,
)

from faceport.gallery import Gallery
from faceport.runtime.types import Embedding

KILLS = int(os.environ.get("FACEPORT_TEST_KILLS", "30"))
"""More for a long run; every kill costs about 0.4 s."""

KEY = bytes(range(32))


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_killed_at_random_moments(tmp_path: Path, key: bytes | None) -> None:
    rng = np.random.default_rng(5)
    location = str(tmp_path / "g.db")
    state: State = {}
    met = done = 0
    kills = KILLS if key is None else KILLS // 4
    for kill in range(kills):
        operations = Plan(kill, state).draw(400)
        worker = start(tmp_path, location, operations, key=key and key.hex())
        outcome = kill_after(worker, *_moment(rng))
        with Gallery.open(location, key=key) as gallery:
            assert gallery.check() == []
            found = read(gallery)
            check_templates(gallery, found)
        certain = replay(state, operations[: outcome.acknowledged])
        # The operation that was under way may have been committed without being acknowledged.
        assert found in [certain, after(certain, operations[outcome.acknowledged])]
        state = found
        met += outcome.killed
        done += outcome.acknowledged
    report("enrol, merge, rename, delete, metadata", kills=met, operations=done)
    assert met == kills
    assert done > met


def _moment(rng: np.random.Generator) -> tuple[str, float]:
    if rng.random() < 0.15:
        return "opening", float(rng.uniform(0, 0.02))
    return "ready", float(rng.uniform(0, 0.15))


OPERATIONS = {
    "enroll new": {"do": "enroll", "name": "new", "samples": [11, 12]},
    "enroll more": {"do": "enroll", "name": "ann", "samples": [13]},
    "merge": {"do": "merge", "name": "ann", "to": "bob"},
    "delete": {"do": "delete", "name": "ann"},
    "rename": {"do": "rename", "name": "ann", "to": "O'Neill"},
}


@pytest.mark.parametrize("key", [None, KEY], ids=["plain", "encrypted"])
def test_killed_before_every_statement(tmp_path: Path, key: bytes | None) -> None:
    folder = tmp_path / "start"
    folder.mkdir()
    location = str(folder / "g.db")
    with Gallery.open(location, key=key) as gallery:
        gallery.change_settings(audit=True)
        perform(gallery, {"do": "enroll", "name": "ann", "samples": [1, 2]})
        perform(gallery, {"do": "enroll", "name": "bob", "samples": [3]})
    operations = list(OPERATIONS.values())
    job = {"every_statement": str(tmp_path / "copy"), "key": key and key.hex()}
    operations = operations if key is None else operations[1:3]
    out = finish(start(tmp_path, location, operations, **job)).lines
    assert out.count("killed") == len(out) > 8 * len(operations)
    report("before every statement", kills=len(out), operations=len(operations))


def write_version_1(path: Path, people: int) -> None:
    """Write a file as the first release did."""
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    space = {"schema_version": "1", "fingerprint": FINGERPRINT, "dim": str(DIM), "is_stub": "0"}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", space.items())
    for person in range(people):
        connection.execute("INSERT INTO identities VALUES (?, ?)", (person + 1, f"p{person}"))
        for number in (3 * person, 3 * person + 1):
            face = sample(number)
            row = (person + 1, face.embedding.vector.tobytes(), face.embedding.norm, face.source)
            connection.execute(
                "INSERT INTO embeddings (identity_id, vector, norm, source, added) "
                "VALUES (?, ?, ?, ?, '2025-01-01T00:00:00+00:00')",
                row,
            )
    connection.commit()
    connection.close()


def test_killed_before_every_statement_of_a_new_schema(tmp_path: Path) -> None:
    folder = tmp_path / "start"
    folder.mkdir()
    write_version_1(folder / "g.db", people=3)
    job = {"every_statement": str(tmp_path / "copy"), "hashes": False}
    worker = start(tmp_path, str(folder / "g.db"), [{"do": "open"}], **job)
    out = finish(worker).lines
    assert out.count("killed") == len(out) > 20
    report("schema, before every statement", kills=len(out), operations=1)


def test_killed_at_random_moments_of_a_new_schema(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    expected = {f"p{i}": Person(frozenset({3 * i, 3 * i + 1})) for i in range(300)}
    met = 0
    for kill in range(max(2, KILLS // 6)):
        location = tmp_path / f"{kill}.db"
        write_version_1(location, people=300)
        outcome = kill_after(
            start(tmp_path, str(location), [{"do": "search"}] * 10_000),
            "opening",
            float(rng.uniform(0.01, 0.15)),
        )
        met += outcome.killed
        with Gallery.open(str(location)) as gallery:
            assert gallery.check() == []
            assert read(gallery, hashes=False) == expected
    assert met > 0
    report("schema", kills=met, operations=met)


def test_killed_while_all_faces_are_embedded_again(tmp_path: Path) -> None:
    rng = np.random.default_rng(7)
    location = str(tmp_path / "g.db")
    with Gallery.open(location) as gallery:
        plan = Plan(9)
        for operation in plan.draw(120):
            perform(gallery, operation)
    fingerprint, other = FINGERPRINT, "e" * 64
    done = 0
    for _ in range(max(2, KILLS // 6)):
        operations = [{"do": "migrate", "fingerprint": f} for f in (other, fingerprint) * 50]
        worker = start(tmp_path, location, operations)
        outcome = kill_after(worker, "ready", float(rng.uniform(0, 0.3)))
        assert outcome.killed
        with Gallery.open(location) as gallery:
            assert gallery.check() == []
            # Each vector is compared with that of the embedder that the gallery names.
            assert read(gallery) == plan.state
            check_templates(gallery, plan.state)
            found = gallery.fingerprint
        acknowledged = (fingerprint, other)[outcome.acknowledged % 2]
        under_way = (other, fingerprint)[outcome.acknowledged % 2]
        assert found in (acknowledged, under_way)
        if found == other:
            fingerprint, other = other, fingerprint
        done += outcome.acknowledged
    report("all faces embedded again", kills=max(2, KILLS // 6), operations=done)


def test_killed_while_an_index_is_made_and_saved(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    location = str(tmp_path / "g.db")
    state: State = {}
    done = 0
    for kill in range(max(2, KILLS // 6)):
        plan = Plan(100 + kill, state)
        operations = [o for drawn in plan.draw(300) for o in (drawn, {"do": "search"})]
        worker = start(tmp_path, location, operations, index="hnsw", reopen=True)
        outcome = kill_after(worker, "ready", float(rng.uniform(0.05, 0.5)))
        assert outcome.killed
        certain = replay(state, operations[: outcome.acknowledged])
        possible = [certain, after(certain, operations[outcome.acknowledged])]
        with Gallery.open(location, index="hnsw") as gallery:
            assert gallery.check() == []
            state = read(gallery)
            assert state in possible
            queries = [vector_of(person) for person in state.values()]
            answers = gallery.search(queries, against="samples")
            assert [a.name for a in answers] == list(state)
        done += outcome.acknowledged
    report("index made and saved", kills=max(2, KILLS // 6), operations=done)


def vector_of(person: Person) -> Embedding:
    return sample(min(person.samples)).embedding
