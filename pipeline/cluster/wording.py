"""What a workbook of groups calls its sheets, columns and notes, for who writes it and for who reads it again."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pipeline.cluster.features import FeatureKind

WORKBOOK = "groups.xlsx"

GROUPS, SUBJECTS, PROBLEMS = "Groups", "Subjects", "Problems"
GROUP, CLASS, PHOTO, KEY, BYTES = "group", "class name", "photo", "key", "file size (bytes)"
EDGES = ("left (px)", "top (px)", "right (px)", "bottom (px)")
"""Headings that are read back."""

COUNT_NOTE, PHOTOS_NOTE, DATA_NOTE, VERSION_NOTE = (
    "cropsort groups",
    "cropsort photos",
    "cropsort data",
    "cropsort version",
)
"""Properties of the workbook: how many groups there are, the folder of the photos, the data.yaml, and the version."""


@dataclass(frozen=True, slots=True)
class Run:
    """What was run.

    Args:
        photos: folder that the subjects' photos are named from, absolute.
        title: what the photos are called.
        data_file: the data.yaml, absolute; None where there is none.
        weights: folder of the pair that looked at the subjects; None where none did.
        kind: what the subjects were grouped by.
        algorithm: that grouped them.
        finished: when that was done.
    """

    photos: Path
    title: str
    data_file: Path | None
    weights: Path | None
    kind: FeatureKind
    algorithm: str
    finished: datetime


def some(count: int, what: str) -> str:
    """A count and its noun: "1 subject", "1,200 subjects"."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"
