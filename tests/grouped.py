"""Photos in groups that are made up, the workbook of them, and its reader's hand: what the tests of clusters share."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
from corrections import SIZE, draw
from rich.console import Console

from pipeline.boxes import Box
from pipeline.cluster.adopting import Adoption, Outcome, adopt_groups
from pipeline.cluster.grouping import Grouping
from pipeline.cluster.groups import Grouped, list_groups
from pipeline.cluster.sheets import write_sheets
from pipeline.cluster.subjects import Gathered, Subject
from pipeline.cluster.wording import Run
from pipeline.crops import cut_subject
from pipeline.images import encode_jpeg, read_photo, shrink
from pipeline.keys import subject_key

NAMES = ("a.jpg", "휴가/b (1).png", "c.jpg", "d.jpg", "e.jpg", "휴가/f.jpg")
WHOLE = Box(0, 0, *SIZE)


def gather_drawn(
    photos: Path,
    boxes: Mapping[str, Sequence[Box]] | Sequence[str] = NAMES,
    *,
    classes: Sequence[str] = ("ace", "여왕"),
    pictures: bool = True,
) -> Gathered:
    """Draw photos, and gather the subjects in them; features are noise.

    Args:
        photos: where to; photos that are there stay as they are.
        boxes: by photo; or photos that are one subject each.
        classes: that a classifier is said to know.
        pictures: whether the subjects have thumbnails, which take openpyxl longer than all else.
    """
    by_photo = boxes if isinstance(boxes, Mapping) else dict.fromkeys(boxes, (WHOLE,))
    subjects = []
    for seed, (name, found) in enumerate(by_photo.items()):
        path = photos / name
        if not path.exists():
            draw(path, seed)
        pixels = read_photo(path).pixels
        for number, box in enumerate(found):
            share = (seed + 1) / (len(by_photo) + 1)
            told = dict(zip(classes, (share, 1 - share), strict=False))
            thumbnail = encode_jpeg(shrink(cut_subject(pixels, box), 96)) if pictures else b""
            subjects.append(Subject(name, path, box, number, told, thumbnail, subject_key(name, box)))
    features = np.random.default_rng(0).normal(size=(len(subjects), 8)).astype(np.float32)
    return Gathered(tuple(subjects), features, (), 0)


def group_by_hand(gathered: Gathered, labels: Sequence[int], truth: Sequence[str | None] | None = None) -> Grouped:
    """The subjects in groups that somebody chose; -1 is noise."""
    from scipy.cluster.hierarchy import linkage

    given = np.array(labels, np.int64)
    count = int(given.max()) + 1
    features = gathered.features + 6 * np.eye(count + 1, gathered.features.shape[1], dtype=np.float32)[given]
    centres = np.stack([features[given == label].mean(0) for label in range(count)])
    distances = np.linalg.norm(features[:, None] - centres[None], axis=2)
    own = np.where(given < 0, distances.min(1), distances[np.arange(len(given)), given]).astype(np.float32)
    tree = linkage(centres, "average") if count > 1 else np.zeros((0, 4))
    grouping = Grouping(given, centres, own, tree, f"{count} groups, made up by hand")
    moved = replace(gathered, features=features)
    return Grouped(moved, grouping, list_groups(moved, grouping, truth), None if truth is None else tuple(truth))


def write_groups(folder: Path, grouped: Grouped, photos: Path, data_file: Path | None = None) -> Path:
    """The workbook of groups."""
    now = datetime(2025, 4, 30, 17, 42)
    run = Run(photos, photos.name, data_file, Path("weights/tiny"), "embedding", "agglomerative", now)
    return write_sheets(folder, grouped, run)[0]


def name_groups(workbook: Path, names: Mapping[str, object]) -> None:
    """Write classes into the sheet of groups, as its reader does."""
    write_cells(workbook, "Groups", "group", "class name", names)


def move_subjects(workbook: Path, groups: Mapping[str, object]) -> None:
    """Put subjects into other groups, by their keys."""
    write_cells(workbook, "Subjects", "key", "group", groups)


def write_cells(workbook: Path, sheet: str, by: str, heading: str, values: Mapping[str, object]) -> None:
    book = openpyxl.load_workbook(workbook)
    page = book[sheet]
    key, column = find_column(page, by), find_column(page, heading)
    rows = {page.cell(row, key).value: row for row in range(2, page.max_row + 1)}
    for one, value in values.items():
        page.cell(rows[one], column).value = value
    book.save(workbook)


def find_column(page: Any, heading: str) -> int:
    return next(int(cell.column) for cell in page[1] if cell.value == heading)


def adopt(workbook: Path, data: Path | None = None, *, yes: bool = True) -> Outcome:
    """Run the command, and agree to what it says it changes, or not."""

    def apply(adoption: Adoption) -> bool:
        assert adoption.plan.changes
        return yes

    return adopt_groups(workbook, data, apply=apply, console=Console(file=io.StringIO()))
