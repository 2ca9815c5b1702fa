"""A server that is not there, that refuses, that is of another kind: what the user is told."""

from __future__ import annotations

import logging
import socket
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

import psycopg
import pytest
from face_stores import SPACE, TIME, add_person, new_sample, unit

from faceport.errors import (
    GalleryError,
    GalleryUnreachableError,
    InputError,
    MissingDependencyError,
)
from faceport.gallery.stores.postgres import PostgresStore, open_store
from faceport.gallery.stores.postgres.connections import Connections

if TYPE_CHECKING:
    from local_postgres import LocalPostgres

SEARCHED = unit(1)[None]

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def role(postgres_server: LocalPostgres) -> Iterator[str]:
    """A role that must say its password and may do nothing."""
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute("CREATE ROLE needs_password LOGIN PASSWORD 'right'")
        yield "needs_password"
        connection.execute("DROP OWNED BY needs_password")
        connection.execute("DROP ROLE needs_password")


def place(server: LocalPostgres) -> str:
    return f"127.0.0.1:{server.port}/postgres"


def test_no_server() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        with pytest.raises(GalleryUnreachableError, match="check that the server runs"):
            PostgresStore(f"postgresql://u:S3cret@127.0.0.1:{port}/d")


def test_wrong_password(
    postgres_server: LocalPostgres, role: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for password, message in ((":S3cret", "check the user's password"), ("", "give a password")):
        with pytest.raises(GalleryUnreachableError, match=message) as caught:
            PostgresStore(f"postgresql://{role}{password}@{place(postgres_server)}")
        assert "S3cret" not in str(caught.value)
    assert "S3cret" not in caplog.text


def test_unknown_role_and_database(postgres_server: LocalPostgres) -> None:
    with pytest.raises(GalleryUnreachableError, match="create the role"):
        PostgresStore(f"postgresql://nobody_here@{place(postgres_server)}")
    with pytest.raises(GalleryUnreachableError, match="createdb"):
        PostgresStore(f"postgresql://postgres@127.0.0.1:{postgres_server.port}/nothing")


def test_a_server_without_tls_is_refused_where_tls_is_asked_for(
    postgres_server: LocalPostgres,
) -> None:
    with pytest.raises(GalleryUnreachableError, match="set TLS up on the server"):
        PostgresStore(f"postgresql://postgres@{place(postgres_server)}?sslmode=require")


def test_addresses_that_libpq_does_not_take() -> None:
    for uri in ("postgresql://u:S3%zzcret@h/d", "postgresql://u:S3cret@h/d?colour=red"):
        with pytest.raises(InputError, match="libpq's parameters") as caught:
            PostgresStore(uri)
        assert "S3" not in str(caught.value)
        assert caught.value.__cause__ is None


def test_a_role_that_may_make_nothing(postgres_server: LocalPostgres, role: str) -> None:
    uri = f"postgresql://{role}:right@{place(postgres_server)}"
    with pytest.raises(GalleryError, match="no gallery at"):
        PostgresStore(uri + "?gallery=none_here", create=False)
    with pytest.raises(GalleryError, match="use a role that may"):
        PostgresStore(uri + "?gallery=none_here")


def test_a_role_that_only_reads(
    postgres_server: LocalPostgres, role: str, request: pytest.FixtureRequest
) -> None:
    uri = postgres_server.uri + "&gallery=only_read"
    store = PostgresStore(uri)
    with store.transaction() as writer:
        writer.set_space(SPACE)
        add_person(writer, "ann", [1])
    store.close()
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute(f"GRANT USAGE ON SCHEMA faceport_only_read TO {role}")
        connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA faceport_only_read TO {role}")
    reader_uri = f"postgresql://{role}:right@{place(postgres_server)}?gallery=only_read"
    store = PostgresStore(reader_uri)
    request.addfinalizer(store.close)
    assert store.read_only
    assert "right" not in repr(vars(store)) + repr(store)
    with store.snapshot() as reader:
        assert list(reader.names().values()) == ["ann"]
        assert store.nearest(reader, SEARCHED, 1, "templates")[1].shape == (1, 1)
    with pytest.raises(GalleryError, match="can only be read"), store.transaction():
        pass
    assert store.check() == []
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute("DROP SCHEMA faceport_only_read CASCADE")


def test_a_database_without_pgvector(postgres_server: LocalPostgres, role: str) -> None:
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute("CREATE DATABASE bare")
        try:
            with pytest.raises(GalleryError, match="install pgvector on the server"):
                PostgresStore(f"postgresql://{role}:right@127.0.0.1:{postgres_server.port}/bare")
        finally:
            connection.execute("DROP DATABASE bare WITH (FORCE)")


@pytest.mark.parametrize(
    ("name", "metadata", "message"),
    [
        ("ann", '{"a": "\\u0000"}', "NUL characters out of metadata"),
        ("ann", '{"a": "\\ud800"}', "surrogate pairs out of metadata"),
        ("a\0b", "{}", "cannot contain NUL"),
        ("a\udcff", "{}", "no Unicode"),
    ],
)
def test_texts_that_postgresql_does_not_take(
    postgres_gallery: str, request: pytest.FixtureRequest, name: str, metadata: str, message: str
) -> None:
    store = PostgresStore(postgres_gallery)
    request.addfinalizer(store.close)

    def add() -> None:
        with store.transaction() as writer:
            writer.add_identity(name, metadata, TIME)

    with pytest.raises(GalleryError, match=message):
        add()
    with store.snapshot() as reader:
        assert reader.names() == {}


def test_a_sample_of_nobody_is_no_lost_server(
    postgres_gallery: str, request: pytest.FixtureRequest
) -> None:
    store = PostgresStore(postgres_gallery)
    request.addfinalizer(store.close)

    def add() -> None:
        with store.transaction() as writer:
            writer.set_space(SPACE)
            writer.add_samples(77, [new_sample(1), new_sample(2)])

    with pytest.raises(GalleryError, match="foreign key") as caught:
        add()
    assert not isinstance(caught.value, GalleryUnreachableError)


def test_a_key_is_refused(postgres_gallery: str) -> None:
    with pytest.raises(InputError, match="not sealed"):
        open_store(postgres_gallery, key=b"k" * 32)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg_pool", None)
    with pytest.raises(MissingDependencyError, match=r"faceport\[postgres\]"):
        PostgresStore("postgresql://h/d")


def test_another_writer_is_waited_for_only_so_long(
    postgres_gallery: str, request: pytest.FixtureRequest
) -> None:
    busy, other = (
        PostgresStore(postgres_gallery),
        PostgresStore(postgres_gallery + "&statement_timeout=1"),
    )
    request.addfinalizer(busy.close)
    request.addfinalizer(other.close)

    def wait() -> None:
        with other.transaction():
            pass

    with busy.transaction() as writer:
        writer.set_meta("key", "value")
        with pytest.raises(GalleryError, match="another writer was busy"):
            wait()
        with other.snapshot() as reader:
            assert reader.meta("key") is None
    wait()


def test_more_threads_than_connections(
    postgres_gallery: str, request: pytest.FixtureRequest
) -> None:
    store = PostgresStore(postgres_gallery + "&pool_size=1&reconnect=0")
    request.addfinalizer(store.close)

    def look() -> None:
        with store.snapshot():
            pass

    with store.snapshot(), pytest.raises(GalleryError, match="raise pool_size"):
        look()
    look()


def test_connections_that_can_not_be_set_up_are_told_why(
    postgres_gallery: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not that all of the pool are busy."""

    def fail(self: Connections, connection: psycopg.Connection) -> None:
        connection.execute("SELECT set_config('lock_timeout', 'soon', false)")

    PostgresStore(postgres_gallery).close()
    monkeypatch.setattr(Connections, "_configure", fail)
    with pytest.raises(GalleryError, match="lock_timeout"):
        PostgresStore(postgres_gallery)
