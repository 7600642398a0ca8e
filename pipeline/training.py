"""``make train``: from data.yaml to a trained pair, its figures and its pictures."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from rich.console import Console

from pipeline import yolo
from pipeline.check import check_before_training
from pipeline.classifier import ClassifierJob, train_classifier
from pipeline.config import Config, read_config
from pipeline.console import TrainingLog, counting
from pipeline.dataset import DataSet, digest
from pipeline.detector import DEFAULT_MODEL, train_detector
from pipeline.device import pick_device
from pipeline.evaluate import THRESHOLDS, JudgedPhoto, Scores, choose_confidence, judge, score
from pipeline.figures import draw_confusion, draw_curves, draw_examples
from pipeline.files import write_text
from pipeline.finder import Cropper, DetectorFinder, locate_subjects, read_cropper
from pipeline.labels import Annotation
from pipeline.prepare import Prepared, prepare
from pipeline.sorter import Sorter
from pipeline.starts import Start, read_start
from pipeline.weights import (
    STAGES,
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
from pipeline.yolo import Epoch

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
    cropper: Cropper | None

    @property
    def pair(self) -> Path:
        return self.run / "weights"


class _Starts(NamedTuple):
    """What the stages start from; sorted photos train no detector."""

    detector: Start | None
    classifier: Start


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
    weights = default_weights(data_file)
    check_owner(weights, data_file)
    dataset = check_before_training(data_file, config, console)
    device = pick_device(config.device)
    starts, cropper = _read_starts(config), read_cropper(config)
    room = _Room(config, dataset, _next_run(Path("runs") / dataset.name), device, console, cropper)
    _introduce(room, starts)
    room = _locate(room)
    with counting(console, "preparing photos", len(dataset.train) + len(dataset.val)) as advance:
        prepared = prepare(room.dataset, config, room.run / "prepared", on_photo=advance)
    _say(console, prepared.notes)
    epochs = _train_stages(room, prepared, starts)
    shutil.rmtree(room.run / "prepared", ignore_errors=True)
    judged, scores = _score_on_val(room, starts)
    _draw(room, epochs, judged, scores)
    replaced = _install_if_better(room, weights, scores)
    return Training(room.run, weights, scores, replaced)


def _read_starts(config: Config) -> _Starts:
    second = config.classifier
    classifier = read_start(second.start, task=yolo.CLASSIFY, model_name=second.model, default_model=DEFAULT_CLASSIFIER)
    if config.classes_from != "labels":
        return _Starts(None, classifier)
    first = config.detector
    detector = read_start(first.start, task=yolo.DETECT, model_name=first.model, default_model=DEFAULT_MODEL)
    return _Starts(detector, classifier)


def _next_run(folder: Path) -> Path:
    taken = [int(path.name) for path in folder.glob("*") if path.name.isdigit()]
    return folder / str(max(taken, default=0) + 1)


def _introduce(room: _Room, starts: _Starts) -> None:
    dataset, console = room.dataset, room.console
    parts = {"train": dataset.train, "val": dataset.val, "test": dataset.test}
    sizes = ", ".join(f"{len(photos)} {part}" for part, photos in parts.items() if photos)
    boxes = sum(len(annotation.subjects) for annotation in dataset.train)
    unit = "boxes" if room.config.classes_from == "labels" else "sorted photos"
    console.print(f"data set {dataset.name}: {sizes} photos, {len(dataset.class_names)} classes")
    console.print(f"{boxes} {unit} to learn from, on {_device_words(room.device)}")
    _say(console, dataset.notes)
    for stage, start in zip(STAGES, starts, strict=True):
        console.print(f"{stage} starts as {start.told}" if start else f"no {stage} is trained: {_crop_words(room)}")


def _crop_words(room: _Room) -> str:
    if room.cropper is not None:
        return f"{room.cropper.weights} crops the subject out"
    return "every photo is one subject, background and all (detector: weights: names a trained one to crop with)"


def _locate(room: _Room) -> _Room:
    """Have the trained detector draw the boxes, where data.yaml names one for photos that are sorted."""
    if room.cropper is None:
        return room
    finder = DetectorFinder(room.cropper.weights, room.cropper.card, device=room.device)
    dataset = room.dataset
    with counting(room.console, "finding the subjects", len(dataset.train) + len(dataset.val)) as advance:
        train, missed = locate_subjects(dataset.train, finder, on_photo=advance)
        val, missed_on_val = locate_subjects(dataset.val, finder, on_photo=advance)
    if missed + missed_on_val:
        room.console.print(f"note: nothing found in {missed + missed_on_val} photos: they are taken whole")
    return replace(room, dataset=replace(dataset, train=train, val=val))


def _device_words(device: str) -> str:
    return f"GPU {device}" if device.isdigit() else {"cpu": "the CPU", "mps": "the Mac's GPU"}[device]


def _train_stages(room: _Room, prepared: Prepared, starts: _Starts) -> tuple[list[Epoch], list[Epoch]]:
    """Train what there is to train; the epochs of each stage."""
    room.pair.mkdir(parents=True, exist_ok=True)
    detector_epochs: list[Epoch] = []
    if starts.detector is not None and prepared.detector is not None:
        with TrainingLog(room.console, "detector") as log:
            folder = room.run / "detector"
            best = train_detector(starts.detector, prepared.detector, room.config, folder, device=room.device, log=log)
        shutil.copyfile(best, weights_file(room.pair, "detector"))
        detector_epochs = log.epochs
    elif room.cropper is not None:
        shutil.copyfile(room.cropper.weights, weights_file(room.pair, "detector"))
    return detector_epochs, _train_classifier(room, prepared, starts.classifier)


def _train_classifier(room: _Room, prepared: Prepared, start: Start) -> list[Epoch]:
    with TrainingLog(room.console, "classifier") as log:
        job = ClassifierJob(
            model_name=start.model_name,
            tensors=start.tensors,
            class_names=room.dataset.class_names,
            train=prepared.train,
            val=prepared.val,
            settings=room.config.classifier,
            folder=room.run / "classifier",
            seed=room.config.seed,
            device=room.device,
            on_step=log.on_step,
            on_epoch=log.on_epoch,
        )
        train_classifier(job, weights_file(room.pair, "classifier"))
    return log.epochs


def _score_on_val(room: _Room, starts: _Starts) -> tuple[list[JudgedPhoto], Scores]:
    """Choose the detector's threshold on val, and score there; the cards say both."""
    _write_cards(room, starts, confidence=THRESHOLDS[0], metrics={})
    judged = _judge(room, room.pair, "scoring on val", room.dataset.val)
    scores = score(judged, confidence=_choose_threshold(room, judged), labelled=starts.detector is not None)
    _write_cards(room, starts, confidence=scores.confidence, metrics=scores.as_dict())
    return judged, scores


def _choose_threshold(room: _Room, judged: list[JudgedPhoto]) -> float:
    """On val; a detector that was not trained here keeps its own."""
    card = None if room.cropper is None else room.cropper.card
    return choose_confidence(judged) if card is None or card.confidence is None else card.confidence


def _judge(room: _Room, weights: Path, what: str, annotations: tuple[Annotation, ...]) -> list[JudgedPhoto]:
    with counting(room.console, what, len(annotations)) as advance:
        return judge(Sorter(weights, device=room.config.device), annotations, on_photo=advance)


def _write_cards(room: _Room, starts: _Starts, *, confidence: float, metrics: dict[str, float]) -> None:
    common = _common_card(room, metrics)
    settings, second = room.config.detector, room.config.classifier
    own = replace(common, stage="detector", confidence=confidence)
    if starts.detector is not None:
        name = starts.detector.model_name
        write_card(room.pair, replace(own, model_name=name, imgsz=settings.imgsz, iou=settings.iou))
    elif room.cropper is not None:
        card = room.cropper.card
        own = replace(own, confidence=card.confidence, iou=card.iou)
        write_card(room.pair, replace(own, model_name=card.model_name, imgsz=card.imgsz))
    whole = starts.detector is None and room.cropper is None
    own = replace(common, stage="classifier", imgsz=second.imgsz, margin=second.margin, whole_photo=whole)
    write_card(room.pair, replace(own, model_name=starts.classifier.model_name))


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


def _draw(room: _Room, epochs: tuple[list[Epoch], list[Epoch]], judged: list[JudgedPhoto], scores: Scores) -> None:
    names = room.dataset.class_names
    draw_curves(room.run / "curves.png", *epochs)
    draw_confusion(room.run / "confusion.png", judged, names)
    draw_examples(room.run / "examples.jpg", room.dataset.val, judged, names, scores.confidence)
    write_text(room.run / "scores.json", json.dumps(scores.as_dict(), indent=2) + "\n")


def _install_if_better(room: _Room, weights: Path, scores: Scores) -> bool:
    """Put the new pair into use unless the old one does at least as well on the same val photos."""
    if has_pair(weights):
        cards = read_cards(weights)
        if cards.classifier.class_names == room.dataset.class_names:
            threshold = 0.0 if cards.detector is None else cards.detector.confidence or 0.0
            old = score(_judge(room, weights, "scoring the pair in use", room.dataset.val), confidence=threshold)
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
