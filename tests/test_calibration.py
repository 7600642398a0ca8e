"""Probabilities come closer to how often they are right, and no further from it where val cannot tell."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn import metrics

from pipeline.calibration import (
    apply_temperature,
    choose_sure,
    expected_calibration_error,
    fit_temperature,
    log_loss,
)

Drawn = tuple[NDArray[np.float64], NDArray[np.int64]]


def draw(count: int, *, sharpness: float, classes: int = 5, seed: int = 0) -> Drawn:
    """What a classifier says whose logits are ``sharpness`` times what they should be."""
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, classes, count)
    logits = rng.normal(0, 1, (count, classes))
    logits[np.arange(count), targets] += 2
    powers = np.exp(2 * sharpness * logits)  # 2 * logits are right: they differ by 2 where the noise has variance 1
    return powers / powers.sum(1, keepdims=True), targets


def table(confidences: list[float], right: list[bool]) -> Drawn:
    """Two classes, of which the first is always the more probable."""
    first = np.array(confidences, float)
    return np.stack([first, 1 - first], axis=1), np.where(right, 0, 1).astype(np.int64)


def test_temperature_of_one_changes_nothing() -> None:
    probabilities, _ = draw(20, sharpness=1)
    assert apply_temperature(probabilities, 1) == pytest.approx(probabilities, abs=1e-9)


def test_temperature_is_what_logits_are_divided_by() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (20, 4))
    powers, wanted = np.exp(logits), np.exp(logits / 2.5)
    calibrated = apply_temperature(powers / powers.sum(1, keepdims=True), 2.5)
    assert calibrated == pytest.approx(wanted / wanted.sum(1, keepdims=True), abs=1e-9)


@settings(max_examples=40)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=6).filter(lambda row: sum(row) > 0.1), st.floats(0.05, 20))
def test_whatever_the_temperature_probabilities_stay_probabilities(row: list[float], temperature: float) -> None:
    probabilities = np.array([row]) / sum(row)
    (calibrated,) = apply_temperature(probabilities, temperature)
    assert sum(calibrated) == pytest.approx(1)
    assert 0 < min(calibrated) <= max(calibrated) < 1
    assert calibrated[probabilities[0].argmax()] == pytest.approx(max(calibrated))


def test_one_row_alone_is_calibrated_as_among_others() -> None:
    probabilities, _ = draw(5, sharpness=2)
    assert apply_temperature(probabilities[3], 1.7) == pytest.approx(apply_temperature(probabilities, 1.7)[3])


def test_log_loss_is_what_others_compute() -> None:
    probabilities, targets = draw(200, sharpness=3)
    assert log_loss(probabilities, targets) == pytest.approx(metrics.log_loss(targets, probabilities))


def test_class_given_no_chance_at_all_costs_a_finite_loss() -> None:
    assert log_loss(np.array([[1.0, 0.0]]), np.array([1])) == pytest.approx(-np.log(1e-12))


def test_calibration_error_of_a_table_made_by_hand() -> None:
    probabilities, targets = table([0.9] * 4 + [0.6] * 6, [True, True, True, False] + [True] * 3 + [False] * 3)
    wanted = 0.4 * abs(0.75 - 0.9) + 0.6 * abs(0.5 - 0.6)
    assert expected_calibration_error(probabilities, targets, bins=10) == pytest.approx(wanted)
    assert expected_calibration_error(probabilities, targets, bins=1) == pytest.approx(abs(0.6 - 0.72))


def test_confidences_of_zero_and_one_have_bins_too() -> None:
    probabilities, targets = table([1.0, 1.0, 0.0], [True, False, False])
    assert expected_calibration_error(probabilities, targets) == pytest.approx(2 / 3 * 0.5)


def test_nothing_has_no_loss_and_no_error_and_needs_no_temperature() -> None:
    nothing, none = np.zeros((0, 3)), np.zeros(0, np.int64)
    assert log_loss(nothing, none) == expected_calibration_error(nothing, none) == 0
    assert fit_temperature(nothing, none) == 1
    assert choose_sure(nothing, none, 0.9) == 1


@pytest.mark.parametrize(("sharpness", "low", "high"), [(3, 2.4, 3.3), (0.5, 0.45**0.5, 0.65**0.5), (1, 1, 1)])
def test_temperature_undoes_what_is_too_sure_and_half_of_the_contrary(
    sharpness: float, low: float, high: float
) -> None:
    assert low <= fit_temperature(*draw(300, sharpness=sharpness)) <= high


@pytest.mark.parametrize("crops", [1, 2, 5, 20, 40, 100])
@pytest.mark.parametrize("confidence", [0.7, 0.9, 0.99, 1.0])
def test_crops_that_are_all_right_make_it_no_surer_than_so_many_can(crops: int, confidence: float) -> None:
    probabilities, targets = table([confidence] * crops, [True] * crops)
    after = apply_temperature(probabilities, fit_temperature(probabilities, targets))[0, 0]
    assert confidence - 1e-9 <= after <= max(confidence, crops / (crops + 2))


def test_one_class_alone_needs_no_temperature() -> None:
    assert fit_temperature(np.ones((5, 1)), np.zeros(5, np.int64)) == 1


def test_log_loss_of_other_crops_gets_better_on_average_and_hardly_ever_worse() -> None:
    changes = []
    for sharpness, count, seed in itertools.product((0.5, 0.7, 1, 1.4, 2.5), (20, 50, 150), range(4)):
        temperature = fit_temperature(*draw(count, sharpness=sharpness, seed=seed))
        probabilities, targets = draw(1000, sharpness=sharpness, seed=seed + 100)
        after = apply_temperature(probabilities, temperature)
        changes.append(log_loss(after, targets) - log_loss(probabilities, targets))
    assert np.mean(changes) < -0.02
    assert np.mean(np.array(changes) > 1e-6) < 0.03
    assert max(changes) < 0.03


def test_sure_is_what_lies_above_the_mistakes() -> None:
    right = [True] * 40 + [False, True] * 10
    confidences = [0.99] * 20 + [0.9] * 20 + [0.6] * 20
    assert choose_sure(*table(confidences, right), 0.95) == 0.9


def test_nothing_is_unsure_where_all_is_right_often_enough() -> None:
    assert choose_sure(*table([0.5 + index / 100 for index in range(30)], [True] * 30), 0.95) == 0


@pytest.mark.parametrize(("crops", "sure_from"), [(18, 1), (19, 0)])
def test_fewer_than_nineteen_crops_say_too_little_for_19_of_20(crops: int, sure_from: float) -> None:
    assert choose_sure(*table([0.9] * crops, [True] * crops), 0.95) == sure_from


def test_everything_is_unsure_where_the_surest_are_wrong() -> None:
    assert choose_sure(*table([0.99] * 5 + [0.8] * 20, [False] * 5 + [True] * 20), 0.95) == 1


def test_crops_of_one_confidence_are_sure_together_or_not_at_all() -> None:
    confidences, right = [0.9] * 30 + [0.8] * 20, [True] * 30 + [True] * 10 + [False] * 10
    assert choose_sure(*table(confidences, right), 0.95) == 0.9
    assert choose_sure(*table(confidences[::-1], right[::-1]), 0.95) == 0.9


@pytest.mark.parametrize("precision", [0.8, 0.9, 0.95])
def test_what_is_sure_on_val_is_right_as_often_elsewhere(precision: float) -> None:
    sure_from = choose_sure(*draw(400, sharpness=1), precision)
    probabilities, targets = draw(20_000, sharpness=1, seed=1)
    sure = probabilities.max(1) >= sure_from
    assert 0.1 < sure.mean() < 1
    assert (probabilities.argmax(1) == targets)[sure].mean() >= precision - 0.01
