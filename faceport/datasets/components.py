"""Groups that grow as pairs come: union-find on arrays, with scipy for the pairs of one call."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from faceport.errors import MissingDependencyError

Ints = NDArray[np.int64]


class Components:
    """The connected components of a graph whose edges come in pieces.

    Each member knows one nearer to its component's smallest member, or is that itself.
    """

    def __init__(self, count: int) -> None:
        self._nearer: Ints = np.arange(count, dtype=np.int64)

    def find(self, members: Ints) -> Ints:
        """Return the smallest member of each one's component."""
        found = self._nearer[members]
        while True:
            further = self._nearer[found]
            if np.array_equal(further, found):
                self._nearer[members] = found
                return found
            found = further

    def link(self, first: Ints, second: Ints) -> None:
        """Join the components of each pair.

        Raises:
            MissingDependencyError: scipy is not installed.
        """
        one, other = self.find(first), self.find(second)
        differ = one != other
        if not differ.any():
            return
        nodes, places = np.unique(np.concatenate([one[differ], other[differ]]), return_inverse=True)
        groups = _groups(places.reshape(2, -1), len(nodes))
        smallest = np.full(groups.max() + 1, np.iinfo(np.int64).max, np.int64)
        np.minimum.at(smallest, groups, nodes)
        self._nearer[nodes] = smallest[groups]

    def labels(self) -> Ints:
        """Return the smallest member of everyone's component, (count,)."""
        return self.find(np.arange(len(self._nearer), dtype=np.int64))


def _groups(edges: NDArray[np.intp], count: int) -> NDArray[np.int32]:
    try:
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components
    except ImportError as error:
        raise MissingDependencyError("scipy", "datasets") from error
    ones = np.ones(edges.shape[1], np.int8)
    graph = coo_array((ones, (edges[0], edges[1])), shape=(count, count))
    groups: NDArray[np.int32] = connected_components(graph, directed=False)[1]
    return groups
