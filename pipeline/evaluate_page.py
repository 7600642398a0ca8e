"""``evaluate.html``: how good a pair is, class by class and with its worst mistakes, in one file that works offline."""

from __future__ import annotations

import base64
import filecmp
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipeline.balance import IMBALANCE
from pipeline.evaluation import Evaluation
from pipeline.figures import draw_loss, draw_reliability, draw_scores
from pipeline.mistakes import Mistake, Mistakes, cut_thumbnails
from pipeline.pages import render_page
from pipeline.per_class import Counts
from pipeline.plots import shorten
from pipeline.runs import read_epochs
from pipeline.weights import weights_file
from pipeline.worth import describe_figure

PAGE = "evaluate.html"

_MOST_CLASSES = 40
"""More rows than that make no matrix that anybody reads; the pairs are listed in any case."""

_MOST_CURVES = 6
_MOST_PAIRS = 12
_COLUMN = 20

_BALANCE = {
    "undersample": "each epoch showed another part of the large classes",
    "oversample": "small classes were shown more often",
    "weights": "mistakes of small classes counted more",
}
_KINDS = {
    "wrong": ("Given the wrong class", "Crops of labelled boxes; those that the classifier was surest of come first."),
    "missed": ("Missed", "Labelled boxes that the detector did not find, the largest first."),
    "false": (
        "Boxes that fit no label",
        "Detections that share less than half with any labelled box that is free: something else, a subject twice, or "
        "a label that is missing. The surest come first.",
    ),
    "unsure": ("Right, but not surely so", "Crops whose class is right but called unsure, the least sure first."),
}


def write_page(evaluation: Evaluation, folder: Path, run: Path | None) -> Path:
    """Write the page, and the pictures that it holds beside it.

    Args:
        evaluation: what there is to say.
        folder: where to; made if it is missing.
        run: folder of the training that the pair is from; None where it is not known.

    Returns:
        The page.

    Raises:
        OutputError: it cannot be written there.
    """
    page = folder / PAGE
    pictures = {
        "reliability": _draw_reliability(evaluation, folder),
        "curves": [_embed(picture) for picture in _draw_curves(folder, run)],
    }
    render_page(page, "evaluate.html", **_describe(evaluation), **pictures)
    return page


def find_run(runs: Path, weights: Path) -> Path | None:
    """The last training in ``runs/<data set>`` whose classifier is that of the pair; None where there is none."""
    wanted = weights_file(weights, "classifier")
    numbers = sorted((int(path.name) for path in runs.glob("*") if path.name.isdigit()), reverse=True)
    for run in (runs / str(number) for number in numbers):
        made = weights_file(run / "weights", "classifier")
        if made.is_file() and filecmp.cmp(made, wanted, shallow=False):
            return run
    return None


def _describe(evaluation: Evaluation) -> dict[str, Any]:
    trial, names = evaluation.trial, [one.class_name for one in evaluation.classes]
    few = _few(evaluation)
    cards = [card for card in (trial.cards.detector, trial.cards.classifier) if card is not None]
    return {
        "evaluation": evaluation,
        "trial": trial,
        "scores": evaluation.scores,
        "cards": cards,
        "tiles": list(_tiles(evaluation)),
        "balance": _BALANCE.get(trial.balance, ""),
        "few": few,
        "has_few": any(one.trained is not None and one.trained < few for one in evaluation.classes),
        "matrices": list(_matrices(evaluation, names)),
        "most_classes": _MOST_CLASSES,
        "pairs": evaluation.confusions[:_MOST_PAIRS],
        "sections": list(_sections(evaluation)),
        "describe_figure": describe_figure,
    }


def _tiles(evaluation: Evaluation) -> Iterator[dict[str, str]]:
    """The figures to read first, with what they say in plain words."""
    scores = evaluation.scores
    mean = ("mean_recall", "mean recall", evaluation.mean_recall, "of the classes, each counting the same")
    if not scores.labelled:
        yield _tile(evaluation, "top1_true", "right class", scores.top1_true, "of all photos")
        yield _tile(evaluation, *mean)
        return
    yield _tile(evaluation, "recall", "found and right", scores.recall, "of the labelled subjects")
    yield _tile(evaluation, "precision", "rows that are right", scores.precision, "of all that predict would list")
    yield _tile(evaluation, "f1", "F1 of both stages", scores.f1, "the two in one figure")
    yield _tile(evaluation, "found", "found at all", scores.found, "of the labelled subjects")
    yield _tile(evaluation, "top1_true", "right class", scores.top1_true, "of the labelled boxes cut out")
    yield _tile(evaluation, *mean)


def _tile(evaluation: Evaluation, name: str, title: str, value: float, words: str) -> dict[str, str]:
    low, high = evaluation.intervals[name]
    return {
        "title": title,
        "value": _percent(value),
        "interval": f"{_percent(low)} to {_percent(high)}",
        "words": words,
    }


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"


def _few(evaluation: Evaluation) -> float:
    """Boxes below which a class has few to learn from, beside the largest."""
    return max((one.trained or 0 for one in evaluation.classes), default=0) / IMBALANCE


def _matrices(evaluation: Evaluation, names: list[str]) -> Iterator[dict[str, Any]]:
    if len(names) <= _MOST_CLASSES:
        yield _matrix("The classifier on the crops of labelled boxes", names, names, evaluation.confusion)
        if evaluation.trial.labelled:
            rows, columns = [*names, "no labelled box"], [*names, "missed"]
            yield _matrix("Both stages on whole photos", rows, columns, evaluation.chain)


def _matrix(title: str, rows: list[str], columns: list[str], counts: Counts) -> dict[str, Any]:
    shares = counts / counts.sum(1, keepdims=True).clip(1)
    cells = [
        [
            {"count": int(count), "share": round(float(share), 2), "right": row == column}
            for column, (count, share) in pair
        ]
        for row, pair in enumerate(
            list(enumerate(zip(*line, strict=True))) for line in zip(counts, shares, strict=True)
        )
    ]
    columns = [shorten(unicodedata.normalize("NFC", name), _COLUMN) for name in columns]
    return {"title": title, "columns": columns, "rows": list(zip(rows, cells, strict=True))}


def _sections(evaluation: Evaluation) -> Iterator[dict[str, Any]]:
    margin = evaluation.trial.cards.classifier.margin or 0.0
    thumbnails = cut_thumbnails(evaluation.mistakes, margin)
    for some in evaluation.mistakes:
        title, words = _KINDS[some.kind]
        cards = [_card(some, mistake, thumbnails.get(mistake)) for mistake in some.worst]
        yield {
            "title": title,
            "words": words,
            "count": some.count,
            "cards": cards,
            "hidden": some.count - len(cards),
        }


def _card(some: Mistakes, mistake: Mistake, thumbnail: bytes | None) -> dict[str, Any]:
    return {
        "kind": some.kind,
        "label": mistake.label,
        "given": mistake.given,
        "confidence": "" if mistake.confidence is None else f"{mistake.confidence:.2f}",
        "photo": mistake.photo.name,
        "source": "" if thumbnail is None else _data_uri("jpeg", thumbnail),
    }


def _draw_reliability(evaluation: Evaluation, folder: Path) -> str:
    if evaluation.reliability is None:
        return ""
    picture = folder / "reliability.png"
    draw_reliability(picture, evaluation.reliability, evaluation.before)
    return _embed(picture)


def _draw_curves(folder: Path, run: Path | None) -> Iterator[Path]:
    """Loss and score of each network that was trained, the detector first."""
    records = [] if run is None else sorted(run.rglob("epochs.jsonl"), key=_order)
    for number, record in enumerate(records[:_MOST_CURVES], start=1):
        title, epochs = record.parent.name, read_epochs(record.parent)
        for kind, draw in (("loss", draw_loss), ("score", draw_scores)):
            picture = folder / f"curve-{number}-{kind}.png"
            draw(picture, title, epochs)
            yield picture


def _order(record: Path) -> tuple[bool, str]:
    return record.parent.name != "detector", record.parent.name


def _embed(picture: Path) -> str:
    return _data_uri("png", picture.read_bytes())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(content).decode("ascii")
