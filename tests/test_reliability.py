"""How far probabilities can be believed, counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.boxes import Box
from pipeline.calibration import apply_temperature
from pipeline.labels import Subject
from pipeline.reliability import Bin, Sureness, count_sure, count_sure_detections, measure, measure_before, tabulate
from pipeline.results import Detection, Prediction
from pipeline.scores import JudgedPhoto

HERE, THERE = Box(0, 0, 100, 100), Box(200, 0, 300, 100)
NAMES = ("a", "b")


def predict(box: Box, a: float, *, sure: bool = True, confidence: float = 0.9) -> Prediction:
    return Prediction(Detection(box, confidence), {"b": 1 - a, "a": a}, sure)


PHOTO = JudgedPhoto(
    (Subject(HERE, "a"), Subject(THERE, "b")),
    (),
    (predict(HERE, 0.9), predict(THERE, 0.7, sure=False), predict(Box(500, 0, 600, 50), 0.8)),
    (predict(HERE, 0.75), predict(THERE, 0.6, sure=False)),
)


def test_probabilities_are_in_the_order_of_the_classes() -> None:
    probabilities, targets = tabulate([PHOTO, JudgedPhoto((), (), (), ())], NAMES)
    assert probabilities.tolist() == [[0.75, 0.25], [0.6, 0.4]]
    assert targets.tolist() == [0, 1]
    assert tabulate([], NAMES)[0].shape == (0, 2)


def test_reliability_is_worked_out_by_hand() -> None:
    found = measure(*tabulate([PHOTO], NAMES))
    assert found.log_loss == pytest.approx(-(np.log(0.75) + np.log(0.4)) / 2)
    assert found.error == pytest.approx((0.25 + 0.6) / 2)
    assert found.bins == (Bin(1, 0.6, 0.0), Bin(1, 0.75, 1.0))


def test_bins_explain_the_calibration_error() -> None:
    """The picture and the figure are of the same bins."""
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet([0.5, 0.5, 0.5], 400)
    found = measure(probabilities, rng.integers(0, 3, 400))
    by_hand = sum(one.count * abs(one.accuracy - one.confidence) for one in found.bins) / 400
    assert sum(one.count for one in found.bins) == 400
    assert found.error == pytest.approx(by_hand)


def test_what_was_before_calibration_is_found_again() -> None:
    probabilities, targets = tabulate([PHOTO], NAMES)
    before = measure_before(apply_temperature(probabilities, 1.7), targets, 1.7)
    assert before is not None
    assert before.log_loss == pytest.approx(measure(probabilities, targets).log_loss)
    assert measure_before(probabilities, targets, 1.0) is None


def test_sure_ones_are_counted_and_of_them_the_right_ones() -> None:
    assert count_sure([PHOTO]) == Sureness(predictions=2, unsure=1, right=1)
    assert count_sure_detections([PHOTO], 0.5) == Sureness(predictions=3, unsure=1, right=1)
    assert (Sureness(2, 1, 1).share, Sureness(2, 1, 1).precision) == (0.5, 1)


def test_nothing_sure_has_no_precision() -> None:
    assert (Sureness(2, 2, 0).precision, Sureness(0, 0, 0).share) == (None, 0)
    assert Sureness(2, 2, 0).as_dict() == {"predictions": 2, "unsure": 1.0, "precision_of_sure": None}
