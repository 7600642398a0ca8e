"""What a training comes to: the pair scored on val, its cards and pictures, and whether it goes into use."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from rich.console import Console

from pipeline.apart import is_out_of_memory
from pipeline.augmenting import decides_on_mirrored
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
from pipeline.errors import ConfigError, WeightsError
from pipeline.evaluate import judge
from pipeline.figures import draw_confusion, draw_curves, draw_examples
from pipeline.finder import Cropper
from pipeline.reliability import tabulate
from pipeline.results import Prediction
from pipeline.scores import THRESHOLDS, JudgedPhoto, Scores, choose_confidence, score
from pipeline.settings import ClassifierSettings, DetectorSettings
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
    judged = _judge(pair, Sorter(pair.folder, device=pair.device), "scoring on val")
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
    rounded = {name: round(value, 4) for name, value in metrics.items()}
    return Calibration(temperature, choose_sure(after, targets, precision), rounded)


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
    if has_pair(weights) and not _makes_way(pair, weights, scores):
        return False
    install_pair(pair.folder, weights)
    return True


def _makes_way(pair: NewPair, weights: Path, scores: Scores) -> bool:
    """Whether the pair in use does; says why."""
    if read_cards(weights).classifier.class_names != pair.dataset.class_names:
        pair.console.print("the pair in use was for other classes and makes way")
        return True
    try:
        sorter = Sorter(weights, device=pair.device)
    except (ConfigError, WeightsError) as error:  # damaged, or of a network that this version of timm has no more
        if error.__cause__ is not None and is_out_of_memory(error.__cause__):
            raise
        pair.console.print(f"the pair in use cannot be used ({error.found}) and makes way")
        return True
    old = score(_judge(pair, sorter, "scoring the pair in use"), confidence=sorter.confidence)
    if _rank(old) >= _rank(scores):
        pair.console.print(f"the pair in use stays: F1 {old.f1:.3f} on val against {scores.f1:.3f} of the new one")
        return False
    pair.console.print(f"the new pair is better: F1 {scores.f1:.3f} on val against {old.f1:.3f}")
    return True


def _choose_threshold(pair: NewPair, judged: list[JudgedPhoto]) -> float:
    """On val; a detector that was not trained here keeps its own."""
    card = None if pair.cropper is None else pair.cropper.card
    return choose_confidence(judged) if card is None or card.confidence is None else card.confidence


def _judge(pair: NewPair, sorter: Sorter, what: str) -> list[JudgedPhoto]:
    with counting(pair.console, what, len(pair.dataset.val)) as advance:
        return judge(sorter, pair.dataset.val, on_photo=advance)


def _calibrated(photo: JudgedPhoto, calibration: Calibration) -> JudgedPhoto:
    predictions, on_truth = (tuple(map(calibration.apply, given)) for given in (photo.predictions, photo.on_truth))
    return replace(photo, predictions=predictions, on_truth=on_truth)


def _write_cards(pair: NewPair, *, confidence: float, metrics: dict[str, float], calibration: Calibration) -> None:
    first, second = pair.config.detector, pair.config.classifier
    if pair.detector is not None:
        common = _make_card(pair, "detector", pair.detector, first, metrics)
        write_card(pair.folder, replace(common, confidence=confidence, iou=first.iou))
    elif pair.cropper is not None:  # what it was trained on and how it scored is as it was
        write_card(pair.folder, replace(pair.cropper.card, class_names=pair.dataset.class_names))
    common = _make_card(pair, "classifier", pair.classifier, second, metrics | calibration.metrics)
    own = replace(
        common,
        margin=second.margin,
        temperature=calibration.temperature,
        sure_from=calibration.sure_from,
        test_flips=decides_on_mirrored(second),
        whole_photo=pair.detector is None and pair.cropper is None,
        corrected=digest(pair.dataset.corrected) if pair.dataset.corrected else None,
    )
    write_card(pair.folder, own)


def _make_card(
    pair: NewPair,
    stage: str,
    model_name: str,
    settings: DetectorSettings | ClassifierSettings,
    metrics: dict[str, float],
) -> Card:
    """What the cards of both stages say."""
    return Card(
        stage=stage,
        model_name=model_name,
        class_names=pair.dataset.class_names,
        imgsz=settings.imgsz,
        seed=pair.config.seed,
        data=digest(pair.dataset.train),
        val=digest(pair.dataset.val),
        data_file=portable_path(pair.dataset.file),
        metrics=metrics,
        settings=settings.model_dump(mode="json"),
        versions=installed_versions(),
    )


def _rank(scores: Scores) -> tuple[float, float, float]:
    """F1 of the chain first; where it is the same, the surer stages."""
    return scores.f1, scores.top1_true, scores.map50_95
