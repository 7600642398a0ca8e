"""From what a network thinks of each tile to an arrangement: every place is taken once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

_LEAST = 1e-12
"""Probability below which one is as impossible as another; of 0 there is no logarithm."""

Permutations = NDArray[np.int64]
"""Where the tile that lies at each place belongs, shape (..., n); each place once."""


@dataclass(frozen=True, slots=True)
class PuzzleScores:
    """How well pictures were put together.

    Args:
        tiles_right: part of the tiles that were given their place, 0 to 1.
        pictures_right: part of the pictures whose tiles all were, 0 to 1.
        count: pictures.
    """

    tiles_right: float
    pictures_right: float
    count: int

    def __post_init__(self) -> None:
        if self.count < 1 or not 0 <= self.pictures_right <= self.tiles_right <= 1:
            raise ValueError(f"parts of at least one picture are wanted, got {self}")

    def __str__(self) -> str:
        pictures = "1 picture" if self.count == 1 else f"{self.count} pictures"
        return f"{self.tiles_right:.2%} of the tiles and {self.pictures_right:.2%} of {pictures} right"

    def as_dict(self) -> dict[str, float]:
        """The figures by name, as the card keeps them."""
        return {"tiles": round(self.tiles_right, 4), "pictures": round(self.pictures_right, 4)}


def arrange(probabilities: NDArray[np.floating]) -> Permutations:
    """The most probable arrangement, in which every place is taken once: one place each, not each its favourite.

    Args:
        probabilities: that the tile at place i belongs at place j, 0 to 1, shape (..., n, n).

    Returns:
        Where the tile at each place belongs, shape (..., n).

    Raises:
        ValueError: it is no square, or some are no number.
    """
    tables = np.asarray(probabilities, np.float64)
    if tables.ndim < 2 or tables.shape[-1] != tables.shape[-2]:
        raise ValueError(f"a row and a column for each tile are wanted, got an array of shape {tables.shape}")
    if np.isnan(tables).any():
        raise ValueError("some of the probabilities are no number")
    costs = -np.log(np.maximum(tables, _LEAST)).reshape(-1, *tables.shape[-2:])
    places = [linear_sum_assignment(cost)[1] for cost in costs]
    return np.array(places, np.int64).reshape(tables.shape[:-1])


def score(places: Permutations, truth: Permutations) -> PuzzleScores:
    """Compare arrangements with the true ones.

    Args:
        places: as ``arrange`` gives them, shape (pictures, n).
        truth: of the same shape.

    Raises:
        ValueError: the shapes differ, or there is no picture.
    """
    places, truth = np.asarray(places), np.asarray(truth)
    if places.shape != truth.shape or places.ndim != 2 or not len(places):
        raise ValueError(f"two arrays of shape (pictures, tiles) are wanted, got {places.shape} and {truth.shape}")
    right = places == truth
    return PuzzleScores(float(right.mean()), float(right.all(1).mean()), len(places))
