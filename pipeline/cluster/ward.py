"""Ward's tree of clusters, for any number of points: it takes memory for the points, and none for their pairs.

SciPy's and scikit-learn's keep the distances of all pairs, 3.2 GB for 20,000 points and a copy to work on. Given who is
whose neighbour scikit-learn's does without, but then it puts together what it was told are neighbours, and fills in
what it was not told between pieces that do not touch.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

Points = NDArray[np.float64]
Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Merges:
    """How points were put together, the nearest first.

    Args:
        pairs: a point of the one cluster and a point of the other, shape (n - 1, 2).
        heights: how far apart the two were, as SciPy's ``linkage`` tells it, rising, shape (n - 1,).
    """

    pairs: Labels
    heights: Points

    def cut(self, count: int) -> Labels:
        """A number for each point, the same for those that are together where so many clusters are left.

        Args:
            count: 1 to n.
        """
        total = len(self.pairs) + 1
        done = self.pairs[: total - count]
        links = coo_array((np.ones(len(done)), (done[:, 0], done[:, 1])), shape=(total, total))
        return np.asarray(connected_components(links, directed=False)[1], np.int64)


def merge(points: Points, weights: NDArray[np.int64]) -> Merges:
    """Put the two clusters together again and again that are nearest by Ward's measure.

    Along a chain, each the nearest of the one before, two are found that are each other's nearest; whatever else is
    put together before or after, these two will be (Murtagh 1983, A survey of recent advances in hierarchical
    clustering algorithms). So it takes time for n * n distances, like any other way to this tree.

    Args:
        points: shape (n, d), at least one.
        weights: how many stand in each place, at least 1, shape (n,).
    """
    left = _Clusters(points, weights)
    pairs, heights = [], []
    chain: list[int] = []
    gaps: list[float] = []
    linked: set[int] = set()
    while left.count > 1:
        if not chain:
            chain.append(left.first)
            linked.add(left.first)
        nearest, gap = left.find_nearest(chain[-1])
        # What is on the chain already is nearer by rounding alone: else it would have been followed by this one.
        if gaps and (gap >= gaps[-1] or nearest in linked):
            pair = chain.pop(), chain.pop()
            linked.difference_update(pair)
            left.join(*pair)
            pairs.append(pair)
            heights.append(gaps.pop())
            del gaps[-1:]
        else:
            chain.append(nearest)
            linked.add(nearest)
            gaps.append(gap)
    order = np.argsort(heights, kind="stable")
    return Merges(np.array(pairs, np.int64).reshape(-1, 2)[order], np.sqrt(2 * np.array(heights, np.float64)[order]))


class _Clusters:
    """Those that are left, in the first ``count`` places; each is called by one of its points."""

    def __init__(self, points: Points, weights: NDArray[np.int64]) -> None:
        self.count = len(points)
        self._centres = points - points.mean(0)  # small numbers lose less where they are subtracted
        self._squares = np.einsum("ij,ij->i", self._centres, self._centres)
        self._weights = weights.astype(np.float64)
        self._names = np.arange(len(points))
        self._places = np.arange(len(points))

    @property
    def first(self) -> int:
        """Any of them."""
        return int(self._names[0])

    def find_nearest(self, name: int) -> tuple[int, float]:
        """Which one would add least to the squared distances from the centres, and how much it would."""
        place, count = self._places[name], self.count
        weights = self._weights[:count]
        squares = self._squares[:count] + self._squares[place] - 2 * (self._centres[:count] @ self._centres[place])
        gaps = squares * (weights * weights[place] / (weights + weights[place]))
        gaps[place] = np.inf
        nearest = int(gaps.argmin())
        return int(self._names[nearest]), max(float(gaps[nearest]), 0.0)

    def join(self, one: int, other: int) -> None:
        """Put the other into the one, and the last into its place."""
        place, freed = self._places[one], self._places[other]
        weights = self._weights[[place, freed]]
        self._centres[place] = weights @ self._centres[[place, freed]] / weights.sum()
        self._squares[place] = self._centres[place] @ self._centres[place]
        self._weights[place] = weights.sum()
        self.count -= 1
        for row in (self._centres, self._squares, self._weights, self._names):
            row[freed] = row[self.count]
        self._places[self._names[freed]] = freed
