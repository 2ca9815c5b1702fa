"""The server restarted or crashed between and during operations: nothing lost, nothing twice."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest
from face_stores import SPACE, TIME, add_person
from gallery_model import Person, Plan, check_templates, perform, read, sample

from faceport.errors import GalleryInterruptedError, GalleryUnreachableError
from faceport.gallery import Gallery
from faceport.gallery.stores.postgres import PostgresStore
from faceport.gallery.stores.postgres import connections as module
from faceport.gallery.stores.postgres.writer import PostgresWriter

if TYPE_CHECKING:
    from local_postgres import LocalPostgres

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def store(postgres_server: LocalPostgres) -> Iterator[PostgresStore]:
    uri = postgres_server.uri + "&gallery=restarted"
    store = PostgresStore(uri)
    with store.transaction() as writer:
        writer.set_space(SPACE)
    yield store
    store.close()
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute("DROP SCHEMA faceport_restarted CASCADE")


def names(store: PostgresStore) -> list[str]:
    with store.snapshot() as reader:
        return sorted(reader.names().values())


def add(store: PostgresStore, name: str) -> None:
    with store.transaction() as writer:
        add_person(writer, name, [len(name)])


@pytest.mark.parametrize("crash", [False, True])
def test_between_operations_nobody_notices(
    store: PostgresStore, postgres_server: LocalPostgres, crash: bool
) -> None:
    add(store, "ann")
    postgres_server.restart(crash=crash)
    add(store, "bob")
    postgres_server.restart(crash=crash)
    assert names(store) == ["ann", "bob"]
    assert store.check() == []


def test_a_server_that_is_away_for_a_while_is_waited_for(
    store: PostgresStore, postgres_server: LocalPostgres
) -> None:
    # Else Python would print each of the pool's attempts to stderr.
    assert logging.getLogger("psycopg.pool").handlers
    postgres_server.stop()
    starter = threading.Timer(1, postgres_server.start)
    starter.start()
    add(store, "ann")
    starter.join()
    assert names(store) == ["ann"]


def test_lost_in_a_transaction_nothing_was_written(
    store: PostgresStore, postgres_server: LocalPostgres
) -> None:
    def lost(*, after: bool) -> None:
        with store.transaction() as writer:
            writer.add_identity("ann", "{}", TIME)
            postgres_server.restart(crash=True)
            if after:
                writer.set_meta("key", "value")

    for after in (True, False):
        with pytest.raises(GalleryInterruptedError):
            lost(after=after)
        assert names(store) == []
    add(store, "ann")
    assert names(store) == ["ann"]


def test_lost_in_a_snapshot(store: PostgresStore, postgres_server: LocalPostgres) -> None:
    def lost() -> None:
        with store.snapshot() as reader:
            postgres_server.restart()
            reader.names()

    with pytest.raises(GalleryInterruptedError):
        lost()
    assert names(store) == []


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_answer_to_commit_that_never_came(
    store: PostgresStore,
    postgres_server: LocalPostgres,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
) -> None:
    """The server knows whether it committed: what is told to the caller is what happened."""
    commit = module.Connections._commit

    class Broken:
        """A connection whose COMMIT is lost, before or after the server got it."""

        def __init__(self, connection: Any) -> None:
            self.connection = connection

        def execute(self, query: str) -> Any:
            if moment == "after":
                self.connection.execute(query)
            postgres_server.restart(crash=True)
            return self.connection.execute("SELECT 1")

    monkeypatch.setattr(
        module.Connections, "_commit", lambda self, c, number: commit(self, Broken(c), number)
    )
    if moment == "after":
        add(store, "ann")
    else:
        with pytest.raises(GalleryInterruptedError, match="nothing was written; try again"):
            add(store, "ann")
    monkeypatch.undo()
    assert names(store) == (["ann"] if moment == "after" else [])
    with store.snapshot() as reader:
        assert reader.version() == (3 if moment == "after" else 2)


def test_a_server_that_does_not_come_back(
    postgres_server: LocalPostgres, store: PostgresStore
) -> None:
    hasty = PostgresStore(postgres_server.uri + "&gallery=restarted&reconnect=0")
    postgres_server.stop()
    try:
        with pytest.raises(GalleryUnreachableError, match="check that the server runs"):
            names(hasty)
    finally:
        postgres_server.start()
    assert names(hasty) == []
    hasty.close()


def test_a_gallery_is_asked_again(
    postgres_server: LocalPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server crashes in the middle of each kind of operation; all is there once."""
    uri = postgres_server.uri + "&gallery=asked_again"
    plan = Plan(1)
    operations = plan.draw(12)
    crashes: list[str] = []
    real = PostgresWriter.finish

    def crash_first(self: PostgresWriter, token: str) -> None:
        # In every second attempt, so that each operation is interrupted once.
        if len(crashes) % 2 == 0:
            postgres_server.restart(crash=True)
        crashes.append(token)
        real(self, token)

    with Gallery.open(uri) as gallery:
        monkeypatch.setattr(PostgresWriter, "finish", crash_first)
        for operation in operations:
            perform(gallery, operation)
        monkeypatch.undo()
        assert len(crashes) == 2 * len(operations)
        assert read(gallery) == plan.state
        check_templates(gallery, plan.state)
        assert gallery.check() == []
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute("DROP SCHEMA faceport_asked_again CASCADE")


def test_enrolment_while_the_server_crashes_again_and_again(
    postgres_server: LocalPostgres,
) -> None:
    uri = postgres_server.uri + "&gallery=again_and_again"
    people, crashes = 100, 10
    added: list[int] = []
    moments = np.random.default_rng(5).uniform(0, 0.02, crashes)

    def crash() -> None:
        for number, moment in enumerate(moments):
            # After some progress, so that no enrolment is interrupted for ever.
            while len(added) < people * number // crashes:
                time.sleep(0.001)
            time.sleep(moment)
            postgres_server.restart(crash=number % 2 == 0)

    thread = threading.Thread(target=crash)
    with Gallery.open(uri) as gallery:
        thread.start()
        for i in range(people):
            added.append(gallery.enroll(f"p{i}", [sample(10 * i), sample(10 * i + 1)]))
        thread.join()
        assert added == [2] * people
        assert read(gallery) == {
            f"p{i}": Person(frozenset((10 * i, 10 * i + 1))) for i in range(people)
        }
        assert gallery.check() == []
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute("DROP SCHEMA faceport_again_and_again CASCADE")


KILLED = """
import sys, time
from faceport.gallery.stores.postgres import PostgresStore
store = PostgresStore(sys.argv[1])
with store.transaction() as writer:
    writer.add_identity("ann", "{}", "2026-01-02T03:04:05+00:00")
    print("written", flush=True)
    time.sleep(60)
"""


def test_a_client_that_is_killed_leaves_no_trace_and_no_lock(
    store: PostgresStore, postgres_server: LocalPostgres
) -> None:
    uri = postgres_server.uri + "&gallery=restarted"
    command = [sys.executable, "-c", KILLED, uri]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == b"written\n"
        client.kill()
    add(store, "bob")
    assert names(store) == ["bob"]
    assert store.check() == []
