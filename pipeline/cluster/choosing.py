"""Parameters of the grouping that nobody gave, each by a rule that can be said in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]
Labels = NDArray[np.int64]

MOST_GROUPS = 40
"""Groups that are tried: more is more than anybody names by hand."""

SAMPLE = 2000
"""Subjects that a silhouette is taken of: it needs the distances of all pairs."""

_SEED = 0

FEWEST = 5
"""Subjects that make a group, at least: as many neighbours as DBSCAN is usually told to want."""

_SHARE = 100

_ROUNDING = 1e-6
"""Distance that is none: subjects in one place may come out so far apart."""


def choose_count(points: Points, counts: Iterable[int], cut: Callable[[int], Labels]) -> tuple[int, float]:
    """The number of groups with the best mean silhouette (Rousseeuw 1987), the smaller of two that are as good.

    Of more than ``SAMPLE`` subjects as many are drawn, the same for each number of groups.

    Args:
        points: shape (n, d), at least three.
        counts: of groups, each at least 2, and fewer than there are subjects.
        cut: gives the labels for one of them.

    Returns:
        The number, and its silhouette, -1 to 1.
    """
    from sklearn.metrics import pairwise_distances

    drawn = _draw(len(points))
    distances = pairwise_distances(points[drawn])
    np.fill_diagonal(distances, 0.0)
    scores = {count: _measure_silhouette(distances, cut(count)[drawn]) for count in counts}
    best = max(scores, key=scores.__getitem__)
    return best, scores[best]


def choose_eps(distances: Points) -> float:
    """The knee of the sorted distances to a near neighbour: the point that lies farthest below the line of its ends.

    Below it subjects lie as close as those of a group do, beyond it are those that lie alone (Ester et al. 1996; the
    line is that of Satopää et al. 2011, Finding a "Kneedle" in a haystack).

    Args:
        distances: as ``density.measure_neighbours`` gives them.

    Returns:
        Above 0, even where every subject has as many others in its own place.
    """
    rising = np.sort(distances[distances > _ROUNDING])
    if not len(rising):
        return _ROUNDING
    spread = rising[-1] - rising[0]
    if not spread:
        return float(rising[-1])
    below = np.linspace(0, 1, len(rising)) - (rising - rising[0]) / spread
    return float(rising[below.argmax()])


def choose_min_size(count: int) -> int:
    """Subjects that make a group: one in a hundred, and no fewer than ``FEWEST``."""
    return max(FEWEST, round(count / _SHARE))


def _draw(count: int) -> NDArray[np.int64]:
    if count <= SAMPLE:
        return np.arange(count)
    return np.sort(np.random.default_rng(_SEED).choice(count, SAMPLE, replace=False))


def _measure_silhouette(distances: Points, labels: Labels) -> float:
    """-1 where it cannot be said: one group alone was drawn, or each subject is a group of its own."""
    from sklearn.metrics import silhouette_score

    if not 2 <= len(np.unique(labels)) < len(labels):
        return -1.0
    return float(silhouette_score(distances, labels, metric="precomputed"))
