"""What a training comes to: the pair scored on val, its cards and pictures, and whether it goes into use."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.config import Config
from pipeline.console import counting
from pipeline.dataset import DataSet, digest
from pipeline.evaluate import THRESHOLDS, JudgedPhoto, Scores, choose_confidence, judge, score
from pipeline.figures import draw_confusion, draw_curves, draw_examples
from pipeline.finder import Cropper
from pipeline.labels import Annotation
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
        classifier: the classifier's architecture.
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


def score_on_val(pair: NewPair) -> tuple[list[JudgedPhoto], Scores]:
    """Choose the detector's threshold on val, and score there; the cards say both."""
    _write_cards(pair, confidence=THRESHOLDS[0], metrics={})
    judged = _judge(pair, pair.folder, "scoring on val", pair.dataset.val)
    scores = score(judged, confidence=_choose_threshold(pair, judged), labelled=pair.detector is not None)
    _write_cards(pair, confidence=scores.confidence, metrics=scores.as_dict())
    return judged, scores


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


def _write_cards(pair: NewPair, *, confidence: float, metrics: dict[str, float]) -> None:
    common = _common_card(pair, metrics)
    settings, second = pair.config.detector, pair.config.classifier
    own = replace(common, stage="detector", confidence=confidence)
    if pair.detector is not None:
        write_card(pair.folder, replace(own, model_name=pair.detector, imgsz=settings.imgsz, iou=settings.iou))
    elif pair.cropper is not None:
        card = pair.cropper.card
        own = replace(own, confidence=card.confidence, iou=card.iou)
        write_card(pair.folder, replace(own, model_name=card.model_name, imgsz=card.imgsz))
    whole = pair.detector is None and pair.cropper is None
    own = replace(common, stage="classifier", imgsz=second.imgsz, margin=second.margin, whole_photo=whole)
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
