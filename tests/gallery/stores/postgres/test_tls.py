"""TLS to the server: who is talked to is checked as the address asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from face_stores import SPACE, add_person
from tls_front import TlsFront, make_certificate

from faceport.errors import GalleryUnreachableError
from faceport.gallery.stores.postgres import PostgresStore

if TYPE_CHECKING:
    from local_postgres import LocalPostgres

pytestmark = pytest.mark.xdist_group("postgres")


@pytest.fixture
def address(postgres_server: LocalPostgres, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Makes the address of a server whose certificate is for a host."""
    fronts: list[TlsFront] = []

    def made(host: str, query: str) -> str:
        certificate = make_certificate(tmp_path, "server", host)
        fronts.append(TlsFront(certificate, postgres_server.port))
        place = f"127.0.0.1:{fronts[-1].port}/postgres"
        return f"postgresql://postgres@{place}?gallery=tls&{query}"

    yield made
    for front in fronts:
        front.close()
    with psycopg.connect(postgres_server.uri, autocommit=True) as connection:
        connection.execute("DROP SCHEMA IF EXISTS faceport_tls CASCADE")


def test_a_server_with_the_right_certificate(address: Callable[..., str], tmp_path: Path) -> None:
    uri = address("127.0.0.1", f"sslmode=verify-full&sslrootcert={tmp_path}/server.pem")
    store = PostgresStore(uri)
    with store.transaction() as writer:
        writer.set_space(SPACE)
        add_person(writer, "ann", range(50))
    with store.snapshot() as reader:
        assert reader.count("samples") == 50
        assert sum(len(block.matrix) for block in reader.vectors("samples")) == 50
        assert reader.connection.pgconn.ssl_in_use
    store.close()


def test_a_server_with_anothers_certificate(address: Callable[..., str], tmp_path: Path) -> None:
    make_certificate(tmp_path, "other", "127.0.0.1")
    for host, authority in (("127.0.0.1", "other"), ("db.example", "server")):
        uri = address(host, f"sslmode=verify-full&sslrootcert={tmp_path}/{authority}.pem")
        with pytest.raises(GalleryUnreachableError, match="certificate names this host"):
            PostgresStore(uri)


def test_a_root_certificate_that_is_not_there(address: Callable[..., str], tmp_path: Path) -> None:
    uri = address("127.0.0.1", f"sslmode=verify-full&sslrootcert={tmp_path}/nothing.pem")
    with pytest.raises(GalleryUnreachableError, match="check sslrootcert"):
        PostgresStore(uri)
