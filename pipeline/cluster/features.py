"""What subjects are grouped by: numbers of which like subjects have like ones, ready for Euclidean distances."""

from __future__ import annotations

from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import ArrayLike, NDArray

from pipeline.images import Pixels

FeatureKind = Literal["probabilities", "embedding", "pixels"]
"""``probabilities``: of the classes that the classifier knows, since like subjects are taken for like mixtures of them;
``embedding``: what its last layer decides by; ``pixels``: the crop itself, the baseline that needs no classifier."""

KINDS: tuple[FeatureKind, ...] = get_args(FeatureKind)

PIXELS_SIDE = 32
"""Side in pixels of the crops that are compared pixel by pixel."""

_LEAST = 1e-3
"""What is less probable differs by chance; the more so, the surer a classifier is."""

Features = NDArray[np.float32]
"""Shape (subjects, d)."""


def from_probabilities(table: ArrayLike) -> Features:
    """Logarithms, less their mean: how many times more probable each class is than the others (Aitchison 1986).

    Of plain probabilities the one or two large ones decide alone, of what the classifier knows and of what it does not.
    What tells a subject of none of the classes from another such is how its small ones are to each other.

    Args:
        table: probabilities, shape (subjects, classes), 0 to 1; less than ``_LEAST`` is as good as nothing.
    """
    logarithms = np.log(np.maximum(np.asarray(table, np.float32), _LEAST))
    return np.asarray(logarithms - logarithms.mean(1, keepdims=True), np.float32)


def from_embeddings(table: ArrayLike) -> Features:
    """Each brought to length 1: its direction says what is seen, its length how much of it.

    Args:
        table: inputs of the classifying layer, shape (subjects, d).
    """
    rows = np.asarray(table, np.float32)
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    return np.asarray(rows / np.where(lengths > 0, lengths, 1), np.float32)


def from_pixels(view: Pixels) -> Features:
    """A crop of ``PIXELS_SIDE`` pixels in a row, 0 to 1, shape (d,).

    Args:
        view: RGB, shape (side, side, 3).
    """
    small = cv2.resize(view, (PIXELS_SIDE, PIXELS_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small.ravel() / 255, np.float32)
