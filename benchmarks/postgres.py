"""A gallery in PostgreSQL: enrolment, graphs, search by the server and in memory, all in one run.

    python benchmarks/postgres.py --people 20000 [--server postgresql://…] [--output postgres.json]

Without --server the one of the tests is started, whose settings are small (32 MB of shared buffers,
no fsync): its figures compare types and ways of searching, and say little about a real server.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from search_data import Data, make_data

from faceport.gallery import Gallery
from faceport.gallery.stores.base import NewSample
from faceport.gallery.stores.postgres import PostgresStore
from faceport.gallery.types import Space
from faceport.runtime.types import Embedding

TIME = "2026-01-01T00:00:00+00:00"
SPACE_MARK = "b" * 64
EACH, PART = 5, 500


def main() -> None:
    """Run both types of vectors and print a table."""
    given = _arguments()
    data = make_data((given.people + given.more) * EACH, given.dim, EACH, given.queries, 0.0, 0.25)
    rows = []
    with _server(given.server) as server:
        for vector_type in ("float32", "float16"):
            name = f"bench_{uuid.uuid4().hex[:8]}"
            address = f"{server}{'&' if '?' in server else '?'}gallery={name}"
            try:
                rows.append({"type": vector_type, **_measure(address, vector_type, data, given)})
            finally:
                with psycopg.connect(server, autocommit=True) as connection:
                    connection.execute(f"DROP SCHEMA IF EXISTS faceport_{name} CASCADE")
    for key in rows[0]:
        sys.stdout.write(f"{key:42}" + "".join(f"{row[key]!s:>14}" for row in rows) + "\n")
    if given.output:
        given.output.write_text(json.dumps(rows, indent=1))


def _measure(
    address: str, vector_type: Any, data: Data, given: argparse.Namespace
) -> dict[str, object]:
    store = PostgresStore(address + "&index=none")
    with store.transaction() as writer:
        writer.set_vector_type(vector_type)
        writer.set_space(Space(SPACE_MARK, data.matrix.shape[1]))
    faces = given.people * EACH
    result: dict[str, object] = {"faces": faces}
    plain = _seconds(lambda: _enroll(store, data, 0, given.people))
    result["enrolled a second, no graph"] = round(faces / plain)
    result["read into memory a second"] = round(faces / _seconds(lambda: _read(store)))
    exact, found = _searched(store, data)
    result["exact on the server, p50 ms"] = _quantile(exact, 50)
    store.close()
    start = time.perf_counter()
    store = PostgresStore(address + "&index=hnsw")
    result["both graphs made, s"] = round(time.perf_counter() - start, 1)
    times, by_graph = _searched(store, data)
    result |= {
        "by the graph, p50 ms": _quantile(times, 50),
        "by the graph, p99 ms": _quantile(times, 99),
        "recall@1 of the graph": float(np.mean(by_graph == found)),
    }
    with store.snapshot() as reader:
        result["bytes a face"] = round(reader.stats().bytes / faces)
    more = _seconds(lambda: _enroll(store, data, given.people, given.people + given.more))
    result["enrolled a second, into graphs"] = round(given.more * EACH / more)
    store.close()
    with Gallery(address) as gallery:
        result["in memory, p50 ms"] = _quantile(_in_memory(gallery, data), 50)
    return result


def _enroll(store: PostgresStore, data: Data, first: int, last: int) -> None:
    for start in range(first, last, PART):
        with store.transaction() as writer:
            for person in range(start, min(start + PART, last)):
                vectors = data.matrix[person * EACH : person * EACH + EACH]
                number = writer.add_identity(f"p{person}", "{}", TIME)
                writer.add_samples(number, [NewSample(v, 20.0, "a.jpg", "", TIME) for v in vectors])
                mean = vectors.mean(axis=0)
                writer.set_template(number, mean / np.linalg.norm(mean), 1.0)


def _read(store: PostgresStore) -> None:
    with store.snapshot() as reader:
        for _ in reader.vectors("samples"):
            pass


def _searched(store: PostgresStore, data: Data) -> tuple[list[float], np.ndarray]:
    times, found = [], []
    with store.snapshot() as reader:
        for query in data.queries:
            start = time.perf_counter()
            _, owners, _ = store.nearest(reader, query[None], 1, "templates")
            times.append(time.perf_counter() - start)
            found.append(owners[0, 0])
    return times, np.array(found)


def _in_memory(gallery: Gallery, data: Data) -> list[float]:
    asked = [Embedding(query, 20.0, SPACE_MARK, "bench") for query in data.queries]
    gallery.search(asked[:1])
    return [_seconds(lambda one=one: gallery.search([one])) for one in asked]


def _quantile(times: list[float], percent: int) -> float:
    return round(float(np.percentile(times, percent)) * 1000, 2)


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


@contextmanager
def _server(uri: str | None) -> Iterator[str]:
    if uri is not None:
        yield uri
        return
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "fakes"))
    from local_postgres import LocalPostgres

    server = LocalPostgres()
    try:
        yield server.uri
    finally:
        server.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=2000, help=f"with {EACH} faces each")
    parser.add_argument("--more", type=int, default=50, help="people enrolled into the graphs")
    parser.add_argument("--dim", type=int, default=512)
    parser.add_argument("--queries", type=int, default=100)
    parser.add_argument("--server", help="address of a database with pgvector")
    parser.add_argument("--output", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
