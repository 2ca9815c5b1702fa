"""Components that grow by pieces are those of all edges at once."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from faceport.datasets.components import Components

COUNT = 12
edge = st.tuples(st.integers(0, COUNT - 1), st.integers(0, COUNT - 1))


@settings(deadline=None)
@given(pieces=st.lists(st.lists(edge, min_size=1, max_size=6), max_size=6))
def test_pieces_come_to_the_whole(pieces: list[list[tuple[int, int]]]) -> None:
    parts = Components(COUNT)
    for piece in pieces:
        first, second = np.array(piece, np.int64).T
        parts.link(first, second)
    edges = np.array([e for piece in pieces for e in piece], np.int64).reshape(-1, 2)
    graph = coo_array((np.ones(len(edges)), (edges[:, 0], edges[:, 1])), shape=(COUNT, COUNT))
    _, groups = connected_components(graph, directed=False)
    smallest = [int(np.flatnonzero(groups == group)[0]) for group in groups]
    assert parts.labels().tolist() == smallest


def test_a_long_chain_in_the_worst_order() -> None:
    parts, count = Components(2000), 2000
    for member in range(count - 1, 0, -1):
        parts.link(np.array([member]), np.array([member - 1]))
    assert parts.labels().max() == 0
