"""The server's own search, against brute force in float64."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import psycopg
import pytest
from face_stores import SPACE, TIME, add_person, new_sample, unit
from numpy.typing import NDArray

from faceport.errors import GalleryError, InputError
from faceport.gallery.stores.base import SearchingStore
from faceport.gallery.stores.postgres import PostgresStore
from faceport.gallery.stores.postgres.address import parse_address
from faceport.gallery.types import Against, Space, VectorType

pytestmark = pytest.mark.xdist_group("postgres")

PEOPLE = 60
Opener = Callable[[str], PostgresStore]


@pytest.fixture
def opener(postgres_gallery: str) -> Iterator[Opener]:
    stores: list[PostgresStore] = []

    def opened(parameters: str = "") -> PostgresStore:
        stores.append(PostgresStore(postgres_gallery + parameters))
        return stores[-1]

    yield opened
    for store in stores:
        store.close()


def fill(store: PostgresStore, vector_type: VectorType = "float32") -> None:
    with store.transaction() as writer:
        writer.set_vector_type(vector_type)
        writer.set_space(SPACE)
        for person in range(PEOPLE):
            add_person(writer, f"p{person}", range(10 * person, 10 * person + 3))


def brute_force(
    store: PostgresStore, queries: NDArray[np.float32], k: int, against: Against
) -> tuple[NDArray[np.float64], list[list[int]], list[list[int]]]:
    with store.snapshot() as reader:
        (rows,) = reader.vectors(against)
    scores = queries.astype(np.float64) @ rows.matrix.astype(np.float64).T
    order = np.argsort(-scores, axis=1)[:, :k]
    return (
        np.take_along_axis(scores, order, axis=1),
        rows.identity_ids[order].tolist(),
        rows.sample_ids[order].tolist(),
    )


@pytest.mark.parametrize("parameters", ["", "&exact=1", "&index=none"])
@pytest.mark.parametrize("vector_type", ["float32", "float16"])
@pytest.mark.parametrize("against", ["templates", "samples"])
def test_search_equals_brute_force(
    opener: Opener, against: Against, vector_type: VectorType, parameters: str
) -> None:
    store = opener(parameters)
    assert isinstance(store, SearchingStore)
    fill(store, vector_type)
    # As the query is rounded like the vectors, so that both sides compare the same numbers.
    queries = store.as_stored(np.stack([unit(seed) for seed in (3, 11, 5000, 5001)]))
    scores, owners, samples = brute_force(store, queries, 7, against)
    with store.snapshot() as reader:
        found = store.nearest(reader, queries, 7, against)
    np.testing.assert_allclose(found[0], scores, atol=1e-5)
    assert found[0].dtype == np.float32
    assert found[1].tolist() == owners
    assert found[2].tolist() == samples


def test_the_graph_is_used_and_finds_the_same(opener: Opener, postgres_gallery: str) -> None:
    store = opener("&ef_search=100")
    fill(store)
    address = parse_address(postgres_gallery)
    with psycopg.connect(address.conninfo) as connection:
        connection.execute(f"SET search_path TO {address.schema}, public")
        # So few rows are read faster one by one; with many the graph is chosen.
        connection.execute("SET enable_seqscan = off")
        literal = str(unit(3).tolist())
        query = f"SELECT id FROM identities ORDER BY template <#> '{literal}' LIMIT 5"
        plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {query}"))
        by_graph = [row[0] for row in connection.execute(query)]
        connection.rollback()
    assert "identities_hnsw" in plan
    _, owners, _ = brute_force(store, unit(3)[None], 5, "templates")
    assert by_graph == owners[0]


def test_fewer_than_asked_for_are_filled_up(opener: Opener) -> None:
    store = opener("")
    with store.snapshot() as reader:
        scores, owners, samples = store.nearest(reader, unit(1)[None], 3, "templates")
    assert (scores == -np.inf).all()
    assert (owners == -1).all()
    with store.transaction() as writer:
        writer.set_space(SPACE)
        (sample,) = add_person(writer, "ann", [1])
        writer.add_identity("without samples", "{}", TIME)
    with store.snapshot() as reader:
        row = reader.identity("ann")
        assert row is not None
        scores, owners, samples = store.nearest(reader, unit(1)[None], 3, "samples")
        assert owners.tolist() == [[row.id, -1, -1]]
        assert samples.tolist() == [[sample, -1, -1]]
        assert scores[0].tolist() == pytest.approx([1, -np.inf, -np.inf], abs=1e-6)
        assert store.nearest(reader, unit(1)[None], 3, "templates")[1].tolist() == [
            [row.id, -1, -1]
        ]
        assert store.nearest(reader, unit(1)[None][:0], 3, "templates")[0].shape == (0, 3)


def test_more_than_the_graph_gives_at_once(opener: Opener) -> None:
    store = opener("&ef_search=10")
    fill(store)
    _, owners, _ = brute_force(store, unit(3)[None], 50, "samples")
    with store.snapshot() as reader:
        reader.connection.execute("SET LOCAL enable_seqscan = off")
        found = store.nearest(reader, unit(3)[None], 50, "samples")
        assert len(set(found[2][0].tolist())) == 50
        assert len(set(map(tuple, [found[1][0], owners[0]]))) <= 2
        everybody = store.nearest(reader, unit(3)[None], 1100, "samples")
    assert (everybody[2][0] >= 0).sum() == 3 * PEOPLE


@pytest.mark.parametrize(
    ("vector_type", "dim", "advice"),
    [("float32", 2001, "vector type float16"), ("float16", 4001, "index=none")],
)
def test_vectors_too_long_for_the_graph(
    opener: Opener, vector_type: VectorType, dim: int, advice: str
) -> None:
    space = Space("a" * 64, dim)

    def begin(store: PostgresStore) -> None:
        with store.transaction() as writer:
            writer.set_vector_type(vector_type)
            writer.set_space(space)
            number = writer.add_identity("ann", "{}", TIME)
            writer.add_samples(number, [new_sample(1, dim=dim)])

    with pytest.raises(GalleryError, match=advice):
        begin(opener(""))
    exact = opener("&index=none")
    begin(exact)
    with exact.snapshot() as reader:
        scores, _, _ = exact.nearest(reader, unit(1, dim)[None], 1, "samples")
    assert scores[0, 0] == pytest.approx(1, abs=1e-3)


def test_types_that_pgvector_has_not(opener: Opener) -> None:
    def choose() -> None:
        with opener("").transaction() as writer:
            writer.set_vector_type("int8")

    with pytest.raises(InputError, match="float16, or keep the gallery in a SQLite file"):
        choose()


def test_the_graph_is_made_and_removed_as_the_address_asks(opener: Opener) -> None:
    store = opener("&index=none")
    fill(store, "float16")
    _, owners, _ = brute_force(store, unit(3)[None], 5, "templates")
    for parameters, method in (
        ("", "none"),
        ("&index=hnsw", "hnsw"),
        ("", "hnsw"),
        ("&index=none", "none"),
    ):
        store = opener(parameters)
        with store.snapshot() as reader:
            assert reader.stats().details["index"] == method
            assert store.nearest(reader, unit(3)[None], 5, "templates")[1].tolist() == owners
        assert store.check() == []
    # Who reads goes on reading meanwhile.
    with store.snapshot() as reader:
        opener("&index=hnsw")
        assert store.nearest(reader, unit(3)[None], 5, "templates")[1].tolist() == owners
    opener("&index=none")
    # Another type of vectors keeps what the gallery has.
    with opener("").transaction() as writer:
        writer.set_vector_type("float32")
    with store.snapshot() as reader:
        assert reader.stats().details["index"] == "none"
    assert store.check() == []
