"""Photos that are sorted instead of labelled: the class is the folder's name, or the beginning of the photo's own."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pipeline.boxes import Box
from pipeline.labels import Annotation, Subject

ClassesFrom = Literal["labels", "folders", "names"]
"""What says the class of a photo."""

SortedBy = Literal["folders", "names"]
"""``folders``: ``apple/001.jpg``; ``names``: ``apple.001.jpg``."""

_NUMBERED = re.compile(r"(?P<name>.*?[^\W\d_].*?)[\s._-]*\(?\d+\)?")
"""A name with a letter in it, then a number: ``cat.0``, ``cat_12``, ``green apple (3)``."""


def find_class(photo: Path, class_names: Iterable[str], by: SortedBy) -> str | None:
    """The class of a sorted photo; None where neither folder nor name is one of the classes.

    Args:
        photo: its path; of its folders the nearest one counts.
        class_names: the classes.
        by: what to look at.
    """
    known = {_normalise(name): name for name in class_names}
    if by == "folders":
        return next((known[name] for name in map(_normalise, _folders(photo)) if name in known), None)
    name = name_before_number(photo)
    return None if name is None else known.get(_normalise(name))


def name_before_number(photo: Path) -> str | None:
    """``cat`` of ``cat.0.jpg``; None where the name is not one with a number after it."""
    found = _NUMBERED.fullmatch(photo.stem)
    return found["name"] if found else None


def annotate_sorted(photo: Path, size: tuple[int, int], class_name: str) -> Annotation:
    """The whole photo, ``size`` pixels wide and high, as one subject."""
    whole = Box(0.0, 0.0, float(size[0]), float(size[1]))
    return Annotation(photo, size, (Subject(whole, class_name),), None)


def find_sorted_names(photos: Iterable[Path], by: SortedBy) -> tuple[str, ...]:
    """The classes that folders or names of photos mention, sorted."""
    if by == "folders":
        return tuple(sorted({_normalise(photo.parent.name) for photo in photos}))
    return tuple(sorted({_normalise(name) for name in map(name_before_number, photos) if name is not None}))


def _folders(photo: Path) -> list[str]:
    return [folder.name for folder in photo.parents]


def _normalise(name: str) -> str:
    """A Mac and Windows write the same Korean name differently."""
    return unicodedata.normalize("NFC", name).strip()
