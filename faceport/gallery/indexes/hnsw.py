"""Approximate search in a graph (HNSW, Malkov and Yashunin 2016), by usearch.

The graph holds rows in int8, scaled row by row as in `codes.py`: what usearch would make of float32
itself, 127 times the number, leaves a unit vector of 512 numbers about four bits. What it finds is
scored again in float64, so scores are exact; only a row may be missed.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from faceport.errors import MissingDependencyError
from faceport.gallery.indexes.blocks import Found
from faceport.gallery.indexes.checks import check_matrix, check_queries
from faceport.gallery.indexes.codes import coded
from faceport.gallery.indexes.digests import matched, row_digests
from faceport.gallery.indexes.graph_files import Saved, read_graph, write_graph
from faceport.gallery.indexes.scoring import rank
from faceport.gallery.indexes.turns import Turns
from faceport.gallery.types import Float
from faceport.runtime.device import usable_cores

STEP = 65_536
"""Rows coded and added together."""
ALONE = 2000
"""Rows that one thread adds."""
SPARE = 16
"""Rows asked for beyond k: int8 may have put the best one a little too low."""
MOST_NEW = 0.5
"""Share of rows, above which a graph is built anew and not added to."""


@dataclass(frozen=True)
class GraphSettings:
    """How the graph is made and walked; see usearch.

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

    def __init__(
        self, settings: GraphSettings = GraphSettings(), *, threads: int | None = None
    ) -> None:
        """Make an empty index.

        Args:
            settings: of the graph.
            threads: that build and search; by default one for each core this process may use.

        Raises:
            MissingDependencyError: usearch is not installed.
        """
        self._library = _usearch()
        self._settings = settings
        self._threads = threads or usable_cores()
        self._turns = Turns()
        self._matrix: Float = np.empty((0, 0), np.float32)
        self._graph: Any = None
        self._row_of: NDArray[np.intp] = np.empty(0, np.intp)

    @property
    def rows(self) -> int:
        """How many rows it searches."""
        return len(self._row_of)

    @property
    def nbytes(self) -> int:
        """Memory beside the float32 rows, as usearch counts it."""
        return 0 if self._graph is None else int(self._graph.memory_usage)

    def build(self, matrix: Float) -> None:
        """Make the graph of rows (rows, D): minutes for a million.

        Raises:
            InputError: not (rows, D) float32.
        """
        check_matrix(matrix)
        graph = self._empty(matrix.shape[1])
        self._add(graph, matrix, np.arange(len(matrix)), first_key=0)
        with self._turns.writing():
            self._graph, self._matrix = graph, matrix
            self._row_of = np.arange(len(matrix))

    def extend(self, matrix: Float) -> None:
        """Add the rows behind those there are; see `Index.extend`."""
        check_matrix(matrix)
        if self._graph is None or not self.rows:
            return self.build(matrix)
        with self._turns.writing():
            new = np.arange(self.rows, len(matrix))
            self._add(self._graph, matrix, new, first_key=self.rows)
            self._matrix = matrix
            self._row_of = np.append(self._row_of, new)
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
            found = self._graph.search(coded(queries).values, wanted, threads=self._threads)
            # usearch answers one query with another type than several.
            answers = [found] if len(queries) == 1 else [found[i] for i in range(len(queries))]
            candidates = [self._row_of[answer.keys.astype(np.intp)] for answer in answers]
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
            write_graph(folder, self._graph.save, digests, self._facts(stamp))

    def load(self, folder: Path, stamp: str, matrix: Float) -> bool:
        """Take the graph from `folder`; see `SavedIndex.load`.

        A graph of another stamp is taken too where all its rows are in the matrix, whatever their
        order: the rows that it lacks are added then and it is saved with the new stamp. So new
        samples don't cost a new graph, and nothing that was deleted stays in one.
        """
        check_matrix(matrix)
        saved = read_graph(folder, self._facts(stamp))
        graph = self._empty(matrix.shape[1])
        if saved is None or not _loaded(graph, saved):
            return False
        row_of, new = matched(saved.digests, row_digests(matrix))
        if len(row_of) < len(saved.digests) or len(new) > MOST_NEW * len(matrix):
            return False
        self._add(graph, matrix, new, first_key=len(row_of))
        with self._turns.writing():
            self._graph, self._matrix = graph, matrix
            self._row_of = np.append(row_of, new)
        if len(new) or saved.stamp != stamp:
            self.save(folder, stamp)
        return True

    def _empty(self, dim: int) -> Any:
        given = self._settings
        return self._library.Index(
            ndim=dim,
            metric="cos",
            dtype="i8",
            connectivity=given.connectivity,
            expansion_add=given.expansion_add,
            expansion_search=given.expansion_search,
            enable_key_lookups=False,
        )

    def _add(self, graph: Any, matrix: Float, rows: NDArray[np.intp], first_key: int) -> None:
        # Rows that are added at the same moment may not find each other (usearch takes no lock for
        # that): so the first few alone, and then in an order that parts the rows of one person.
        order = np.random.default_rng(0).permutation(len(rows))
        start = 0
        while start < len(rows):
            alone = first_key + start < ALONE or len(rows) <= ALONE
            part = order[start : start + (ALONE if alone else STEP)]
            keys = (first_key + part).astype(np.uint64)
            codes = coded(matrix[rows[part]]).values
            graph.add(keys, codes, threads=1 if alone else self._threads)
            start += len(part)

    def _facts(self, stamp: str) -> dict[str, object]:
        given = {"library": f"usearch {version('usearch')}", **asdict(self._settings)}
        # Not in the file: it may be changed at any time.
        del given["expansion_search"]
        return {"stamp": stamp, **given}


def _loaded(graph: Any, saved: Saved) -> bool:
    try:
        graph.load(str(saved.path))
    except Exception:  # its errors are RuntimeError, ValueError and others: any of them means no
        return False
    return len(graph) == len(saved.digests)


def _usearch() -> Any:
    # Loaded after usearch (2.26), onnxruntime (1.32) ends the process with a segmentation fault;
    # loaded before it, both work. A pipeline may well be opened after a gallery.
    with contextlib.suppress(ImportError):
        import onnxruntime  # noqa: F401
    try:
        import usearch.index
    except ImportError as error:
        raise MissingDependencyError("usearch", "search") from error
    return usearch.index
