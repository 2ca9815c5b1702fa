"""Search by the server: pgvector's graph, or exactly over all vectors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from faceport.gallery.stores.base import Ids
from faceport.gallery.stores.postgres.reader import PostgresReader
from faceport.gallery.stores.postgres.writer import as_parameter
from faceport.gallery.types import Against, Float

if TYPE_CHECKING:
    from faceport.gallery.stores.postgres.connections import Connection

MOST_BY_GRAPH = 1000
"""Candidates up to which the graph is asked: more are found faster by looking at all."""

# pgvector's <#> is the inner product with the sign changed: an index can only go upwards.
_QUERIES = {
    "templates": "SELECT -(template <#> %(query)s), id, -1::bigint FROM identities "
    "WHERE template IS NOT NULL ORDER BY template <#> %(query)s LIMIT %(k)s",
    "samples": "SELECT -(embedding <#> %(query)s), identity_id, id FROM embeddings "
    "ORDER BY embedding <#> %(query)s LIMIT %(k)s",
}


def nearest(
    reader: PostgresReader, queries: Float, k: int, against: Against, *, exact: bool
) -> tuple[Float, Ids, Ids]:
    """Find the `k` nearest vectors of each query (n, D): scores, identity and sample ids (n, k).

    Where there are fewer than k, the rest have score -inf and ids -1.
    """
    shape = (len(queries), k)
    scores = np.full(shape, -np.inf, np.float32)
    owners, samples = np.full(shape, -1, np.int64), np.full(shape, -1, np.int64)
    if reader.space() is None or not len(queries):
        return scores, owners, samples
    connection = reader.connection
    _choose_scan(connection, exact=exact or k > MOST_BY_GRAPH)
    vector_type = reader.vector_type()
    values = [{"query": as_parameter(query, vector_type), "k": k} for query in queries]
    with connection.cursor(binary=True) as cursor:
        # One round trip for all of them.
        cursor.executemany(_QUERIES[against].encode(), values, returning=True)
        for row in range(len(queries)):
            for column, (score, owner, sample) in enumerate(cursor.fetchall()):
                scores[row, column] = score
                owners[row, column], samples[row, column] = owner, sample
            cursor.nextset()
    return scores, owners, samples


def _choose_scan(connection: Connection, *, exact: bool) -> None:
    # For this transaction only.
    value = "off" if exact else "on"
    connection.execute("SELECT set_config('enable_indexscan', %s, true)", (value,))
