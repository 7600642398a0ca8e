"""What val says of a classifier's probabilities."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from pipeline import evaluate
from pipeline.boxes import Box
from pipeline.calibration import expected_calibration_error, log_loss
from pipeline.config import read_config
from pipeline.dataset import load_dataset
from pipeline.labels import Subject
from pipeline.outcome import Calibration, calibrate
from pipeline.reliability import tabulate
from pipeline.results import Detection, Prediction
from pipeline.scores import JudgedPhoto
from pipeline.sorter import Sorter
from pipeline.training import Training
from pipeline.weights import read_cards

NAMES = ("고양이", "dog", "magpie")
BOX = Box(0, 0, 10, 10)


def judge(count: int, *, sharpness: float) -> list[JudgedPhoto]:
    """Photos with a subject each, by a classifier whose logits are ``sharpness`` times what they should be."""
    rng = np.random.default_rng(0)
    judged = []
    for _ in range(count):
        logits = rng.normal(0, 1, len(NAMES))
        target = int(rng.integers(len(NAMES)))
        logits[target] += 2
        powers = np.exp(2 * sharpness * logits)
        row = dict(zip(NAMES, (powers / powers.sum()).tolist(), strict=True))
        given = (Prediction(Detection(BOX, 1.0), row),)
        judged.append(JudgedPhoto((Subject(BOX, NAMES[target]),), (Detection(BOX, 1.0),), given, given))
    return judged


def test_too_sure_a_classifier_is_told_from_its_val_crops() -> None:
    calibration = calibrate(judge(150, sharpness=3), NAMES, precision=0.95)
    assert 2 < calibration.temperature < 4
    assert 0.5 < calibration.sure_from < 1
    metrics = calibration.metrics
    assert metrics["log_loss"] < metrics["log_loss_uncalibrated"] - 0.1
    assert metrics["ece"] < metrics["ece_uncalibrated"]


def test_without_labelled_boxes_nothing_is_calibrated_and_nothing_sure() -> None:
    nothing = JudgedPhoto((), (Detection(BOX, 1.0),), (), ())
    for judged in ([], [nothing, nothing]):
        assert calibrate(judged, NAMES, precision=0.95) == Calibration(1.0, 1.0, {})


def test_classifier_that_knows_nothing_is_sure_of_nothing() -> None:
    calibration = calibrate(judge(60, sharpness=0.0), NAMES, precision=0.95)
    assert calibration.sure_from == 1
    assert not calibration.apply(judge(1, sharpness=0)[0].on_truth[0]).sure


def test_very_sure_and_right_predictions_stay_sure() -> None:
    """The threshold may lie closer to 1 than a few digits tell."""
    sure = Prediction(Detection(BOX, 1.0), dict(zip(NAMES, (1 - 2e-8, 1e-8, 1e-8), strict=True)))
    torn = Prediction(Detection(BOX, 1.0), dict(zip(NAMES, (0.4, 0.3, 0.3), strict=True)))
    given = [(sure, NAMES[0])] * 60 + [(torn, NAMES[1])] * 30 + [(torn, NAMES[0])] * 10
    judged = [JudgedPhoto((Subject(BOX, name),), (), (), (one,)) for one, name in given]
    calibration = calibrate(judged, NAMES, precision=0.95)
    assert calibration.apply(sure).sure
    assert not calibration.apply(torn).sure


def test_calibration_fits_into_a_card() -> None:
    calibration = calibrate(judge(40, sharpness=2), NAMES, precision=0.9)
    for value in (calibration.temperature, calibration.sure_from, *calibration.metrics.values()):
        assert json.loads(json.dumps(value)) == value


def test_applying_changes_probabilities_but_neither_class_nor_place() -> None:
    before = judge(1, sharpness=1)[0].on_truth[0]
    after = Calibration(2.0, 0.99).apply(before)
    assert (after.class_name, after.detection) == (before.class_name, before.detection)
    assert after.confidence < before.confidence
    assert sum(after.probabilities.values()) == pytest.approx(1)
    assert not after.sure
    assert Calibration(2.0, after.confidence).apply(before).sure


def test_figures_of_the_card_are_those_of_the_pair_at_work(trained: Training, home: Path) -> None:
    data_file = home / "data.yaml"
    val = load_dataset(data_file, read_config(data_file)).val
    judged = evaluate.judge(Sorter(trained.weights, device="cpu"), val, on_photo=lambda: None)
    card = read_cards(trained.weights).classifier
    probabilities, targets = tabulate(judged, card.class_names)
    assert len(targets) > 2
    assert log_loss(probabilities, targets) == pytest.approx(card.metrics["log_loss"], abs=1e-3)
    assert expected_calibration_error(probabilities, targets) == pytest.approx(card.metrics["ece"], abs=1e-3)
    assert all(one.sure is (one.confidence >= card.sure_from) for photo in judged for one in photo.on_truth)
