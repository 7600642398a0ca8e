"""How far a classifier's probabilities can be believed: loss, calibration error, and what it calls unsure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.calibration import apply_temperature, expected_calibration_error, log_loss
from pipeline.scores import JudgedPhoto

BINS = 15


@dataclass(frozen=True, slots=True)
class Bin:
    """Predictions of about the same confidence.

    Args:
        count: how many, at least one.
        confidence: mean probability of the class given, 0 to 1.
        accuracy: part of them that is right, 0 to 1.
    """

    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """How good probabilities are.

    Args:
        log_loss: mean of minus the logarithm of the right class's probability.
        error: expected calibration error (Guo et al. 2017), 0 to 1.
        bins: those of the ``BINS`` that there are predictions in, the least confident first.
    """

    log_loss: float
    error: float
    bins: tuple[Bin, ...]

    def as_dict(self) -> dict[str, Any]:
        """The figures by name, rounded."""
        bins = [{name: round(value, 4) for name, value in asdict(one).items()} for one in self.bins]
        return {"log_loss": round(self.log_loss, 4), "expected_calibration_error": round(self.error, 4), "bins": bins}


@dataclass(frozen=True, slots=True)
class Sureness:
    """What the predictions called sure are worth.

    Args:
        predictions: how many there are.
        unsure: how many are called unsure.
        right: how many of the others are right.
    """

    predictions: int
    unsure: int
    right: int

    @property
    def share(self) -> float:
        """Part that is unsure, 0 to 1; 0 where there are no predictions."""
        return self.unsure / self.predictions if self.predictions else 0.0

    @property
    def precision(self) -> float | None:
        """Part of the sure ones that is right, 0 to 1; None where none is sure."""
        sure = self.predictions - self.unsure
        return self.right / sure if sure else None

    def as_dict(self) -> dict[str, float | None]:
        """The figures by name, rounded."""
        precision = None if self.precision is None else round(self.precision, 4)
        return {"predictions": self.predictions, "unsure": round(self.share, 4), "precision_of_sure": precision}


def tabulate(
    judged: Sequence[JudgedPhoto], class_names: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """What the classifier says of the crops of labelled boxes.

    Returns:
        Probabilities, shape (crops, classes), and the numbers of the right classes, shape (crops,).
    """
    pairs = [pair for photo in judged for pair in zip(photo.on_truth, photo.truth, strict=True)]
    rows = [[given.probabilities[name] for name in class_names] for given, _ in pairs]
    targets = [class_names.index(subject.class_name) for _, subject in pairs]
    return np.array(rows, float).reshape(-1, len(class_names)), np.array(targets, np.int64)


def measure(probabilities: NDArray[np.float64], targets: NDArray[np.int64]) -> Reliability:
    """How good probabilities are, shape (n, classes), n at least 1, where ``targets``, shape (n,), are right."""
    return Reliability(
        log_loss(probabilities, targets),
        expected_calibration_error(probabilities, targets, bins=BINS),
        _fill_bins(probabilities.max(1), probabilities.argmax(1) == targets),
    )


def measure_before(
    probabilities: NDArray[np.float64], targets: NDArray[np.int64], temperature: float
) -> Reliability | None:
    """The same of the probabilities before they were calibrated with ``temperature``; None where they were not."""
    return None if temperature == 1 else measure(apply_temperature(probabilities, 1 / temperature), targets)


def count_sure(judged: Sequence[JudgedPhoto]) -> Sureness:
    """Of the crops of labelled boxes."""
    pairs = [pair for photo in judged for pair in zip(photo.on_truth, photo.truth, strict=True)]
    right = sum(given.sure and given.class_name == subject.class_name for given, subject in pairs)
    return Sureness(len(pairs), sum(not given.sure for given, _ in pairs), right)


def count_sure_detections(judged: Sequence[JudgedPhoto], confidence: float) -> Sureness:
    """Of the detections from a threshold on; right is one whose box and class are."""
    predictions = unsure = right = 0
    for photo in judged:
        made = photo.made(confidence)
        predictions += len(made)
        unsure += sum(not one.sure for one in made)
        for index, true in photo.pair(made).items():
            right += made[index].sure and made[index].class_name == photo.truth[true].class_name
    return Sureness(predictions, unsure, right)


def _fill_bins(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    numbers = np.clip(np.ceil(confidence * BINS) - 1, 0, BINS - 1)  # (0, 1/15], (1/15, 2/15] ...
    places = [numbers == number for number in range(BINS)]
    return tuple(
        Bin(int(place.sum()), float(confidence[place].mean()), float(right[place].mean()))
        for place in places
        if place.any()
    )
