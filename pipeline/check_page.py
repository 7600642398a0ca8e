"""``check.html``: what is wrong with a data set, with a picture of each, in one file that works offline."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from pipeline.balance import count_boxes
from pipeline.boxes import Box, iou
from pipeline.dataset import DataSet
from pipeline.dataset_figures import draw_dataset
from pipeline.errors import PhotoError
from pipeline.images import Pixels, encode_jpeg, quiet, read_small, shrink
from pipeline.labels import Annotation
from pipeline.pages import render_page
from pipeline.problems import Kind, Problem, Severity, group_by_kind

PAGE = "check.html"

_SIDE = 180
"""Longer side of a thumbnail in pixels."""

_MOST_PICTURES = 60
"""Thumbnails of a kind: the page stays below 20 MB whatever is wrong."""

_MOST_CARDS = 200
_MOST_OTHERS = 5
_SMALL = 9
_SAME = 0.99


@dataclass(frozen=True, slots=True)
class Mark:
    """A box on a thumbnail, in its pixels.

    Args:
        left, top, width, height: where.
        name: what is in it; empty for nothing written.
        look: its style on the page.
    """

    left: float
    top: float
    width: float
    height: float
    name: str
    look: str

    @property
    def small(self) -> bool:
        """Whether a ring around it shows it better than its edges do."""
        return max(self.width, self.height) < _SMALL and self.look != "other"

    @property
    def text(self) -> float:
        """Where the name's letters stand."""
        return max(self.top - 4 if self.top > 15 else self.top + 13, 11)


@dataclass(frozen=True, slots=True)
class Picture:
    """A thumbnail.

    Args:
        source: the picture itself, as a data URI.
        width, height: in pixels.
        marks: boxes on it.
        caption: what stands below it.
    """

    source: str
    width: int
    height: int
    marks: tuple[Mark, ...]
    caption: str


@dataclass(frozen=True, slots=True)
class Card:
    """A problem as the page shows it.

    Args:
        where: file and line.
        found: what is wrong.
        advice: what to do, where it is more than what the kind says.
        pictures: thumbnails of the photos that show it.
        more: how many photos more do.
    """

    where: str
    found: str
    advice: str
    pictures: tuple[Picture, ...]
    more: int


def write_page(dataset: DataSet, folder: Path) -> Path:
    """Write the page and the pictures of the whole data set, which it holds as well.

    Args:
        dataset: with its problems.
        folder: where to; made if it is missing.

    Returns:
        The page.

    Raises:
        OutputError: it cannot be written there.
    """
    overview = draw_dataset(folder, dataset.name, dataset.parts, dataset.class_names)
    page = folder / PAGE
    render_page(page, "check.html", **_describe(dataset), overview=map(_embed, overview))
    return page


def _describe(dataset: DataSet) -> dict[str, object]:
    groups = group_by_kind(dataset.problems)
    counts = {part: count_boxes(annotations, dataset.class_names) for part, annotations in dataset.parts.items()}
    return {
        "name": dataset.name,
        "file": str(dataset.file),
        "verdict": _judge(dataset),
        "kinds": [_kind_record(kind, found) for kind, found in groups.items()],
        "parts": list(counts),
        "classes": [
            {"name": name, "counts": [counted[name] for counted in counts.values()]} for name in dataset.class_names
        ],
        "boxes": [sum(counted.values()) for counted in counts.values()],
        "photos": [len(annotations) for annotations in dataset.parts.values()],
        "notes": dataset.notes,
        "sections": _sections(dataset, groups),
    }


def _judge(dataset: DataSet) -> dict[str, str]:
    errors, warnings = (
        sum(problem.severity is severity for problem in dataset.problems)
        for severity in (Severity.ERROR, Severity.WARNING)
    )
    told = f"{errors} error{'' if errors == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
    if errors:
        return {"look": "error", "title": told, "advice": "Training stops until the errors are mended."}
    if warnings:
        advice = "Training goes on; mending these makes its result better, or its scores more honest."
        return {"look": "warning", "title": told, "advice": advice}
    return {"look": "good", "title": "Nothing is wrong", "advice": "The data set is ready to train on."}


def _kind_record(kind: Kind, found: list[Problem]) -> dict[str, object]:
    return {
        "slug": kind.slug,
        "severity": kind.severity.value,
        "title": kind.title,
        "remedy": kind.remedy,
        "count": len(found),
    }


def _sections(dataset: DataSet, groups: dict[Kind, list[Problem]]) -> Iterator[dict[str, object]]:
    parts = (*dataset.parts.values(), dataset.corrected)
    annotations = {annotation.photo: annotation for part in parts for annotation in part}
    base = dataset.file.resolve().parent
    for kind, found in groups.items():
        shown = _choose(found)
        yield {
            "kind": _kind_record(kind, found),
            "cards": (_make_card(problem, annotations, base) for problem in shown),
            "hidden": len(found) - len(shown),
        }


def _choose(found: list[Problem]) -> list[Problem]:
    """As many as there is room for on the page."""
    pictures, shown = 0, 0
    for problem in found[:_MOST_CARDS]:
        pictures += (problem.photo is not None) + min(len(problem.others), _MOST_OTHERS)
        if shown and pictures > _MOST_PICTURES:
            break
        shown += 1
    return found[:shown]


def _make_card(problem: Problem, annotations: dict[Path, Annotation], base: Path) -> Card:
    photos = [] if problem.photo is None else [problem.photo, *problem.others[:_MOST_OTHERS]]
    captioned = len(photos) > 1
    pictures = (
        _draw(photo, problem.boxes if photo == problem.photo else (), annotations.get(photo), captioned, base)
        for photo in photos
    )
    line = "" if problem.line is None else f", line {problem.line}"
    return Card(
        f"{_short(problem.path, base)}{line}",
        problem.found.replace(f"{base}{os.sep}", ""),
        problem.remedy if problem.remedy != problem.kind.remedy else "",
        tuple(picture for picture in pictures if picture is not None),
        max(0, len(problem.others) - _MOST_OTHERS),
    )


def _short(path: Path, base: Path) -> str:
    """From the data set's folder where it lies in it."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path)


def _draw(
    photo: Path, boxes: tuple[Box, ...], annotation: Annotation | None, captioned: bool, base: Path
) -> Picture | None:
    try:
        with quiet():
            pixels = read_small(photo.read_bytes(), _SIDE, where=photo)[1]
    except (OSError, PhotoError):  # its own problem says so
        return None
    small = shrink(pixels, _SIDE)
    height, width = small.shape[:2]
    marks = () if annotation is None else tuple(_mark(boxes, annotation, width))
    return Picture(_jpeg(small), width, height, marks, _short(photo, base) if captioned else "")


def _mark(boxes: tuple[Box, ...], annotation: Annotation, width: int) -> Iterator[Mark]:
    """The other boxes first, so that those concerned lie on top."""
    factor = width / annotation.size[0]
    clipped = [box.clipped(*annotation.size) for box in boxes]
    for subject in annotation.subjects:
        if not any(iou(subject.box, box) > _SAME for box in clipped):
            yield _place(subject.box.scaled(factor), "", "other")
    for box, look in zip_longest(clipped, ("mark", "mark second")[: len(clipped)], fillvalue="mark"):
        if isinstance(box, Box):
            name = next((one.class_name for one in annotation.subjects if iou(one.box, box) > _SAME), "")
            yield _place(box.scaled(factor), name, str(look))


def _place(box: Box, name: str, look: str) -> Mark:
    left, top, width, height = (round(value, 1) for value in (box.left, box.top, box.width, box.height))
    return Mark(left, top, max(width, 1.0), max(height, 1.0), name, look)  # else it would not be drawn


def _jpeg(pixels: Pixels) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(encode_jpeg(pixels, quality=80)).decode("ascii")


def _embed(picture: Path) -> str:
    kind = "png" if picture.suffix == ".png" else "jpeg"
    return f"data:image/{kind};base64," + base64.b64encode(picture.read_bytes()).decode("ascii")
