"""Groups where subjects lie close to each other: DBSCAN and HDBSCAN, in memory for the subjects and not their pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

NOISE = -1
"""Label of what belongs to no group."""

Points = NDArray[np.float64]
Labels = NDArray[np.int64]

_TOGETHER = 500
"""Subjects of which the neighbours are looked at together; all others may be."""


def measure_neighbours(points: Points, size: int) -> Points:
    """Distance of each subject to the one with which it and those that are nearer are ``size``, shape (n,).

    Args:
        points: shape (n, d).
        size: 2 to n.
    """
    from sklearn.neighbors import NearestNeighbors

    distances, _ = NearestNeighbors(n_neighbors=size - 1).fit(points).kneighbors()  # of each, itself left out
    return np.asarray(distances[:, -1], np.float64)


def find_dense(points: Points, distances: Points, eps: float) -> Labels:
    """DBSCAN (Ester et al. 1996): who has enough neighbours, with all neighbours of the same kind, is a group.

    Scikit-learn's keeps all pairs of neighbours, which may be all pairs: where most subjects look alike. And a subject
    at the edge of two groups belongs here to the one that it is nearer to, not to the one that came first.

    Args:
        points: shape (n, d).
        distances: what ``measure_neighbours`` says: a subject has enough where that is ``eps`` at most.
        eps: distance up to which subjects are neighbours.

    Returns:
        Labels of shape (n,), from 0 on, or ``NOISE``.
    """
    from sklearn.neighbors import NearestNeighbors

    labels = np.full(len(points), NOISE, np.int64)
    (core,) = np.nonzero(distances <= eps)
    if not len(core):
        return labels
    near = NearestNeighbors(radius=eps).fit(points[core])
    labels[core] = _link(points[core], near)
    (rest,) = np.nonzero(distances > eps)
    if len(rest):
        gaps, nearest = near.kneighbors(points[rest], n_neighbors=1)
        labels[rest] = np.where(gaps[:, 0] <= eps, labels[core][nearest[:, 0]], NOISE)
    return labels


def find_stable(points: Points, *, min_size: int, min_samples: int) -> Labels:
    """HDBSCAN (Campello et al. 2013): the groups that last longest while ``eps`` shrinks.

    Args:
        points: shape (n, d).
        min_size: subjects that make a group, 2 to n.
        min_samples: subjects by whose distance it is measured how close they lie to each other, 1 to n.

    Returns:
        Labels of shape (n,), from 0 on, or ``NOISE``.
    """
    from sklearn.cluster import HDBSCAN

    # The tree, since the other way keeps the distances of all pairs.
    search = HDBSCAN(min_cluster_size=min_size, min_samples=min_samples, algorithm="kd_tree", copy=True)
    return np.asarray(search.fit(points).labels_, np.int64)


def _link(points: Points, near: object) -> Labels:
    """A number for each point, the same for those that a chain of neighbours leads between."""
    total = len(points)
    labels = np.arange(total)
    for begin in range(0, total, _TOGETHER):
        graph = near.radius_neighbors_graph(points[begin : begin + _TOGETHER]).tocoo()  # type: ignore[attr-defined]
        rows = np.concatenate([graph.row + begin, np.arange(total)])
        columns = np.concatenate([graph.col, labels])
        links = coo_array((np.ones(len(rows), np.bool_), (rows, columns)), shape=(total, total))
        _, found = connected_components(links, directed=False)
        labels = np.unique(found, return_index=True)[1][found]  # of each piece its first point
    return np.unique(labels, return_inverse=True)[1].astype(np.int64)
