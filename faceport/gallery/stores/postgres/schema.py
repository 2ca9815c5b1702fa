"""The tables of a gallery in PostgreSQL, and how they are made and brought up to date.

state(version, schema_version, vector_type, fingerprint, dim, is_stub, index_method)   one row
meta(key, value)
identities(id, name, metadata, template, template_norm, created, changed)
embeddings(id, identity_id, embedding, norm, source, image_hash, crop, added)
commits(version, token)                     which transaction made a version (the latest thousand)
changes(identity_id, version, removed)      the version at which an identity last changed or went
audit(number, at, action, details, chain)   the server refuses to change or delete its rows

`template` and `embedding` are `vector` or `halfvec`; the first enrolment gives them a dimension and
an index (see `columns.py`). They lie in their rows (`toast_tuple_target`): PostgreSQL would keep
those of a row of more than 2 kB elsewhere, and a search of all would look each one up.

`changes` is a table of its own because a row that changes is written anew, and an identity's new
row would be put into the graph of the templates again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from faceport.errors import GalleryError
from faceport.gallery.stores.postgres.connections import extension_schema

if TYPE_CHECKING:
    from faceport.gallery.stores.postgres.connections import Connection

FIRST = """
CREATE TABLE state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL,
    schema_version integer NOT NULL,
    vector_type text NOT NULL,
    fingerprint text,
    dim integer,
    is_stub boolean,
    index_method text NOT NULL
);
INSERT INTO state (version, schema_version, vector_type, index_method)
    VALUES (1, 1, 'float32', 'none');
CREATE TABLE meta (key text PRIMARY KEY, value text NOT NULL);
INSERT INTO meta VALUES ('id', gen_random_uuid()::text);
CREATE TABLE identities (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    metadata jsonb NOT NULL,
    template vector,
    template_norm double precision NOT NULL DEFAULT 0,
    created timestamptz NOT NULL,
    changed timestamptz NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE TABLE embeddings (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    identity_id bigint NOT NULL REFERENCES identities ON DELETE CASCADE,
    embedding vector,
    norm double precision NOT NULL,
    source text NOT NULL,
    image_hash text NOT NULL,
    crop bytea,
    added timestamptz NOT NULL
) WITH (toast_tuple_target = 8160);
CREATE INDEX embeddings_identity ON embeddings (identity_id, id);
CREATE INDEX embeddings_image ON embeddings (image_hash) WHERE image_hash <> '';
CREATE TABLE commits (version bigint PRIMARY KEY, token uuid NOT NULL);
CREATE TABLE changes (
    identity_id bigint PRIMARY KEY,
    version bigint NOT NULL,
    removed boolean NOT NULL
);
CREATE INDEX changes_version ON changes (version);
CREATE TABLE audit (
    number bigint PRIMARY KEY,
    at text NOT NULL,
    action text NOT NULL,
    details text NOT NULL,
    chain text NOT NULL
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the audit log is only added to'; END $$;
CREATE TRIGGER audit_only_grows BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
"""

OLDEST_PGVECTOR = (0, 8)
"""Where an index scan goes on until it has found as many as were asked for."""

MIGRATIONS: Mapping[int, str] = {1: FIRST}
"""For each schema version the statements that lead to it from the one before."""


def prepare(
    connection: Connection,
    schema: str,
    location: str,
    *,
    create: bool,
    migrations: Mapping[int, str] = MIGRATIONS,
) -> None:
    """Make a gallery's tables where `create` allows, and bring old ones up to date.

    Raises:
        GalleryError: there is no gallery, or it is of a newer schema, or pgvector is missing.
        psycopg.Error: the role may not create what is missing.
    """
    newest = max(migrations)
    there = _version(connection, schema, location)
    if there is None and not create:
        raise GalleryError(
            f"there is no gallery at {location}", fix="enroll somebody first: `faceport enroll`"
        )
    if there is None or there < newest:
        with connection.transaction():
            _migrate(connection, schema, location, migrations)
    elif there > newest:
        raise newer_schema(location, there, newest)
    _check_extension(connection, location)


def newer_schema(location: str, received: int, expected: int) -> GalleryError:
    """Say that a later faceport made the tables."""
    return GalleryError(
        f"gallery {location} has a newer schema",
        received=f"version {received}",
        expected=f"at most {expected}",
        fix="use the faceport version that wrote it, or a later one",
    )


def _migrate(
    connection: Connection, schema: str, location: str, migrations: Mapping[int, str]
) -> None:
    # One process at a time in the database, whose extension all galleries share; the others wait
    # here and then find everything done.
    connection.execute("SELECT pg_advisory_xact_lock(hashtextextended('faceport schema', 0))")
    extension = _extension(connection, location)
    # IF NOT EXISTS would ask for the right to make schemas even where there is this one.
    if not connection.execute(
        "SELECT 1 FROM pg_namespace WHERE nspname = %s", (schema,)
    ).fetchone():
        connection.execute(f'CREATE SCHEMA "{schema}"'.encode())
    path = f"{schema}, {extension}"
    connection.execute("SELECT set_config('search_path', %s, true)", (path,))
    connection.execute("SET LOCAL statement_timeout = 0")
    there = _version(connection, schema, location) or 0
    for version in range(there + 1, max(migrations) + 1):
        connection.execute(migrations[version].encode())
        connection.execute("UPDATE state SET schema_version = %s", (version,))


def _version(connection: Connection, schema: str, location: str) -> int | None:
    name = f'"{schema}".state'
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (name,)).fetchone()
    if row is None or not row[0]:
        return None
    row = connection.execute(f"SELECT schema_version FROM {name}".encode()).fetchone()
    if row is None:
        raise GalleryError(
            f"gallery {location} is damaged: its table `state` is empty",
            fix="restore the database from a copy",
        )
    return int(row[0])


def _extension(connection: Connection, location: str) -> str:
    import psycopg

    found = extension_schema(connection)
    if found is None:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        except psycopg.Error as error:
            raise GalleryError(
                f"gallery {location}: the database has no extension `vector`: {error}",
                expected="pgvector 0.8 or later",
                fix="install pgvector on the server (package postgresql-NN-pgvector), then as a "
                "superuser: CREATE EXTENSION vector",
            ) from error
        found = extension_schema(connection) or "public"
    return found


def _check_extension(connection: Connection, location: str) -> None:
    row = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'vector'")
    (version,) = row.fetchone() or ("0",)
    if tuple(int(part) for part in version.split(".")[:2]) < OLDEST_PGVECTOR:
        raise GalleryError(
            f"gallery {location}: the database's extension `vector` is too old",
            received=version,
            expected=".".join(map(str, OLDEST_PGVECTOR)) + " or later",
            fix="install a newer pgvector on the server, then: ALTER EXTENSION vector UPDATE",
        )
