"""The learning rate of each step: a pure function of how far training is, so that a stop changes nothing of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

Schedule = Literal["cosine", "plateau"]
Layers = Literal["all", "head", "head-first"]

_WARM_UP = 0.15
_MOMENTA = 0.95, 0.85
_STEADY = 0.9


def one_cycle(done: int, steps: int, highest: float) -> tuple[float, float]:
    """The learning rate and AdamW's first beta for a step (Smith and Topin 2018): up, then down, betas the other way.

    The same as torch's ``OneCycleLR``, which counts the steps itself and so cannot go on with another number of them.

    Args:
        done: steps before this one.
        steps: how many there are in all.
        highest: the learning rate at the peak.
    """
    top, end = _WARM_UP * steps - 1, steps - 1
    high, low = _MOMENTA
    if done <= top:
        return _anneal(highest / 25, highest, done / top), _anneal(high, low, done / top)
    part = (done - top) / (end - top)
    return _anneal(highest, highest / 25 / 1e4, part), _anneal(low, high, part)


def step_down(done: int, steps: int, highest: float, losses: Sequence[float], wait: int) -> tuple[float, float]:
    """The learning rate and AdamW's first beta for a step: up as with ``one_cycle``, then halved on each plateau.

    Args:
        done: steps before this one.
        steps: how many there are in all.
        highest: the learning rate after the warm-up.
        losses: on val, of all epochs before this one.
        wait: epochs without a lower loss after which it is halved.
    """
    top = _WARM_UP * steps - 1
    rate = _anneal(highest / 25, highest, done / top) if done < top else highest
    return rate / 2 ** count_plateaus(losses, wait), _STEADY


def count_plateaus(losses: Sequence[float], wait: int) -> int:
    """How often ``wait`` losses in a row were no lower than the lowest before them; each counts for one row only."""
    lowest, idle, plateaus = math.inf, 0, 0
    for loss in losses:
        idle = 0 if loss < lowest else idle + 1
        lowest = min(lowest, loss)
        if idle == wait:
            idle, plateaus = 0, plateaus + 1
    return plateaus


def count_head_epochs(layers: Layers, epochs: int) -> int:
    """In how many epochs, at first, only the head learns."""
    return {"all": 0, "head": epochs, "head-first": max(1, epochs // 5)}[layers]


def _anneal(start: float, end: float, part: float) -> float:
    return end + (start - end) / 2.0 * (math.cos(math.pi * part) + 1)
