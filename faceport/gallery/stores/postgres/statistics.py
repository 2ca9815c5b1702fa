"""A gallery in PostgreSQL in figures, and what can be wrong with its tables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, cast

from faceport.gallery.stores.base import StoreStats
from faceport.gallery.types import Problem

if TYPE_CHECKING:
    from faceport.gallery.stores.postgres.connections import Connection

_TABLES = "('state', 'meta', 'identities', 'embeddings', 'commits', 'changes', 'audit')"
_STATS = f"""
SELECT (SELECT count(*) FROM identities), (SELECT count(*) FROM embeddings),
    (SELECT count(crop) FROM embeddings), (SELECT count(*) FROM audit),
    (SELECT sum(pg_total_relation_size(oid))::bigint FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relname IN {_TABLES}),
    current_setting('server_version'),
    (SELECT extversion FROM pg_extension WHERE extname = 'vector')
"""
_CHECKS = (
    (
        "rows",
        "SELECT count(*) FROM embeddings e "
        "WHERE NOT EXISTS (SELECT 1 FROM identities i WHERE i.id = e.identity_id)",
        "{} samples belong to nobody",
    ),
    ("vectors", "SELECT count(*) FROM embeddings WHERE embedding IS NULL", "{} samples lack one"),
    (
        "templates",
        "SELECT count(*) FROM identities i WHERE (template IS NULL) = "
        "EXISTS (SELECT 1 FROM embeddings e WHERE e.identity_id = i.id)",
        "{} identities have samples and no template, or the other way round",
    ),
    (
        "counters",
        "SELECT count(*) FROM identities i LEFT JOIN changes c ON c.identity_id = i.id "
        "WHERE c.removed IS NOT FALSE",
        "{} identities are not among the changes",
    ),
    (
        "counters",
        "SELECT count(*) FROM changes, state WHERE changes.version > state.version",
        "{} changes are newer than the gallery",
    ),
    (
        "index",
        "SELECT CASE WHEN index_method = 'hnsw' AND fingerprint IS NOT NULL THEN 2 ELSE 0 END - "
        "(SELECT count(*) FROM pg_index WHERE indisvalid AND indexrelid IN "
        "(to_regclass('identities_hnsw'), to_regclass('embeddings_hnsw'))) FROM state",
        "{} of the two HNSW indexes are missing or not valid",
    ),
)


def read_stats(connection: Connection, schema_version: int, index_method: str) -> StoreStats:
    """Count what is there."""
    row = cast("tuple[Any, ...]", connection.execute(_STATS.encode()).fetchone())
    identities, samples, crops, audit_rows, size, server, extension = row
    details = {"server": server, "pgvector": extension, "index": index_method}
    return StoreStats(
        str(schema_version), identities, samples, crops, audit_rows, size or 0, details
    )


def find_problems(connection: Connection) -> Iterator[Problem]:
    """Look for rows that contradict each other."""
    for kind, query, text in _CHECKS:
        (count,) = cast("tuple[int]", connection.execute(query.encode()).fetchone())
        if count > 0:
            yield Problem(kind, text.format(count))
