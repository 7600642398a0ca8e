"""Where subjects lie on a map: like ones near each other, none hiding another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pipeline.cluster.features import Features

Points = NDArray[np.float64]
"""Shape (n, 2): across, down."""

_FEWEST = 12
"""Below this many t-SNE has too few neighbours to say anything."""

_DIMENSIONS = 50
"""What t-SNE is given; its authors' advice, and enough for its speed."""

_ROUNDS = 300

_BY_RANK = 0.6
"""How much a place depends on how many subjects are further left or higher, the rest on how far they are: groups that
lie close would else share a corner, and one subject far out would make most of a map empty."""


def place_subjects(features: Features, *, seed: int) -> Points:
    """Places in the plane, each coordinate from 0 to 1: by t-SNE, or by the two main directions where there are few.

    Args:
        features: shape (n, d), n at least 1.
        seed: the same one gives the same places.
    """
    if len(features) < _FEWEST:
        return _stretch(_reduce(features, 2, seed))
    points = _embed(features, seed)
    ranks = points.argsort(0, kind="stable").argsort(0, kind="stable").astype(np.float64)
    return _stretch(_BY_RANK * _stretch(ranks) + (1 - _BY_RANK) * _stretch(points))


def push_apart(points: Points, room: tuple[float, float], tile: tuple[float, float]) -> Points:
    """Move tiles until as good as none covers another, each as little as it takes.

    Args:
        points: their middles.
        room: width and height that they have to stay in; they should fill two thirds of it at most.
        tile: width and height of one.
    """
    from scipy.spatial import cKDTree

    half, whole = np.array(tile) / 2, np.array(tile)
    rng = np.random.default_rng(0)
    places = points + rng.normal(0, 0.01, points.shape) * whole  # what lies on one spot has no way to go
    for _ in range(_ROUNDS):
        places = np.clip(places, half, np.array(room) - half)
        pairs = cKDTree(places / whole).query_pairs(1.0, p=np.inf, output_type="ndarray")
        if not len(pairs):
            break
        gaps = (places[pairs[:, 1]] - places[pairs[:, 0]]) / whole
        short = np.abs(gaps).argmax(1)  # the way along which they come apart soonest
        rows = np.arange(len(pairs))
        gap = gaps[rows, short]
        step = np.where(gap < 0, -1.0, 1.0) * (1 - np.abs(gap)) * whole[short] * 0.5
        np.add.at(places, (pairs[:, 0], short), -step)
        np.add.at(places, (pairs[:, 1], short), step)
    return np.asarray(np.clip(places, half, np.array(room) - half), np.float64)


def _stretch(points: Points) -> Points:
    """To the whole range from 0 to 1; what is all the same to its middle."""
    low, high = points.min(0), points.max(0)
    return np.asarray(np.where(high > low, (points - low) / np.where(high > low, high - low, 1), 0.5), np.float64)


def _embed(features: Features, seed: int) -> Points:
    from sklearn.manifold import TSNE

    reduced = _reduce(features, _DIMENSIONS, seed)
    if not reduced[:, :2].std(0).any():  # all alike: there is nothing to tell them apart by
        return np.zeros((len(features), 2))
    start = reduced[:, :2] / max(float(reduced[:, 0].std()), 1e-12) * 1e-4
    perplexity = min(30.0, (len(features) - 1) / 3)
    tsne = TSNE(perplexity=perplexity, init=start, random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(reduced), np.float64)


def _reduce(features: Features, dimensions: int, seed: int) -> Points:
    """Coordinates along the main directions, two at least; noughts where there are fewer directions."""
    from sklearn.decomposition import PCA

    count = min(dimensions, *features.shape)
    centred = np.asarray(features, np.float64) - features.mean(0)
    reduced = np.zeros((len(features), max(count, 2)))
    if centred.any():
        solver = "randomized" if min(features.shape) > 4 * count else "full"
        reduced[:, :count] = PCA(count, svd_solver=solver, random_state=seed).fit_transform(centred)
    return reduced
