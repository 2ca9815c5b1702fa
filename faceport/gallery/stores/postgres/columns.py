"""The columns that hold vectors: their type, their dimension and their index.

`vector` (float32) or `halfvec` (float16), of the embedder's dimension. The index is pgvector's HNSW
by inner product, which for unit vectors is the cosine. References: pgvector's README; Malkov and
Yashunin, "Efficient and robust approximate nearest neighbor search using HNSW graphs", 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from faceport.errors import GalleryError, InputError
from faceport.gallery.stores.postgres.address import Method, Options
from faceport.gallery.types import Space, VectorType

if TYPE_CHECKING:
    from faceport.gallery.stores.postgres.connections import Connection

TYPES: dict[VectorType, str] = {"float32": "vector", "float16": "halfvec"}
MOST_NUMBERS = 16_000
"""Of a `vector` or `halfvec` column."""
MOST_INDEXED: dict[VectorType, int] = {"float32": 2000, "float16": 4000}
"""Numbers of a vector that HNSW takes."""
NO_TIMEOUT = "SET LOCAL statement_timeout = 0"
"""Many vectors are converted or indexed in more time than a statement should take."""
COLUMNS = {"templates": ("identities", "template"), "samples": ("embeddings", "embedding")}


def column_type(vector_type: VectorType) -> str:
    """Name pgvector's type.

    Raises:
        InputError: it has none.
    """
    if vector_type not in TYPES:
        raise InputError(
            "pgvector keeps no vectors of this type",
            received=vector_type,
            expected=" or ".join(TYPES),
            fix="choose float16, or keep the gallery in a SQLite file",
        )
    return TYPES[vector_type]


def check_dimension(space: Space, vector_type: VectorType, method: Method) -> None:
    """Refuse vectors that are too long for the column or its index.

    Raises:
        GalleryError: they are.
    """
    if space.dim > MOST_NUMBERS:
        raise GalleryError(
            "pgvector keeps no vectors of this length",
            received=f"{space.dim} numbers",
            expected=f"at most {MOST_NUMBERS}",
        )
    if method == "hnsw" and space.dim > MOST_INDEXED[vector_type]:
        raise GalleryError(
            f"pgvector's HNSW index takes no {vector_type} vectors of this length",
            received=f"{space.dim} numbers",
            expected=f"at most {MOST_INDEXED[vector_type]}"
            + (f", or {MOST_INDEXED['float16']} as float16" if vector_type == "float32" else ""),
            fix="make the gallery with index=none in its address (exact search)"
            + (", or with vector type float16" if space.dim <= MOST_INDEXED["float16"] else ""),
        )


def shape_columns(
    connection: Connection, space: Space | None, vector_type: VectorType, *, keep: bool
) -> None:
    """Give the columns a type and a dimension, without an index.

    Args:
        connection: in a transaction that holds the gallery's write lock.
        space: None: no dimension.
        vector_type: of the numbers.
        keep: convert the vectors that are there; else they are removed.
    """
    drop_indexes(connection)
    kind = column_type(vector_type) + (f"({space.dim})" if space else "")
    for table, column in COLUMNS.values():
        value = f"{column}::{kind}" if keep else f"NULL::{kind}"
        _run(connection, f"ALTER TABLE {table} ALTER {column} TYPE {kind} USING {value}")


def make_indexes(connection: Connection, vector_type: VectorType, options: Options) -> None:
    """Make the graphs of all vectors that are there, while others read on.

    The transaction holds the write lock.
    """
    _run(connection, NO_TIMEOUT)
    operators = f"{column_type(vector_type)}_ip_ops"
    for table, column in COLUMNS.values():
        _run(
            connection,
            f"CREATE INDEX {table}_hnsw ON {table} USING hnsw ({column} {operators}) "
            f"WITH (m = {options.m}, ef_construction = {options.ef_construction})",
        )


def drop_indexes(connection: Connection) -> None:
    """Remove the graphs, with nobody reading; the transaction holds the write lock."""
    _run(connection, NO_TIMEOUT)
    _run(connection, "LOCK TABLE identities, embeddings IN ACCESS EXCLUSIVE MODE")
    for table, _ in COLUMNS.values():
        _run(connection, f"DROP INDEX IF EXISTS {table}_hnsw")


def _run(connection: Connection, statement: str) -> None:
    connection.execute(statement.encode())
