"""Who is measured: a name, what is built of a matrix, and the search it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.indexes.bits import BitsIndex
from faceport.gallery.indexes.exact import ExactIndex
from faceport.gallery.indexes.hnsw import HnswIndex
from faceport.gallery.indexes.int8 import Int8Index
from faceport.runtime.device import usable_cores

Float = NDArray[np.float32]
Rows = NDArray[np.integer[Any]]
Search = Callable[[Float, int], Rows]
"""Gives the rows (n * k,) of queries (n, D)."""
M, EF_ADD, EF = 16, 128, 128
"""Of all graphs, so that they do the same work."""


@dataclass(frozen=True)
class Contestant:
    """One way to search.

    Attributes:
        name: in the table.
        group: `fp32` (exact, reads all of it), `small` (fewer bytes), or `graph`.
        matrix: what it needs of the float32 rows beside its own memory: `+` all, `mapped` the
            candidates' rows only, or nothing.
        make: builds it.
    """

    name: str
    group: Literal["fp32", "small", "graph"]
    matrix: Literal["+", "mapped", ""]
    make: Callable[[Float], Search]


def wanted(
    contestants: Iterable[Contestant], only: list[str], rows: int, graphs_to: int
) -> list[Contestant]:
    """Choose by name, and leave graphs out of large matrices."""
    return [
        one
        for one in contestants
        if (not only or any(text in one.name for text in only))
        and (one.group != "graph" or rows <= graphs_to)
    ]


def _ours(kind: Callable[[], ExactIndex | Int8Index | HnswIndex]) -> Callable[[Float], Search]:
    def make(matrix: Float) -> Search:
        index = kind()
        index.build(matrix)
        return lambda queries, k: index.search(queries, k)[1].ravel()

    return make


def _numpy(matrix: Float) -> Search:
    def search(queries: Float, k: int) -> Rows:
        scores = queries @ matrix.T
        best = np.argpartition(scores, -k, axis=1)[:, -k:]
        order = np.argsort(-np.take_along_axis(scores, best, axis=1), axis=1)
        return np.take_along_axis(best, order, axis=1).ravel()

    return search


def _faiss(make: Callable[[Any, int], Any]) -> Callable[[Float], Search]:
    def build(matrix: Float) -> Search:
        import faiss

        faiss.omp_set_num_threads(usable_cores())
        index = make(faiss, matrix.shape[1])
        if not index.is_trained:
            index.train(matrix[:100_000])
        index.add(matrix)
        return lambda queries, k: index.search(queries, k)[1].ravel()

    return build


def _faiss_graph(faiss: Any, dim: int) -> Any:
    index = faiss.IndexHNSWFlat(dim, M, faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction, index.hnsw.efSearch = EF_ADD, EF
    return index


def _usearch_exact(matrix: Float) -> Search:
    from usearch.index import MetricKind, search

    threads = usable_cores()
    return lambda queries, k: search(
        matrix, queries, k, MetricKind.IP, exact=True, threads=threads
    ).keys.ravel()


def _usearch(dtype: str, *, exact: bool) -> Callable[[Float], Search]:
    def build(matrix: Float) -> Search:
        from usearch.index import Index

        index = Index(
            ndim=matrix.shape[1],
            metric="ip",
            dtype=dtype,
            connectivity=M,
            expansion_add=1 if exact else EF_ADD,
            expansion_search=EF,
            enable_key_lookups=False,
        )
        index.add(np.arange(len(matrix), dtype=np.uint64), matrix, threads=usable_cores())
        return lambda queries, k: index.search(
            queries, k, exact=exact, threads=usable_cores()
        ).keys.ravel()

    return build


CONTESTANTS = [
    Contestant("faceport exact", "fp32", "+", _ours(ExactIndex)),
    Contestant("numpy product + argpartition", "fp32", "+", _numpy),
    Contestant("faiss IndexFlatIP", "fp32", "", _faiss(lambda f, dim: f.IndexFlatIP(dim))),
    Contestant("usearch exact f32", "fp32", "+", _usearch_exact),
    Contestant("faceport int8", "small", "mapped", _ours(Int8Index)),
    Contestant(
        "faiss IndexScalarQuantizer 8 bit",
        "small",
        "",
        _faiss(
            lambda f, d: f.IndexScalarQuantizer(
                d, f.ScalarQuantizer.QT_8bit, f.METRIC_INNER_PRODUCT
            )
        ),
    ),
    Contestant(
        "faiss IndexScalarQuantizer fp16",
        "small",
        "",
        _faiss(
            lambda f, d: f.IndexScalarQuantizer(
                d, f.ScalarQuantizer.QT_fp16, f.METRIC_INNER_PRODUCT
            )
        ),
    ),
    Contestant("faceport bits", "small", "mapped", _ours(BitsIndex)),
    Contestant("faceport hnsw", "graph", "mapped", _ours(HnswIndex)),
    Contestant("faiss IndexHNSWFlat", "graph", "", _faiss(_faiss_graph)),
    Contestant("usearch HNSW f32", "graph", "", _usearch("f32", exact=False)),
    Contestant("usearch HNSW i8", "graph", "", _usearch("i8", exact=False)),
]
