"""``make train``: from data.yaml to a trained pair, its figures and its pictures."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline import yolo
from pipeline.classifier import ClassifierJob, train_classifier
from pipeline.config import Config, read_config
from pipeline.console import TrainingLog, counting
from pipeline.dataset import DataSet, digest, load_dataset
from pipeline.detector import DEFAULT_MODEL, train_detector
from pipeline.device import pick_device
from pipeline.evaluate import THRESHOLDS, JudgedPhoto, Scores, choose_confidence, judge, score
from pipeline.figures import draw_confusion, draw_curves, draw_examples
from pipeline.files import write_text
from pipeline.labels import Annotation
from pipeline.prepare import Prepared, prepare
from pipeline.sorter import Sorter
from pipeline.starts import Start, read_start
from pipeline.weights import (
    Card,
    check_owner,
    default_weights,
    has_pair,
    install_pair,
    installed_versions,
    portable_path,
    read_cards,
    weights_file,
    write_card,
)

DEFAULT_CLASSIFIER = "yolo11n-cls"


@dataclass(frozen=True, slots=True)
class Training:
    """What a training made.

    Args:
        run: folder with checkpoints, figures and pictures.
        weights: folder with the pair in use.
        scores: of the new pair on val.
        replaced: whether the new pair is now the one in use.
    """

    run: Path
    weights: Path
    scores: Scores
    replaced: bool


@dataclass(frozen=True, slots=True)
class _Room:
    """What every step of a training needs."""

    config: Config
    dataset: DataSet
    run: Path
    device: str
    console: Console

    @property
    def pair(self) -> Path:
        return self.run / "weights"


def train(data_file: Path, console: Console) -> Training:
    """Train both stages; the pair in use is replaced only by one that is better on the same val photos.

    Args:
        data_file: the data.yaml.
        console: told of the progress.

    Raises:
        CropsortError: data.yaml, photos, labels or weights cannot be worked with, or nothing can be written.
        ExceptionGroup: of ``CropsortError``, where there is more than one reason.
    """
    config = read_config(data_file)
    dataset = load_dataset(data_file, config)
    weights = default_weights(data_file)
    check_owner(weights, data_file)
    device = pick_device(config.device)
    starts = _read_starts(config)
    room = _Room(config, dataset, _next_run(Path("runs") / dataset.name), device, console)
    _introduce(room, starts)
    with counting(console, "preparing photos", len(dataset.train) + len(dataset.val)) as advance:
        prepared = prepare(dataset, config, room.run / "prepared", on_photo=advance)
    _say(console, prepared.notes)
    logs = _train_stages(room, prepared, starts)
    shutil.rmtree(room.run / "prepared", ignore_errors=True)
    judged, scores = _score_on_val(room, starts)
    _draw(room, logs, judged, scores)
    replaced = _install_if_better(room, weights, scores)
    return Training(room.run, weights, scores, replaced)


def _read_starts(config: Config) -> tuple[Start, Start]:
    detector, classifier = config.detector, config.classifier
    return (
        read_start(detector.start, task=yolo.DETECT, model_name=detector.model, default_model=DEFAULT_MODEL),
        read_start(classifier.start, task=yolo.CLASSIFY, model_name=classifier.model, default_model=DEFAULT_CLASSIFIER),
    )


def _next_run(folder: Path) -> Path:
    taken = [int(path.name) for path in folder.glob("*") if path.name.isdigit()]
    return folder / str(max(taken, default=0) + 1)


def _introduce(room: _Room, starts: tuple[Start, Start]) -> None:
    dataset, console = room.dataset, room.console
    parts = {"train": dataset.train, "val": dataset.val, "test": dataset.test}
    sizes = ", ".join(f"{len(photos)} {part}" for part, photos in parts.items() if photos)
    boxes = sum(len(annotation.subjects) for annotation in dataset.train)
    console.print(f"data set {dataset.name}: {sizes} photos, {len(dataset.class_names)} classes")
    console.print(f"{boxes} boxes to learn from, on {_device_words(room.device)}")
    _say(console, dataset.notes)
    for stage, start in zip(("detector", "classifier"), starts, strict=True):
        console.print(f"{stage} starts as {start.told}")


def _device_words(device: str) -> str:
    return f"GPU {device}" if device.isdigit() else {"cpu": "the CPU", "mps": "the Mac's GPU"}[device]


def _train_stages(room: _Room, prepared: Prepared, starts: tuple[Start, Start]) -> tuple[TrainingLog, TrainingLog]:
    with TrainingLog(room.console, "detector") as detector_log:
        folder = room.run / "detector"
        best = train_detector(starts[0], prepared, room.config, folder, device=room.device, log=detector_log)
    room.pair.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(best, weights_file(room.pair, "detector"))
    with TrainingLog(room.console, "classifier") as classifier_log:
        job = ClassifierJob(
            model_name=starts[1].model_name,
            tensors=starts[1].tensors,
            class_names=room.dataset.class_names,
            train=prepared.train,
            val=prepared.val,
            settings=room.config.classifier,
            folder=room.run / "classifier",
            seed=room.config.seed,
            device=room.device,
            on_step=classifier_log.on_step,
            on_epoch=classifier_log.on_epoch,
        )
        train_classifier(job, weights_file(room.pair, "classifier"))
    return detector_log, classifier_log


def _score_on_val(room: _Room, starts: tuple[Start, Start]) -> tuple[list[JudgedPhoto], Scores]:
    """Choose the detector's threshold on val, and score there; the cards say both."""
    _write_cards(room, starts, confidence=THRESHOLDS[0], metrics={})
    judged = _judge(room, room.pair, "scoring on val", room.dataset.val)
    scores = score(judged, confidence=choose_confidence(judged))
    _write_cards(room, starts, confidence=scores.confidence, metrics=scores.as_dict())
    return judged, scores


def _judge(room: _Room, weights: Path, what: str, annotations: tuple[Annotation, ...]) -> list[JudgedPhoto]:
    with counting(room.console, what, len(annotations)) as advance:
        return judge(Sorter(weights, device=room.config.device), annotations, on_photo=advance)


def _write_cards(room: _Room, starts: tuple[Start, Start], *, confidence: float, metrics: dict[str, float]) -> None:
    detector, classifier = room.config.detector, room.config.classifier
    card = _common_card(room, metrics)
    first, second = (start.model_name for start in starts)
    own = replace(
        card, stage="detector", model_name=first, imgsz=detector.imgsz, confidence=confidence, iou=detector.iou
    )
    write_card(room.pair, own)
    own = replace(card, stage="classifier", model_name=second, imgsz=classifier.imgsz, margin=classifier.margin)
    write_card(room.pair, own)


def _common_card(room: _Room, metrics: dict[str, float]) -> Card:
    return Card(
        stage="",
        model_name="",
        class_names=room.dataset.class_names,
        imgsz=0,
        seed=room.config.seed,
        data=digest(room.dataset.train),
        val=digest(room.dataset.val),
        data_file=portable_path(room.dataset.file),
        metrics=metrics,
        versions=installed_versions(),
    )


def _draw(room: _Room, logs: tuple[TrainingLog, TrainingLog], judged: list[JudgedPhoto], scores: Scores) -> None:
    names = room.dataset.class_names
    draw_curves(room.run / "curves.png", logs[0].epochs, logs[1].epochs)
    draw_confusion(room.run / "confusion.png", judged, names)
    draw_examples(room.run / "examples.jpg", room.dataset.val, judged, names, scores.confidence)
    write_text(room.run / "scores.json", json.dumps(scores.as_dict(), indent=2) + "\n")


def _install_if_better(room: _Room, weights: Path, scores: Scores) -> bool:
    """Put the new pair into use unless the old one does at least as well on the same val photos."""
    if has_pair(weights):
        card = read_cards(weights).detector
        if card.class_names == room.dataset.class_names:
            old = score(
                _judge(room, weights, "scoring the pair in use", room.dataset.val), confidence=card.confidence or 0.0
            )
            if _rank(old) >= _rank(scores):
                room.console.print(
                    f"the pair in use stays: F1 {old.f1:.3f} on val against {scores.f1:.3f} of the new one"
                )
                return False
            room.console.print(f"the new pair is better: F1 {scores.f1:.3f} on val against {old.f1:.3f}")
        else:
            room.console.print("the pair in use was for other classes and makes way")
    install_pair(room.pair, weights)
    return True


def _rank(scores: Scores) -> tuple[float, float, float]:
    """F1 of the chain first; where it is the same, the surer stages."""
    return scores.f1, scores.top1_true, scores.map50_95


def _say(console: Console, notes: tuple[str, ...]) -> None:
    for note in notes:
        console.print(f"note: {note}")
