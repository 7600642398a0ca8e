"""Pictures of a training and of its scores: curves, confusion, reliability, and examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.images import read_photo, shrink
from pipeline.labels import Annotation
from pipeline.per_class import count_confusion
from pipeline.plots import draw_box, make_figure, readable_names
from pipeline.reliability import BINS, Reliability
from pipeline.scores import JudgedPhoto
from pipeline.yolo import Epoch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_RIGHT, _WRONG, _MISSED = "#1a9850", "#d73027", "#fdae61"
_BLUE = "#175cd3"
_SMALL = (5.2, 3.4)
_EXAMPLES = 12


def draw_curves(path: Path, detector: Sequence[Epoch], classifier: Sequence[Epoch]) -> None:
    """Losses and scores of both stages by epoch."""
    with make_figure(path, (10, 6), rows=2, columns=2) as (_, axes):
        for row, (stage, epochs) in enumerate((("detector", detector), ("classifier", classifier))):
            _draw_lines(axes[row][0], f"{stage}: loss", epochs, [epoch.losses for epoch in epochs])
            _draw_lines(axes[row][1], f"{stage}: score on val", epochs, [epoch.scores for epoch in epochs])
            axes[row][1].set_ylim(0, 1.02)


def draw_loss(path: Path, title: str, epochs: Sequence[Epoch]) -> None:
    """Losses of one training by epoch."""
    with make_figure(path, _SMALL) as (_, axes):
        _draw_lines(axes[0][0], f"{title}: loss", epochs, [epoch.losses for epoch in epochs])


def draw_scores(path: Path, title: str, epochs: Sequence[Epoch]) -> None:
    """Scores of one training on val by epoch."""
    with make_figure(path, _SMALL) as (_, axes):
        _draw_lines(axes[0][0], f"{title}: score on val", epochs, [epoch.scores for epoch in epochs])
        axes[0][0].set_ylim(0, 1.02)


def draw_reliability(path: Path, after: Reliability, before: Reliability | None) -> None:
    """How often the classifier is right by how confident it is, each bin as large as it holds many.

    Args:
        path: the picture.
        after: of the probabilities as they are.
        before: of those before they were calibrated, where they were.
    """
    with make_figure(path, (5.2, 5.2), rows=2, heights=(3, 1)) as (_, axes):
        upper, lower = axes[0][0], axes[1][0]
        upper.plot([0, 1], [0, 1], color="#8a93a3", linestyle=":", label="as it should be")
        if before is not None:
            _draw_bins(upper, before, "#8a93a3", f"before calibration (error {before.error:.3f})", "--")
        _draw_bins(upper, after, _BLUE, f"{'as it is' if before is None else 'after'} (error {after.error:.3f})", "-")
        upper.set(xlim=(0, 1.03), ylim=(-0.04, 1.06), ylabel="part that is right")
        upper.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, markerscale=0.6)
        lower.bar([one.confidence for one in after.bins], [one.count for one in after.bins], 0.8 / BINS, color=_BLUE)
        lower.set(xlim=(0, 1.03), xlabel="confidence", ylabel="crops")
        for place in (upper, lower):
            place.grid(alpha=0.3)


def draw_confusion(path: Path, judged: Sequence[JudgedPhoto], class_names: tuple[str, ...]) -> None:
    """Which class the classifier gives to the crops of the labelled boxes, counted."""
    side = 2.5 + 0.6 * len(class_names)
    with make_figure(path, (side, side), names=class_names) as (_, axes):
        _draw_counts(axes[0][0], count_confusion(judged, class_names), readable_names(class_names))


def draw_examples(
    path: Path,
    annotations: Sequence[Annotation],
    judged: Sequence[JudgedPhoto],
    class_names: tuple[str, ...],
    confidence: float,
) -> None:
    """A page of photos with what was found: green is right, red is wrong, orange was missed."""
    shown = list(zip(annotations, judged, strict=True))[:_EXAMPLES]
    columns = min(4, len(shown))
    rows = -(-len(shown) // columns)
    with make_figure(path, (3.2 * columns, 3.2 * rows), rows=rows, columns=columns, names=class_names) as (_, axes):
        for place in axes.flat:
            place.axis("off")
        readable = dict(zip(class_names, readable_names(class_names), strict=True))
        for place, (annotation, photo) in zip(axes.flat, shown, strict=False):
            _draw_photo(place, annotation, photo, readable, confidence)


def _draw_bins(axes: Axes, reliability: Reliability, colour: str, label: str, line: str) -> None:
    confidence, accuracy = zip(*((one.confidence, one.accuracy) for one in reliability.bins), strict=True)
    counts = np.array([one.count for one in reliability.bins])
    axes.plot(confidence, accuracy, color=colour, linestyle=line, linewidth=0.8, alpha=0.6)
    axes.scatter(confidence, accuracy, 8 + 150 * counts / counts.sum(), color=colour, label=label)  # few say little


def _draw_lines(axes: Axes, title: str, epochs: Sequence[Epoch], values: Sequence[Any]) -> None:
    from matplotlib.ticker import MaxNLocator

    numbers = [epoch.number for epoch in epochs]
    for name in values[0] if values else ():
        axes.plot(numbers, [value[name] for value in values], marker=".", label=name)
    axes.set_title(title)
    axes.set_xlabel("epoch")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(alpha=0.3)
    if values:
        axes.legend()


def _draw_counts(axes: Axes, counts: Any, class_names: tuple[str, ...]) -> None:
    axes.imshow(counts / np.maximum(counts.sum(1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(class_names)), class_names, rotation=45, ha="right")
    axes.set_yticks(range(len(class_names)), class_names)
    axes.set_xlabel("classifier says")
    axes.set_ylabel("label says")
    for row, column in np.ndindex(*counts.shape):
        share = counts[row, column] / max(counts[row].sum(), 1)
        axes.text(
            column, row, str(counts[row, column]), ha="center", va="center", color="white" if share > 0.5 else "black"
        )


def _draw_photo(
    axes: Axes, annotation: Annotation, photo: JudgedPhoto, names: dict[str, str], confidence: float
) -> None:
    pixels = shrink(read_photo(annotation.photo).pixels, 640)
    factor = max(pixels.shape[:2]) / max(annotation.size)
    axes.imshow(pixels)
    made = photo.made(confidence)
    pairs = photo.pair(made)
    for index, one in enumerate(made):
        right = index in pairs and photo.truth[pairs[index]].class_name == one.class_name
        text = f"{names[one.class_name]} {one.confidence:.2f}"
        draw_box(axes, one.detection.box.scaled(factor).edges, _RIGHT if right else _WRONG, text)
    for index, subject in enumerate(photo.truth):
        if index not in pairs.values():
            draw_box(axes, subject.box.scaled(factor).edges, _MISSED, f"missed: {names[subject.class_name]}")
