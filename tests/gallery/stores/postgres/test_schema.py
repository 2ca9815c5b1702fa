from __future__ import annotations

import threading

import psycopg
import pytest
from face_stores import SPACE, TIME, add_person

from faceport.errors import GalleryError
from faceport.gallery.stores.base import AuditRow
from faceport.gallery.stores.postgres import PostgresStore, schema
from faceport.gallery.stores.postgres.address import parse_address
from faceport.gallery.stores.postgres.schema import MIGRATIONS, prepare

pytestmark = pytest.mark.xdist_group("postgres")


def test_many_may_make_the_same_gallery_at_once(postgres_gallery: str) -> None:
    problems: list[Exception] = []

    def make() -> None:
        try:
            PostgresStore(postgres_gallery).close()
        except Exception as error:
            problems.append(error)

    threads = [threading.Thread(target=make) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []


def test_without_create_nothing_is_made(postgres_gallery: str) -> None:
    for _ in range(2):
        with pytest.raises(GalleryError, match="faceport enroll"):
            PostgresStore(postgres_gallery, create=False)


def test_galleries_of_one_database_know_nothing_of_each_other(
    postgres_gallery: str, request: pytest.FixtureRequest
) -> None:
    one, other = PostgresStore(postgres_gallery), PostgresStore(postgres_gallery + "x")
    request.addfinalizer(lambda: _drop(postgres_gallery + "x"))
    with one.transaction() as writer:
        writer.set_space(SPACE)
        add_person(writer, "ann", [1])
    with other.snapshot() as reader:
        assert (reader.version(), reader.space(), reader.names()) == (1, None, {})
    one.close()
    other.close()


def test_an_older_schema_is_brought_up_to_date_and_a_newer_refused(postgres_gallery: str) -> None:
    store = PostgresStore(postgres_gallery)
    with store.transaction() as writer:
        writer.add_identity("ann", "{}", TIME)
    address = parse_address(postgres_gallery)
    later = {**MIGRATIONS, 2: "ALTER TABLE identities ADD COLUMN note text NOT NULL DEFAULT 'new'"}
    with psycopg.connect(address.conninfo, autocommit=True) as connection:
        for _ in range(2):
            prepare(connection, address.schema, address.location, create=False, migrations=later)
        rows = connection.execute(f"SELECT name, note FROM {address.schema}.identities").fetchall()
    assert rows == [("ann", "new")]
    with pytest.raises(GalleryError, match=r"newer schema; received version 2; expected at most 1"):
        PostgresStore(postgres_gallery)
    # One that is open notices it, before it writes what the new tables may not take.
    with pytest.raises(GalleryError, match="newer schema"), store.transaction():
        pass
    store.close()


def test_a_migration_that_fails_leaves_everything_as_it_was(postgres_gallery: str) -> None:
    PostgresStore(postgres_gallery).close()
    address = parse_address(postgres_gallery)
    broken = {**MIGRATIONS, 2: "ALTER TABLE identities ADD COLUMN note text; SELECT 1 / 0"}
    with (
        psycopg.connect(address.conninfo, autocommit=True) as connection,
        pytest.raises(psycopg.errors.DivisionByZero),
    ):
        prepare(connection, address.schema, address.location, create=False, migrations=broken)
    store = PostgresStore(postgres_gallery)
    with store.snapshot() as reader:
        assert reader.stats().schema == "1"
    store.close()


@pytest.mark.parametrize(
    "statement",
    ["UPDATE audit SET action = 'delete'", "DELETE FROM audit", "TRUNCATE audit"],
)
def test_nobody_changes_the_audit_log(postgres_gallery: str, statement: str) -> None:
    store = PostgresStore(postgres_gallery)
    row = AuditRow(1, TIME, "enroll", "{}", "c" * 64)
    with store.transaction() as writer:
        writer.append_audit(row)
    address = parse_address(postgres_gallery)
    with psycopg.connect(address.conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {address.schema}")
        with pytest.raises(psycopg.errors.RaiseException, match="only added to"):
            connection.execute(statement)
    with store.snapshot() as reader:
        assert reader.audit() == [row]
    store.close()


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE embeddings SET embedding = NULL", "vectors"),
        ("UPDATE identities SET template = NULL", "templates"),
        ("DELETE FROM changes", "counters"),
        ("UPDATE state SET version = 0", "counters"),
        ("DROP INDEX identities_hnsw", "index"),
    ],
)
def test_check_finds_what_others_broke(postgres_gallery: str, statement: str, problem: str) -> None:
    store = PostgresStore(postgres_gallery)
    with store.transaction() as writer:
        writer.set_space(SPACE)
        add_person(writer, "ann", [1, 2])
    assert store.check() == []
    address = parse_address(postgres_gallery)
    with psycopg.connect(address.conninfo, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {address.schema}, public")
        connection.execute(statement)
    assert [found.kind for found in store.check()] == [problem]
    if problem == "vectors":
        with store.snapshot() as reader, pytest.raises(GalleryError, match="damaged"):
            list(reader.vectors("samples"))
    store.close()


def _drop(uri: str) -> None:
    address = parse_address(uri)
    with psycopg.connect(address.conninfo, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {address.schema} CASCADE")


def test_an_old_pgvector_is_refused(postgres_gallery: str, monkeypatch: pytest.MonkeyPatch) -> None:
    PostgresStore(postgres_gallery).close()
    monkeypatch.setattr(schema, "OLDEST_PGVECTOR", (99, 1))
    with pytest.raises(GalleryError, match=r"too old.*99\.1 or later.*ALTER EXTENSION vector"):
        PostgresStore(postgres_gallery)
