"""Approximate search in a graph (HNSW, Malkov and Yashunin 2016), by faiss.

The graph holds the rows with 8 bits a number, between the least and the largest of each column.
What it finds is scored again in float64, so scores are exact; only a row may be missed.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.gallery.indexes.blocks import Found
from faceport.gallery.indexes.checks import check_matrix, check_queries
from faceport.gallery.indexes.digests import matched, row_digests
from faceport.gallery.indexes.faiss_library import import_faiss
from faceport.gallery.indexes.graph_files import Saved, read_graph, write_graph
from faceport.gallery.indexes.scoring import rank
from faceport.gallery.indexes.turns import Turns
from faceport.gallery.types import Float
from faceport.runtime.device import usable_cores

STEP = 65_536
"""Rows added together."""
MOST_TRAINED = 100_000
"""Rows that the columns' ranges are taken from, spread over all."""
ROWS_EACH = 1000
"""Rows to be added for which a further thread is worth its waking."""
QUERIES_EACH = 4
"""Queries for which it is."""
SPARE = 16
"""Rows asked for beyond k: 8 bits may have put the best one a little too low."""
MOST_GROWTH = 2
"""How many times its rows a graph may grow before it is built anew, with new ranges."""


@dataclass(frozen=True)
class GraphSettings:
    """How the graph is made and walked; see faiss.

    Attributes:
        connectivity: neighbours of a node (M).
        expansion_add: candidates kept while a row is added (efConstruction).
        expansion_search: candidates kept while searching (ef).
    """

    connectivity: int = 16
    expansion_add: int = 128
    expansion_search: int = 128


class HnswIndex:
    """A graph over the rows, in memory, that can be kept in files."""

    def __init__(self, settings: GraphSettings = GraphSettings()) -> None:
        """Make an empty index.

        Raises:
            MissingDependencyError: faiss is not installed.
        """
        self._library = import_faiss()
        self._settings = settings
        self._turns = Turns()
        self._matrix: Float = np.empty((0, 0), np.float32)
        self._graph: Any = None
        self._row_of: NDArray[np.intp] = np.empty(0, np.intp)
        self._built_rows = 0

    @property
    def rows(self) -> int:
        """How many rows it searches."""
        return len(self._row_of)

    @property
    def nbytes(self) -> int:
        """Memory beside the float32 rows: codes and links."""
        graph = self._graph
        if graph is None:
            return 0
        links = 4 * graph.hnsw.neighbors.size() + 8 * graph.hnsw.offsets.size()
        return int(graph.ntotal * graph.d + links)

    def build(self, matrix: Float) -> None:
        """Make the graph of rows (rows, D): minutes for a million.

        Raises:
            InputError: not (rows, D) float32.
        """
        check_matrix(matrix)
        graph = None
        if len(matrix):
            graph = self._empty(matrix.shape[1])
            graph.train(np.ascontiguousarray(matrix[:: 1 + len(matrix) // MOST_TRAINED]))
            self._add(graph, matrix, np.arange(len(matrix)))
        with self._turns.writing():
            self._take(graph, matrix, np.arange(len(matrix)), len(matrix))

    def extend(self, matrix: Float) -> None:
        """Add the rows behind those there are; see `Index.extend`."""
        check_matrix(matrix)
        if self._graph is None or len(matrix) > MOST_GROWTH * self._built_rows:
            return self.build(matrix)
        with self._turns.writing():
            new = np.arange(self.rows, len(matrix))
            self._add(self._graph, matrix, new)
            self._take(self._graph, matrix, np.append(self._row_of, new), self._built_rows)
        return None

    def search(self, queries: Float, k: int) -> Found:
        """Find about the k best rows of each query; see `Index.search`.

        Raises:
            InputError: the queries are not (n, D) float32 and finite, or k is less than 1.
        """
        with self._turns.reading():
            matrix, k_there = self._matrix, min(k, self.rows)
            check_queries(queries, matrix, k)
            if not k_there or not len(queries):
                shape = (len(queries), k_there)
                return np.empty(shape, np.float32), np.empty(shape, np.intp)
            wanted = min(k_there + SPARE, self.rows)
            with self._sharing(len(queries) // QUERIES_EACH):
                keys = self._graph.search(np.ascontiguousarray(queries), wanted)[1]
            candidates = [self._row_of[row[row >= 0]] for row in keys]
        return rank(matrix, queries, candidates, k_there)

    def save(self, folder: Path, stamp: str) -> None:
        """Write the graph into `folder`; see `SavedIndex.save`.

        Raises:
            GalleryError: the folder can't be written.
        """
        with self._turns.reading():
            if self._graph is None:
                return
            digests = np.empty(self.rows, np.uint64)
            digests[:] = row_digests(self._matrix)[self._row_of]
            graph = self._graph
            write_graph(
                folder,
                lambda path: self._library.write_index(graph, path),
                digests,
                self._facts(stamp),
            )

    def load(self, folder: Path, stamp: str, matrix: Float) -> bool:
        """Take the graph from `folder`; see `SavedIndex.load`.

        A graph of another stamp is taken too where all its rows are in the matrix, whatever their
        order: the rows that it lacks are added then and it is saved with the new stamp. So new
        samples don't cost a new graph, and nothing that was deleted stays in one.
        """
        check_matrix(matrix)
        saved = read_graph(folder, self._facts(stamp))
        graph = None if saved is None else self._opened(saved, matrix.shape[1])
        if saved is None or graph is None:
            return False
        row_of, new = matched(saved.digests, row_digests(matrix))
        gone = len(saved.digests) - len(row_of)
        if gone or len(matrix) > MOST_GROWTH * len(row_of):
            return False
        self._add(graph, matrix, new)
        with self._turns.writing():
            self._take(graph, matrix, np.append(row_of, new), len(row_of))
        if len(new) or saved.stamp != stamp:
            self.save(folder, stamp)
        return True

    def _take(self, graph: Any, matrix: Float, row_of: NDArray[np.intp], built_rows: int) -> None:
        self._graph, self._matrix = graph, matrix
        self._row_of, self._built_rows = row_of, built_rows

    def _empty(self, dim: int) -> Any:
        faiss, given = self._library, self._settings
        graph = faiss.IndexHNSWSQ(
            dim,
            faiss.ScalarQuantizer.QT_8bit,
            given.connectivity,
            faiss.METRIC_INNER_PRODUCT,
        )
        graph.hnsw.efConstruction = given.expansion_add
        graph.hnsw.efSearch = given.expansion_search
        return graph

    def _opened(self, saved: Saved, dim: int) -> Any:
        try:
            graph = self._library.read_index(str(saved.path))
        except RuntimeError:
            return None
        if graph.ntotal != len(saved.digests) or graph.d != dim:
            return None
        graph.hnsw.efSearch = self._settings.expansion_search
        return graph

    def _add(self, graph: Any, matrix: Float, rows: NDArray[np.intp]) -> None:
        with self._sharing(len(rows) // ROWS_EACH):
            for start in range(0, len(rows), STEP):
                graph.add(np.ascontiguousarray(matrix[rows[start : start + STEP]]))

    @contextmanager
    def _sharing(self, threads: int) -> Iterator[None]:
        # OpenMP's number is of the thread that calls. Waking others costs more than a little work.
        before = self._library.omp_get_max_threads()
        self._library.omp_set_num_threads(max(1, min(threads, usable_cores())))
        try:
            yield
        finally:
            self._library.omp_set_num_threads(before)

    def _facts(self, stamp: str) -> dict[str, object]:
        given = {"library": f"faiss {self._library.__version__}", **asdict(self._settings)}
        # Not in the file: it may be changed at any time.
        del given["expansion_search"]
        return {"stamp": stamp, **given}
