"""Probabilities that can be taken at their word: temperature scaling, its figures, and what is sure enough.

All take probabilities of shape (n, classes), 0 to 1, and the numbers of the right classes, shape (n,).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Probabilities = NDArray[np.float64]
Targets = NDArray[np.int64]

_LEAST = 1e-12
"""Probability below which nothing is told apart, or a single crop could make the mean loss infinite."""

_TEMPERATURES = np.geomspace(0.25, 4, 71)
_PRIOR_SD = 0.5
_SHARPENING = 0.5
_DOUBTS = 2
_Z = 1.0


def apply_temperature(probabilities: Probabilities, temperature: float) -> Probabilities:
    """p^(1 / temperature), made to sum up to 1 again; above 1 the probabilities come closer to each other.

    The same as dividing logits by it (Guo et al. 2017, On Calibration of Modern Neural Networks), but of a mean of
    several networks' probabilities too, which has no logits. The order of the classes stays. No probability comes out
    as 0, and so none of several as 1.
    """
    scaled = _log(probabilities) / temperature
    powers = np.exp(scaled - scaled.max(-1, keepdims=True))
    clipped = np.maximum(powers / powers.sum(-1, keepdims=True), _LEAST)
    calibrated: Probabilities = clipped / clipped.sum(-1, keepdims=True)
    return calibrated


def log_loss(probabilities: Probabilities, targets: Targets) -> float:
    """Mean of minus the logarithm of the right class's probability; 0 where there is nothing."""
    if not len(targets):
        return 0.0
    return float(-_log(probabilities)[np.arange(len(targets)), targets].mean())


def expected_calibration_error(probabilities: Probabilities, targets: Targets, bins: int = 15) -> float:
    """Mean distance of confidence and accuracy in bins of equal width (Guo et al. 2017), 0 to 1; 0 for nothing."""
    if not len(targets):
        return 0.0
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(places, weights=right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(targets))


def fit_temperature(probabilities: Probabilities, targets: Targets) -> float:
    """The temperature that makes the log loss least, 0.25 to 4; 1 where it cannot be said that another is better.

    A few dozen crops easily suggest a temperature that is worse for all others, above all one far below 1 where the
    classifier is right on each of them. So three things hold it back. Its logarithm has a normal prior around 0 with
    standard deviation 0.5. Below 1 it has to bear with two crops more, on which the classifier is wrong (in the manner
    of Agresti and Coull 1998). And it is taken only if temperatures fitted without a crop lower the loss of that crop
    by more than one standard error in the mean (leave-one-out cross-validation).

    Of one below 1 half the way is gone, in its logarithm: val is kept back from the photos that were learnt from, and
    photos to come resemble those less, so that a classifier is right less often on them than on val.
    """
    if len(targets) < 2 or probabilities.shape[1] < 2:
        return 1.0
    losses = _scaled_losses(probabilities, targets)
    total, caution = losses.sum(0), _caution(probabilities)
    without_each = (total - losses + caution).argmin(1)
    gains = _at_one(losses) - losses[np.arange(len(losses)), without_each]
    if gains.mean() <= _Z * gains.std(ddof=1) / math.sqrt(len(gains)):
        return 1.0
    best = float(_TEMPERATURES[(total + caution).argmin()])
    return best if best > 1 else best**_SHARPENING


def choose_sure(probabilities: Probabilities, targets: Targets, precision: float) -> float:
    """The lowest probability from which on predictions are right often enough, 0 to 1.

    How often they are right is taken to be one standard error less than seen, by the lower end of Wilson's interval
    (1927): of n that are all right it is n / (n + 1), so that for a precision of 0.95 it takes at least 19.

    Args:
        probabilities: calibrated, of crops that were not learnt from.
        targets: their classes.
        precision: part of the sure predictions that shall be right, 0 to 1.

    Returns:
        0 where all together are right often enough, so that nothing is unsure; 1 where there is no such probability
        and everything is unsure.
    """
    confidence, right = probabilities.max(1), probabilities.argmax(1) == targets
    order = np.argsort(-confidence, kind="stable")
    counts = np.arange(1, len(order) + 1)
    enough = _wilson_low(np.cumsum(right[order]), counts) >= precision
    lasts = np.append(np.diff(confidence[order]) < 0, True)[: len(order)]  # of those with the same confidence
    (places,) = np.nonzero(enough & lasts)
    if not len(places):
        return 1.0
    return 0.0 if places[-1] == len(order) - 1 else float(confidence[order[places[-1]]])


def _log(probabilities: Probabilities) -> Probabilities:
    logarithms: Probabilities = np.log(np.clip(probabilities, _LEAST, 1.0))
    return logarithms


def _scaled_losses(probabilities: Probabilities, targets: Targets) -> Probabilities:
    """Loss of each crop at each temperature: shape (n, temperatures)."""
    rows = np.arange(len(targets))
    scaled = (apply_temperature(probabilities, temperature) for temperature in _TEMPERATURES)
    return np.stack([-_log(table)[rows, targets] for table in scaled], axis=1)


def _caution(probabilities: Probabilities) -> Probabilities:
    """What is added to the sum of the losses at each temperature: shape (temperatures,)."""
    prior: Probabilities = np.log(_TEMPERATURES) ** 2 / (2 * _PRIOR_SD**2)
    doubt = _doubt(probabilities)
    caution: Probabilities = prior + np.where(_TEMPERATURES < 1, _DOUBTS * (doubt - _at_one(doubt)), 0)
    return caution


def _doubt(probabilities: Probabilities) -> Probabilities:
    """Mean loss if each prediction were wrong and the other classes as likely as is said: shape (temperatures,)."""
    others = np.clip(probabilities, _LEAST, 1.0)
    others[np.arange(len(others)), others.argmax(1)] = 0
    others /= others.sum(1, keepdims=True)
    scaled = (apply_temperature(probabilities, temperature) for temperature in _TEMPERATURES)
    return np.array([-(others * _log(table)).sum(1).mean() for table in scaled])


def _at_one(values: Probabilities) -> Probabilities:
    """Those of temperature 1, in the middle of the last axis."""
    middle: Probabilities = values[..., len(_TEMPERATURES) // 2]
    return middle


def _wilson_low(right: NDArray[np.int64], counts: NDArray[np.int64]) -> Probabilities:
    """Lower end of Wilson's interval of one standard error for shares ``right`` of ``counts``."""
    share, z2 = right / counts, _Z**2
    spread = _Z * np.sqrt(share * (1 - share) / counts + z2 / (4 * counts**2))
    low: Probabilities = (share + z2 / (2 * counts) - spread) / (1 + z2 / counts)
    return low
