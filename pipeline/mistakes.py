"""The worst mistakes of a pair, and thumbnails of them, cut from the photos again: each is decoded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from pipeline.boxes import Box
from pipeline.crops import cut_subject
from pipeline.errors import PhotoError
from pipeline.images import Pixels, encode_jpeg, quiet, read_header, read_small, shrink
from pipeline.labels import Subject
from pipeline.results import Prediction
from pipeline.scores import JudgedPhoto

SIDE = 200
"""Longer side of a thumbnail in pixels."""

_MOST = {"wrong": 24, "missed": 12, "false": 12, "unsure": 12}
_AROUND = 0.6
_FRAME = (255, 45, 31)


@dataclass(frozen=True, slots=True)
class Mistake:
    """A crop or a box that a stage judged wrongly, or not surely.

    Args:
        photo: its file.
        box: where, in pixels of the upright photo.
        label: the class that the label says; empty where it is no labelled box.
        given: the class that was given; empty where nothing was found.
        confidence: of the class given, or of the detector in its box, 0 to 1; None where nothing was found.
    """

    photo: Path
    box: Box
    label: str
    given: str
    confidence: float | None

    def as_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {
            "photo": str(self.photo),
            "box_px": [round(edge, 1) for edge in self.box.edges],
            "label": self.label,
            "given": self.given,
            "confidence": None if self.confidence is None else round(self.confidence, 4),
        }


@dataclass(frozen=True, slots=True)
class Mistakes:
    """Mistakes of one kind.

    Args:
        kind: ``wrong`` (crops of labelled boxes that get another class), ``missed`` (labelled boxes that the detector
            does not find), ``false`` (detections that are no labelled box), or ``unsure`` (crops called unsure).
        count: how many there are.
        worst: the first few.
    """

    kind: str
    count: int
    worst: tuple[Mistake, ...]


def find_mistakes(judged: Sequence[JudgedPhoto], confidence: float, *, labelled: bool) -> tuple[Mistakes, ...]:
    """The mistakes of each kind that there are, at a threshold of the detector, 0 to 1.

    Args:
        judged: the photos; those whose file is not known are left out.
        confidence: the threshold.
        labelled: whether people drew the boxes, so that they say something of the detector.
    """
    found: dict[str, list[Mistake]] = {kind: [] for kind in _MOST}
    for photo in judged:
        if photo.photo is not None:
            _add_crops(found, photo.photo, photo)
            if labelled:
                _add_boxes(found, photo.photo, photo, confidence)
    found["wrong"].sort(key=lambda one: -(one.confidence or 0))
    found["missed"].sort(key=lambda one: -one.box.area)
    found["false"].sort(key=lambda one: -(one.confidence or 0))
    found["unsure"].sort(key=lambda one: one.confidence or 0)
    return tuple(Mistakes(kind, len(some), tuple(some[: _MOST[kind]])) for kind, some in found.items() if some)


def cut_thumbnails(mistakes: Iterable[Mistakes], margin: float) -> dict[Mistake, bytes]:
    """JPEGs of the worst mistakes, by mistake; those of photos that cannot be read any more are left out.

    Args:
        mistakes: see ``find_mistakes``.
        margin: what is added around the box of a crop, as a part of its longer side; boxes that were missed or that are
            false are framed, with more around them.
    """
    by_photo: dict[Path, list[tuple[Mistake, bool]]] = {}
    for some in mistakes:
        for mistake in some.worst:
            by_photo.setdefault(mistake.photo, []).append((mistake, some.kind in ("missed", "false")))
    thumbnails: dict[Mistake, bytes] = {}
    with quiet():
        for photo, wanted in by_photo.items():
            views = {mistake: mistake.box.grown(_AROUND if framed else margin) for mistake, framed in wanted}
            try:
                pixels, factor = _read(photo, views.values())
            except (OSError, PhotoError):  # it was there a moment ago: the page goes on without its picture
                continue
            for mistake, framed in wanted:
                thumbnails[mistake] = _cut(pixels, views[mistake], mistake.box if framed else None, factor)
    return thumbnails


def _add_crops(found: dict[str, list[Mistake]], file: Path, photo: JudgedPhoto) -> None:
    for subject, given in zip(photo.truth, photo.on_truth, strict=True):
        mistake = Mistake(file, subject.box, subject.class_name, given.class_name, given.confidence)
        if given.class_name != subject.class_name:
            found["wrong"].append(mistake)
        elif not given.sure:
            found["unsure"].append(mistake)


def _add_boxes(found: dict[str, list[Mistake]], file: Path, photo: JudgedPhoto, confidence: float) -> None:
    made = photo.made(confidence)
    pairs = photo.pair(made)
    found["missed"] += [
        _missed(file, subject) for index, subject in enumerate(photo.truth) if index not in pairs.values()
    ]
    found["false"] += [_false(file, one) for index, one in enumerate(made) if index not in pairs]


def _missed(file: Path, subject: Subject) -> Mistake:
    return Mistake(file, subject.box, subject.class_name, "", None)


def _false(file: Path, one: Prediction) -> Mistake:
    return Mistake(file, one.detection.box, "", one.class_name, one.detection.confidence)


def _read(photo: Path, views: Iterable[Box]) -> tuple[Pixels, float]:
    """The photo as small as its smallest view allows, and how much smaller that is."""
    size = read_header(photo).size
    smallest = max(1.0, min(max(view.width, view.height) for view in views))
    side = max(1, min(*size, math.ceil(min(size) * SIDE / smallest)))
    pixels = read_small(photo.read_bytes(), side, where=photo)[1]
    return pixels, pixels.shape[1] / size[0]


def _cut(pixels: Pixels, view: Box, framed: Box | None, factor: float) -> bytes:
    cut = cut_subject(pixels, view.scaled(factor))
    thumbnail = np.ascontiguousarray(shrink(cut, SIDE))
    if framed is not None:
        height, width = pixels.shape[:2]
        corner = view.scaled(factor).clipped(width, height)
        scale = thumbnail.shape[1] / cut.shape[1]
        left, top, right, bottom = (
            round((edge * factor - start) * scale)
            for edge, start in zip(framed.edges, (corner.left, corner.top) * 2, strict=True)
        )
        cv2.rectangle(thumbnail, (left, top), (right, bottom), _FRAME, 2)
    return encode_jpeg(thumbnail, quality=82)
