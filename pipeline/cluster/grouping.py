"""From features to groups: which subjects belong together, and how far each lies from the middle of its group."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pipeline.cluster import ward
from pipeline.cluster.choosing import FEWEST, MOST_GROUPS, SAMPLE, choose_count, choose_eps, choose_min_size
from pipeline.cluster.density import NOISE, find_dense, find_stable, measure_neighbours
from pipeline.cluster.features import Features
from pipeline.errors import ConfigError, DataError

__all__ = ["ALGORITHMS", "NOISE", "Algorithm", "Grouping", "Settings", "group"]

Algorithm = Literal["agglomerative", "hdbscan", "dbscan"]
"""``agglomerative``: Ward's, every subject gets a group; ``hdbscan`` and ``dbscan``: groups are where subjects lie
close to each other, and what lies between them is noise."""

ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)

MOST_NUMBERS = 64
"""Numbers that are left of a subject's features to compare it by."""

_BELONGS = {"groups": ("agglomerative",), "eps": ("dbscan",), "min_size": ("hdbscan", "dbscan")}
_LEAST = {"groups": 2, "eps": 0, "min_size": 2}

_Points = NDArray[np.float64]
_Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Settings:
    """How subjects are grouped; what is None is chosen by the rule of the algorithm.

    Args:
        algorithm: see ``Algorithm``.
        groups: how many, at least 2; of agglomerative only.
        eps: distance up to which subjects are neighbours, above 0; of dbscan only.
        min_size: subjects that make a group, at least 2; of hdbscan and dbscan only.

    Raises:
        ConfigError: a value is out of its range, or belongs to another algorithm.
    """

    algorithm: Algorithm = "agglomerative"
    groups: int | None = None
    eps: float | None = None
    min_size: int | None = None

    def __post_init__(self) -> None:
        for name, algorithms in _BELONGS.items():
            value, option = getattr(self, name), f"--{name.replace('_', '-')}"
            if value is None:
                continue
            if self.algorithm not in algorithms:
                remedy = f"leave it out, or choose --algorithm {algorithms[0]}"
                raise ConfigError(f"{self.algorithm} knows no such thing", where=option, remedy=remedy)
            if not (value > 0 and value >= _LEAST[name]) or value == np.inf:
                least = f"at least {_LEAST[name]}" if _LEAST[name] else "a distance above 0"
                raise ConfigError(f"is {value}", where=option, expected=least)


@dataclass(frozen=True, slots=True, eq=False)
class Grouping:
    """Subjects in groups.

    Args:
        labels: number of each subject's group, shape (n,); 0 is the largest, ``NOISE`` for what belongs to none.
        centres: mean of the features of each group, shape (m, d), at least one.
        distances: of each subject to the centre of its group, of noise to the nearest one, shape (n,).
        tree: how like the groups are: SciPy's linkage matrix over the centres, merged nearest first, shape (m - 1, 4).
        rule: how the parameters were come to, one plain sentence.
    """

    labels: NDArray[np.int64]
    centres: Features
    distances: NDArray[np.float32]
    tree: NDArray[np.float64]
    rule: str


def group(features: Features, settings: Settings) -> Grouping:
    """Put subjects into groups; the same features give the same groups.

    Of features with more numbers than ``MOST_NUMBERS`` the principal components are compared: distances change little,
    and what is found close together is so for what all subjects show, and not for the noise in each number.

    Args:
        features: shape (n, d), finite.
        settings: how.

    Raises:
        DataError: there are too few subjects, or too few different ones; or all of them would be noise.
    """
    count = len(features)
    if count < 2:
        raise DataError(f"{_say(count, 'subject')} to group", expected="at least 2", remedy="more photos")
    _check_groups(count, settings.groups, "subject")
    first, inverse, times = _find_different(features)
    _check_groups(len(first), settings.groups, "different subject")
    if len(first) == 1:
        return _describe(features, np.zeros(count, np.int64), "all subjects are the same: one group")
    points = _reduce(features[first])
    if settings.algorithm == "agglomerative":
        labels, rule = _group_all(points, times, settings)
        return _describe(features, labels[inverse], rule)
    labels, rule = _find_groups(points[inverse], settings)
    if (labels == NOISE).all():
        raise DataError(f"all {count} subjects are noise: {rule}", remedy=_ways_out(settings))
    return _describe(features, labels, rule)


def _check_groups(count: int, groups: int | None, what: str) -> None:
    if groups is not None and count < groups:
        expected, remedy = f"at least {groups}, for as many groups", "fewer --groups, or more photos"
        raise DataError(f"{_say(count, what)} to group", expected=expected, remedy=remedy)


def _find_different(features: Features) -> tuple[_Labels, _Labels, _Labels]:
    """The first of those that are the same, which of them each subject is the same as, and how many there are."""
    whole = np.dtype((np.void, features.dtype.itemsize * features.shape[1]))  # compared byte by byte, and not in fields
    rows = np.ascontiguousarray(features).view(whole)[:, 0]
    _, first, inverse, times = np.unique(rows, return_index=True, return_inverse=True, return_counts=True)
    return first, inverse, times


def _say(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def _ways_out(settings: Settings) -> str:
    other = "a larger --eps" if settings.algorithm == "dbscan" else "a smaller --min-size"
    return f"{other}, or --algorithm agglomerative, which has no noise"


def _reduce(features: Features) -> _Points:
    if features.shape[1] <= MOST_NUMBERS:
        return features.astype(np.float64)
    from sklearn.decomposition import PCA

    few = min(MOST_NUMBERS, len(features))
    return np.asarray(PCA(few, svd_solver="randomized", random_state=0).fit_transform(features), np.float64)


def _group_all(points: _Points, times: _Labels, settings: Settings) -> tuple[_Labels, str]:
    """Every subject into a group, those that are the same together."""
    merges = ward.merge(points, times)
    if settings.groups is not None:
        return merges.cut(settings.groups), f"{settings.groups} groups, as asked for"
    subjects, most = int(times.sum()), min(MOST_GROUPS, len(points))
    if subjects < 3:
        return merges.cut(2), "2 groups of one subject each: there is nothing to choose"
    places = np.repeat(np.arange(len(points)), times)
    counts = range(2, min(most, subjects - 1) + 1)
    count, score = choose_count(points[places], counts, lambda count: merges.cut(count)[places])
    drawn = f" of {SAMPLE} subjects" if subjects > SAMPLE else ""
    tried = f"of 2 to {counts[-1]}, the number with the best silhouette{drawn}, {score:.2f}"
    return merges.cut(count), f"{count} groups: {tried}"


def _find_groups(points: _Points, settings: Settings) -> tuple[_Labels, str]:
    """Groups where subjects lie close together; noise between them."""
    count = len(points)
    if settings.algorithm == "hdbscan":
        size = settings.min_size or choose_min_size(count)
        how = "as asked for" if settings.min_size else f"one in a hundred, and no fewer than {FEWEST}"
        _check_size(count, size)
        labels = find_stable(points, min_size=size, min_samples=min(size, FEWEST))
        return labels, f"at least {size} subjects to a group, {how}"
    size = settings.min_size or FEWEST
    _check_size(count, size)
    distances = measure_neighbours(points, size)
    if settings.eps is not None:
        eps, how = settings.eps, "as asked for"
    else:
        eps, how = choose_eps(distances), f"the knee of the sorted distances within which {size} subjects lie"
    return find_dense(points, distances, eps), f"eps {eps:.4g}, {how}; {size} subjects make a group"


def _check_size(count: int, size: int) -> None:
    if count < size:
        remedy = "more photos, a smaller --min-size, or --algorithm agglomerative"
        raise DataError(f"{_say(count, 'subject')} to group", expected=f"at least {size}, one group", remedy=remedy)


def _describe(features: Features, labels: _Labels, rule: str) -> Grouping:
    labels = _number_by_size(labels)
    centres = np.stack([features[labels == one].mean(0) for one in range(labels.max() + 1)])
    return Grouping(labels, centres, _measure_distances(features, labels, centres), _link(centres), rule)


def _number_by_size(labels: _Labels) -> _Labels:
    """The largest first; of two that are as large the one whose first subject comes first."""
    names, first, inverse, sizes = np.unique(labels, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((first, -sizes, names == NOISE))
    numbers = np.empty(len(names), np.int64)
    numbers[order] = np.arange(len(names))
    numbers[names == NOISE] = NOISE
    return np.asarray(numbers[inverse], np.int64)


def _measure_distances(features: Features, labels: _Labels, centres: Features) -> NDArray[np.float32]:
    distances = np.empty(len(features), np.float32)
    for number, centre in enumerate(centres):
        distances[labels == number] = np.linalg.norm(features[labels == number] - centre, axis=1)
    noise = features[labels == NOISE]
    if len(noise):
        from sklearn.metrics import pairwise_distances_argmin_min

        distances[labels == NOISE] = pairwise_distances_argmin_min(noise, centres)[1]
    return distances


def _link(centres: Features) -> _Points:
    """By the mean distance of what is put together, so that a height of the tree is a distance between subjects."""
    from scipy.cluster.hierarchy import linkage

    return np.asarray(linkage(centres, "average"), np.float64) if len(centres) > 1 else np.empty((0, 4))
