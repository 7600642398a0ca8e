"""What a training comes to: the pair scored on val, its cards and pictures, and whether it goes into use."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from pipeline.calibration import (
    apply_temperature,
    choose_sure,
    expected_calibration_error,
    fit_temperature,
    log_loss,
)
from pipeline.config import Config
from pipeline.console import counting
from pipeline.dataset import DataSet, digest
from pipeline.evaluate import judge
from pipeline.figures import draw_confusion, draw_curves, draw_examples
from pipeline.finder import Cropper
from pipeline.labels import Annotation
from pipeline.reliability import tabulate
from pipeline.results import Prediction
from pipeline.scores import THRESHOLDS, JudgedPhoto, Scores, choose_confidence, score
from pipeline.sorter import Sorter
from pipeline.weights import Card, has_pair, install_pair, installed_versions, portable_path, read_cards, write_card
from pipeline.yolo import Epoch


@dataclass(frozen=True, slots=True)
class NewPair:
    """A pair that was just trained.

    Args:
        folder: its weights.
        config: what it was trained with.
        dataset: what it was trained on.
        detector: the detector's architecture; None where none was trained.
        classifier: the classifier's architecture; those of all members, joined, where it has several.
        cropper: the detector from before that crops sorted photos, where data.yaml names one.
        device: ``cpu``, ``mps`` or the number of a GPU.
        console: told of the progress.
    """

    folder: Path
    config: Config
    dataset: DataSet
    detector: str | None
    classifier: str
    cropper: Cropper | None
    device: str
    console: Console


@dataclass(frozen=True, slots=True)
class Calibration:
    """What val says of the classifier's probabilities.

    Args:
        temperature: what its log probabilities are divided by.
        sure_from: probability from which a prediction is sure, 0 to 1.
        metrics: log loss and expected calibration error on val, with and without the temperature.
    """

    temperature: float = 1.0
    sure_from: float = 0.0
    metrics: dict[str, float] = field(default_factory=dict)

    def apply(self, prediction: Prediction) -> Prediction:
        """What the classifier would have said with this calibration, having said ``prediction`` without any."""
        table = apply_temperature(np.array([*prediction.probabilities.values()]), self.temperature)
        probabilities = dict(zip(prediction.probabilities, table.tolist(), strict=True))
        return Prediction(prediction.detection, probabilities, sure=max(probabilities.values()) >= self.sure_from)


def score_on_val(pair: NewPair) -> tuple[list[JudgedPhoto], Scores]:
    """Choose the detector's threshold on val, calibrate the classifier, and score there; the cards say all of it."""
    _write_cards(pair, confidence=THRESHOLDS[0], metrics={}, calibration=Calibration())
    judged = _judge(pair, pair.folder, "scoring on val", pair.dataset.val)
    scores = score(judged, confidence=_choose_threshold(pair, judged), labelled=pair.detector is not None)
    calibration = calibrate(judged, pair.dataset.class_names, precision=pair.config.classifier.sure_precision)
    _write_cards(pair, confidence=scores.confidence, metrics=scores.as_dict(), calibration=calibration)
    return [_calibrated(photo, calibration) for photo in judged], scores


def calibrate(judged: list[JudgedPhoto], class_names: tuple[str, ...], *, precision: float) -> Calibration:
    """Fit the temperature to the crops of labelled boxes, and choose what is sure.

    Args:
        judged: photos that were not learnt from, judged without a temperature.
        class_names: all classes.
        precision: part of the sure predictions that shall be right, 0 to 1.

    Returns:
        Where there are no labelled boxes, probabilities as they are, all of them unsure.
    """
    before, targets = tabulate(judged, class_names)
    if not len(targets):
        return Calibration(sure_from=1.0)
    temperature = round(fit_temperature(before, targets), 4)
    after = apply_temperature(before, temperature)
    metrics = {
        "log_loss": log_loss(after, targets),
        "ece": expected_calibration_error(after, targets),
        "log_loss_uncalibrated": log_loss(before, targets),
        "ece_uncalibrated": expected_calibration_error(before, targets),
    }
    sure_from = choose_sure(after, targets, precision)
    rounded = {name: round(value, 4) for name, value in metrics.items()}
    return Calibration(temperature, min(1.0, math.ceil(sure_from * 1e6) / 1e6), rounded)  # up: none gets sure by it


def draw_outcome(
    pair: NewPair,
    folder: Path,
    epochs: tuple[list[Epoch], list[Epoch]],
    judged: list[JudgedPhoto],
    scores: Scores,
) -> None:
    """Draw curves, confusion and examples into the training's folder.

    Raises:
        OutputError: it cannot be written there.
    """
    names = pair.dataset.class_names
    draw_curves(folder / "curves.png", *epochs)
    draw_confusion(folder / "confusion.png", judged, names)
    draw_examples(folder / "examples.jpg", pair.dataset.val, judged, names, scores.confidence)


def install_if_better(pair: NewPair, weights: Path, scores: Scores) -> bool:
    """Put the new pair into use unless the old one does at least as well on the same val photos.

    Returns:
        Whether it is in use now.
    """
    if has_pair(weights):
        cards = read_cards(weights)
        if cards.classifier.class_names == pair.dataset.class_names:
            threshold = 0.0 if cards.detector is None else cards.detector.confidence or 0.0
            old = score(_judge(pair, weights, "scoring the pair in use", pair.dataset.val), confidence=threshold)
            if _rank(old) >= _rank(scores):
                pair.console.print(
                    f"the pair in use stays: F1 {old.f1:.3f} on val against {scores.f1:.3f} of the new one"
                )
                return False
            pair.console.print(f"the new pair is better: F1 {scores.f1:.3f} on val against {old.f1:.3f}")
        else:
            pair.console.print("the pair in use was for other classes and makes way")
    install_pair(pair.folder, weights)
    return True


def _choose_threshold(pair: NewPair, judged: list[JudgedPhoto]) -> float:
    """On val; a detector that was not trained here keeps its own."""
    card = None if pair.cropper is None else pair.cropper.card
    return choose_confidence(judged) if card is None or card.confidence is None else card.confidence


def _judge(pair: NewPair, weights: Path, what: str, annotations: tuple[Annotation, ...]) -> list[JudgedPhoto]:
    with counting(pair.console, what, len(annotations)) as advance:
        return judge(Sorter(weights, device=pair.device), annotations, on_photo=advance)


def _calibrated(photo: JudgedPhoto, calibration: Calibration) -> JudgedPhoto:
    predictions, on_truth = (tuple(map(calibration.apply, given)) for given in (photo.predictions, photo.on_truth))
    return replace(photo, predictions=predictions, on_truth=on_truth)


def _write_cards(pair: NewPair, *, confidence: float, metrics: dict[str, float], calibration: Calibration) -> None:
    common = _common_card(pair, metrics)
    settings, second = pair.config.detector, pair.config.classifier
    own = replace(common, stage="detector", confidence=confidence, settings=settings.model_dump(mode="json"))
    if pair.detector is not None:
        write_card(pair.folder, replace(own, model_name=pair.detector, imgsz=settings.imgsz, iou=settings.iou))
    elif pair.cropper is not None:
        card = pair.cropper.card
        own = replace(own, confidence=card.confidence, iou=card.iou, settings=card.settings)
        write_card(pair.folder, replace(own, model_name=card.model_name, imgsz=card.imgsz))
    whole = pair.detector is None and pair.cropper is None
    own = replace(common, stage="classifier", imgsz=second.imgsz, margin=second.margin, whole_photo=whole)
    own = replace(
        own,
        temperature=calibration.temperature,
        sure_from=calibration.sure_from,
        test_flips=second.test_flips,
        settings=second.model_dump(mode="json"),
        metrics=metrics | calibration.metrics,
    )
    write_card(pair.folder, replace(own, model_name=pair.classifier))


def _common_card(pair: NewPair, metrics: dict[str, float]) -> Card:
    return Card(
        stage="",
        model_name="",
        class_names=pair.dataset.class_names,
        imgsz=0,
        seed=pair.config.seed,
        data=digest(pair.dataset.train),
        val=digest(pair.dataset.val),
        data_file=portable_path(pair.dataset.file),
        metrics=metrics,
        versions=installed_versions(),
    )


def _rank(scores: Scores) -> tuple[float, float, float]:
    """F1 of the chain first; where it is the same, the surer stages."""
    return scores.f1, scores.top1_true, scores.map50_95
