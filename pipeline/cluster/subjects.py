"""The subjects that are grouped: found in photos, cut out, looked at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from pipeline.boxes import Box
from pipeline.cluster.features import FeatureKind, Features, from_embeddings, from_pixels, from_probabilities
from pipeline.cluster.searching import Problem, Search, Seen
from pipeline.console import Following, libraries_hushed
from pipeline.errors import DataError
from pipeline.flow import run_stages
from pipeline.keys import subject_key
from pipeline.sources import Sources

if TYPE_CHECKING:
    from pipeline.sorter import Sorter

_TOGETHER = 64
"""Subjects that are looked at together."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A subject to be grouped.

    Args:
        photo: its photo, as ``sources.Source.name`` calls it.
        path: the photo's file.
        box: where in it, in pixels of the upright photo; all of it where photos are taken whole.
        number: among the subjects of its photo, the detector's surest first, from 0.
        probabilities: of each class by name, 0 to 1; empty where no classifier looked at it.
        thumbnail: a small JPEG of the crop.
        key: see ``keys.subject_key``.
    """

    photo: str
    path: Path
    box: Box
    number: int
    probabilities: Mapping[str, float]
    thumbnail: bytes
    key: str


@dataclass(frozen=True, slots=True, eq=False)
class Gathered:
    """What there is to group.

    Args:
        subjects: in the order of their photos' names.
        features: of each, shape (n, d).
        problems: files without a subject, and why: a photo that cannot be read, no photo, nothing found in it.
        hidden: hidden files that were left out.
        failed: how many of the problems are photos that cannot be read: the command leaves with 1.
    """

    subjects: tuple[Subject, ...]
    features: Features
    problems: tuple[tuple[str, str], ...]
    hidden: int
    failed: int = 0


def gather(
    sources: Sources, sorter: Sorter | None, kind: FeatureKind, *, crops: bool = False, console: Console
) -> Gathered:
    """Find the subjects in photos and look at each; the same photos give the same, in the same order.

    Photos are opened, searched and cut several at a time, and few are ahead of those that are looked at.

    Args:
        sources: the photos; nothing there is written to.
        sorter: finds and classifies; None for ``pixels`` of whole photos alone.
        kind: what the subjects are grouped by.
        crops: whether each photo is a subject already; always so without a detector.
        console: told of the progress.

    Raises:
        DataError: no subject was found at all.
        ValueError: there is no sorter, and ``kind`` needs one.
    """
    if sorter is None and kind != "pixels":
        raise ValueError(f"{kind} need a sorter")
    search = Search(sorter, whole=crops)
    subjects, features, problems = list[Subject](), list[Features](), list[Problem]()
    with (
        libraries_hushed(),
        Following(console, "looking at photos", len(sources.files), Counter()) as progress,
        closing(run_stages(enumerate(sources.files), search.stages())) as done,
    ):
        for seen in _batch(_sort_out(done, problems, progress)):
            some, rows = _look(seen, sorter, kind)
            subjects += some
            features.append(rows)
    found = tuple((one.photo, one.reason) for one in problems)
    if not subjects:
        raise _nothing(sources, found)
    failed = sum(one.failed for one in problems)
    return Gathered(tuple(subjects), np.concatenate(features), found, sources.hidden, failed)


def _sort_out(done: Iterable[Seen | Problem], problems: list[Problem], progress: Following) -> Iterator[Seen]:
    """Photos with subjects, in the order of their numbers; problems are put into their list in it as well."""
    waiting: dict[int, Seen | Problem] = {}
    number = 0
    for one in done:
        progress.advance("without a subject" if isinstance(one, Problem) else "with subjects")
        waiting[one.number] = one
        while number in waiting:
            following = waiting.pop(number)
            number += 1
            if isinstance(following, Problem):
                problems.append(following)
            else:
                yield following


def _batch(photos: Iterable[Seen]) -> Iterator[list[Seen]]:
    """As many together as have ``_TOGETHER`` subjects, which does not depend on how fast they come."""
    batch, count = list[Seen](), 0
    for one in photos:
        batch.append(one)
        count += len(one.found)
        if count >= _TOGETHER:
            yield batch
            batch, count = [], 0
    if batch:
        yield batch


def _look(photos: Sequence[Seen], sorter: Sorter | None, kind: FeatureKind) -> tuple[list[Subject], Features]:
    """The subjects of some photos, and their features."""
    found = [one for photo in photos for one in photo.found]
    views = [one for photo in photos for one in photo.views]
    tables: list[Mapping[str, float]] = [{}] * len(found)
    embeddings: list[Features] = []
    if sorter is not None and kind == "embedding":
        looks = sorter.look(found, views)
        tables, embeddings = [one.probabilities for one, _ in looks], [one for _, one in looks]
    elif sorter is not None:
        tables = [one.probabilities for one in sorter.decide(found, views)]
    subjects = _name(photos, tables)
    if kind == "embedding":
        return subjects, from_embeddings(embeddings)
    if kind == "pixels":
        return subjects, np.stack([from_pixels(seen[0]) for seen in views])
    return subjects, from_probabilities([[*one.values()] for one in tables])


def _name(photos: Sequence[Seen], tables: Sequence[Mapping[str, float]]) -> list[Subject]:
    places = [
        (photo, number, one.box, thumbnail)
        for photo in photos
        for number, (one, thumbnail) in enumerate(zip(photo.found, photo.thumbnails, strict=True))
    ]
    return [
        Subject(photo.name, photo.path, box, number, table, thumbnail, subject_key(photo.name, box))
        for (photo, number, box, thumbnail), table in zip(places, tables, strict=True)
    ]


def _nothing(sources: Sources, problems: Sequence[tuple[str, str]]) -> DataError:
    reason = f" ({': '.join(problems[0])})" if problems else ""
    remedy = "other photos, or --crops where each shows one subject and nothing else"
    return DataError(f"no subject found in {len(sources.files)} files{reason}", where=sources.label, remedy=remedy)
