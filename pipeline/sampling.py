"""What is done against uneven classes: which samples an epoch shows, and how much a mistake counts."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.random import Generator
from numpy.typing import ArrayLike, NDArray

_LEAST = 2
"""Samples that undersampling leaves of a class at least: one alone would be all that it is known by."""


def count_shown(counts: Sequence[int], balance: str) -> list[int]:
    """How many samples of each class an epoch shows.

    Args:
        counts: samples of each class, 0 or more.
        balance: see ``ClassifierSettings.balance``.
    """
    there = [count for count in counts if count]
    if balance == "undersample":
        return [min(count, max(_LEAST, min(there))) for count in counts]
    if balance == "oversample":
        return [max(there) if count else 0 for count in counts]
    return list(counts)


def draw_order(targets: ArrayLike, balance: str, rng: Generator) -> NDArray[np.int64]:
    """The order in which an epoch shows the samples, as numbers of them.

    Undersampling leaves out another part of the large classes each time it is drawn; oversampling shows all samples
    of a class equally often but for once, and draws which of them are shown once more.

    Args:
        targets: class of each sample.
        balance: see ``ClassifierSettings.balance``.
        rng: source of the randomness.
    """
    classes = np.asarray(targets, np.int64)
    order = np.arange(len(classes))
    if balance in ("undersample", "oversample"):
        shown = count_shown(np.bincount(classes).tolist(), balance)
        drawn = [
            _draw_class(np.flatnonzero(classes == index), count, rng) for index, count in enumerate(shown) if count
        ]
        order = np.concatenate(drawn)
    rng.shuffle(order)
    return order


def weigh_classes(targets: ArrayLike, class_count: int) -> list[float]:
    """How much a mistake counts in each class, so that all classes count the same; 1 in the mean over the samples.

    Args:
        targets: class of each sample.
        class_count: how many classes there are; one without samples weighs nothing.
    """
    counts = np.bincount(np.asarray(targets, np.int64), minlength=class_count)
    share = counts.sum() / np.count_nonzero(counts)
    return [float(share / count) if count else 0.0 for count in counts]


def describe_balance(counts: Sequence[int], balance: str) -> str:
    """What is done to the classes, in a line; empty where nothing is.

    Args:
        counts: samples of each class.
        balance: see ``ClassifierSettings.balance``.
    """
    there = [count for count in counts if count]
    if balance == "none" or not there:
        return ""
    few, many = min(there), max(there)
    span = f"the classes have {few} to {many} crops" if few < many else f"each class has {few} crops"
    if balance == "weights":
        targets = np.repeat(np.arange(len(counts)), counts)
        weights = [weight for weight in weigh_classes(targets, len(counts)) if weight]
        return (
            f"weights: {span}; a mistake counts {min(weights):.2f} in the largest, {max(weights):.2f} in the smallest"
        )
    shown = count_shown(counts, balance)
    each = f"an epoch shows {max(shown)} of each"
    if balance == "oversample":
        return f"oversample: {span}; {each}, those of the smallest {many / few:.3g} times"
    return (
        f"undersample: {span}; {each}, another part of the large ones each time ({sum(shown)} instead of {sum(counts)})"
    )


def _draw_class(numbers: NDArray[np.int64], count: int, rng: Generator) -> NDArray[np.int64]:
    whole, more = divmod(count, len(numbers))
    return np.concatenate([np.tile(numbers, whole), rng.choice(numbers, more, replace=False)])
