"""Drawing lots."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from numpy.random import Generator

T = TypeVar("T")


def pick(rng: Generator, items: Sequence[T]) -> T:
    """One of ``items``, each as likely."""
    return items[int(rng.integers(len(items)))]
