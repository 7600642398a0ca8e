"""Keeping back what the epoch is chosen on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

T = TypeVar("T")

_VAL = 0.1


def hold_out(things: Sequence[T], seed: int) -> tuple[tuple[T, ...], tuple[T, ...]]:
    """Those to learn from, and a tenth, at least one, to choose the epoch on; each in the order given.

    Args:
        things: at least two.
        seed: another seed, another tenth.
    """
    order = np.random.default_rng((seed, 1)).permutation(len(things))
    val = set(order[: max(1, round(_VAL * len(things)))].tolist())
    learnt = tuple(one for number, one in enumerate(things) if number not in val)
    return learnt, tuple(things[number] for number in sorted(val))
