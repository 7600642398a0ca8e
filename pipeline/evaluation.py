"""All that is said of a pair on labelled photos: its scores, class by class, and how far it can be believed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.mistakes import Mistakes, find_mistakes
from pipeline.per_class import (
    ClassScores,
    Confusion,
    Counts,
    count_chain,
    count_confusion,
    list_confusions,
    mean_recall,
    score_classes,
)
from pipeline.plots import text_width
from pipeline.reliability import (
    Reliability,
    Sureness,
    count_sure,
    count_sure_detections,
    measure,
    measure_before,
    tabulate,
)
from pipeline.scores import Interval, JudgedPhoto, Scores, find_intervals, score
from pipeline.weights import Cards
from pipeline.worth import Worth

_CONFUSIONS = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """What is evaluated on what.

    Args:
        dataset: name of the data set.
        part: ``val``, ``test``, or the name of a folder.
        weights: folder of the pair.
        cards: of the pair.
        trained: boxes to train on by class; None where that cannot be told.
        labelled: see ``Scores``.
        notes: what the user should know of it, a line each.
    """

    dataset: str
    part: str
    weights: Path
    cards: Cards
    trained: Mapping[str, int] | None
    labelled: bool
    notes: tuple[str, ...] = ()

    @property
    def confidence(self) -> float:
        """The detector's threshold, 0 to 1."""
        return 0.0 if self.cards.detector is None else self.cards.detector.confidence or 0.0

    @property
    def balance(self) -> str:
        """What training did against uneven classes; see ``ClassifierSettings``."""
        return str(self.cards.classifier.settings.get("balance", "none"))


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What is said of a pair on labelled photos.

    Args:
        trial: what was evaluated on what.
        scores: the figures of both stages and of the chain.
        intervals: 95 % intervals of some of them, by name.
        mean_recall: mean of the classes' recalls on the crops of labelled boxes, 0 to 1.
        classes: the figures of each class.
        confusion: see ``per_class.count_confusion``.
        chain: see ``per_class.count_chain``.
        confusions: classes taken for others, the most frequent first.
        reliability: of the probabilities; None where nothing is labelled.
        before: the same before they were calibrated; None where they were not.
        sure: what the sure predictions for the crops of labelled boxes are worth.
        sure_detections: the same of the detections at the threshold.
        mistakes: the worst of each kind.
        worth: what cropping is worth; None where it was not measured.
    """

    trial: Trial
    scores: Scores
    intervals: Mapping[str, Interval]
    mean_recall: float
    classes: tuple[ClassScores, ...]
    confusion: Counts
    chain: Counts
    confusions: tuple[Confusion, ...]
    reliability: Reliability | None
    before: Reliability | None
    sure: Sureness
    sure_detections: Sureness
    mistakes: tuple[Mistakes, ...]
    worth: Worth | None = None

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain values, ready for JSON; the scores at the top."""
        return {
            **self.scores.as_dict(),
            "mean_recall": round(self.mean_recall, 4),
            "dataset": self.trial.dataset,
            "part": self.trial.part,
            "weights": str(self.trial.weights),
            "notes": list(self.trial.notes),
            "intervals": {name: [round(edge, 4) for edge in edges] for name, edges in self.intervals.items()},
            "balance": self.trial.balance,
            "classes": [one.as_dict() for one in self.classes],
            "confusion": self._confusion_record(),
            "calibration": self._calibration_record(),
            "unsure": self._unsure_record(),
            "mistakes": {
                some.kind: {"count": some.count, "worst": [one.as_dict() for one in some.worst]}
                for some in self.mistakes
            },
            **({} if self.worth is None else {"worth": self.worth.as_dict()}),
        }

    def __str__(self) -> str:
        return "\n".join(_lines(self))

    def _confusion_record(self) -> dict[str, Any]:
        pairs = [
            {"class_name": one.class_name, "given": one.given, "count": one.count, "subjects": one.true}
            for one in self.confusions
        ]
        record = {
            "class_names": [one.class_name for one in self.classes],
            "classifier": self.confusion.tolist(),
            "pairs": pairs,
        }
        return record | ({"chain": self.chain.tolist()} if self.trial.labelled else {})

    def _calibration_record(self) -> dict[str, Any]:
        return {
            "temperature": self.trial.cards.classifier.temperature,
            "after": None if self.reliability is None else self.reliability.as_dict(),
            "before": None if self.before is None else self.before.as_dict(),
        }

    def _unsure_record(self) -> dict[str, Any]:
        record = {"sure_from": self.trial.cards.classifier.sure_from, "classifier": self.sure.as_dict()}
        return record | ({"chain": self.sure_detections.as_dict()} if self.trial.labelled else {})


def evaluate_judged(judged: Sequence[JudgedPhoto], trial: Trial) -> Evaluation:
    """Work out all figures of what a pair made of labelled photos, at least one."""
    names, confidence = trial.cards.classifier.class_names, trial.confidence
    confusion, chain = count_confusion(judged, names), count_chain(judged, names, confidence)
    mean, interval = mean_recall(judged, names)
    probabilities, targets = tabulate(judged, names)
    temperature = trial.cards.classifier.temperature
    return Evaluation(
        trial=trial,
        scores=score(judged, confidence=confidence, labelled=trial.labelled),
        intervals=find_intervals(judged, confidence) | {"mean_recall": interval},
        mean_recall=mean,
        classes=score_classes(names, confusion, chain, trial.trained),
        confusion=confusion,
        chain=chain,
        confusions=tuple(list_confusions(names, confusion)),
        reliability=measure(probabilities, targets) if len(targets) else None,
        before=measure_before(probabilities, targets, temperature) if len(targets) else None,
        sure=count_sure(judged),
        sure_detections=count_sure_detections(judged, confidence),
        mistakes=find_mistakes(judged, confidence, labelled=trial.labelled),
    )


def _lines(evaluation: Evaluation) -> Iterator[str]:
    low, high = evaluation.intervals["mean_recall"]
    yield str(evaluation.scores)
    yield f"classes      mean recall {evaluation.mean_recall:.3f} (95 % interval {low:.3f} to {high:.3f}) on true crops"
    if evaluation.reliability is not None:
        yield f"certainty    {_certainty(evaluation.reliability, evaluation.before)}"
    yield f"unsure       {_sureness(evaluation)}"
    if evaluation.confusions:
        first = [f"{one.class_name} as {one.given} {one.count}" for one in evaluation.confusions[:_CONFUSIONS]]
        more = len(evaluation.confusions) - len(first)
        yield f"mistaken     {', '.join(first)}{f', and {more} pairs more' if more else ''}"
    yield ""
    yield from _table(evaluation)
    if evaluation.worth is not None:
        yield from ("", str(evaluation.worth))


def _certainty(reliability: Reliability, before: Reliability | None) -> str:
    told = f"log loss {reliability.log_loss:.3f}, expected calibration error {reliability.error:.3f}"
    return told if before is None else f"{told} (before calibration {before.log_loss:.3f} and {before.error:.3f})"


def _sureness(evaluation: Evaluation) -> str:
    told = f"{_sure_words(evaluation.sure)} on true crops"
    return f"{told}; {_sure_words(evaluation.sure_detections)} of the chain" if evaluation.trial.labelled else told


def _sure_words(sureness: Sureness) -> str:
    precision = "none is sure" if sureness.precision is None else f"{sureness.precision:.3f} of the others right"
    return f"{100 * sureness.share:.1f} %, {precision}"


def _table(evaluation: Evaluation) -> Iterator[str]:
    """A line a class, aligned; Korean letters are as wide as two."""
    names = [unicodedata.normalize("NFC", one.class_name) for one in evaluation.classes]
    width = max(text_width(name) for name in ("class", *names))
    chain = evaluation.trial.labelled
    heads = "trained on  boxes  recall  95 % interval   precision     F1"
    yield f"class{' ' * (width - 5)}  {heads}{'   chain: recall  precision     F1' if chain else ''}"
    for name, one in zip(names, evaluation.classes, strict=True):
        low, high = one.classifier.recall_interval
        trained = "?" if one.trained is None else one.trained
        first = f"{trained:>10}  {one.classifier.true:>5}   {one.classifier.recall:.3f}  {low:.3f} to {high:.3f}"
        own = f"{first}       {one.classifier.precision:.3f}  {one.classifier.f1:.3f}"
        both = f"          {one.chain.recall:.3f}      {one.chain.precision:.3f}  {one.chain.f1:.3f}" if chain else ""
        yield f"{name}{' ' * (width - text_width(name))}  {own}{both}"
