"""What a classifier's backbone learns puzzles of: a data set's own subjects, and photos that nobody has labelled."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.boxes import Box
from pipeline.dataset import DataSet, list_photos
from pipeline.errors import DataError, PhotoError
from pipeline.images import read_size
from pipeline.jigsaw.holding_out import hold_out
from pipeline.labels import Annotation, Subject

LEAST_SIDE = 24
"""Pixels of a subject's shorter side from which its tiles show something."""

_LEAST = 4
"""Pictures."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """What there is to learn puzzles of.

    Args:
        annotations: photos with the subjects that puzzles are made of; one without labels is one subject itself.
        notes: what the user should know, a line each.
    """

    annotations: tuple[Annotation, ...]
    notes: tuple[str, ...]

    @property
    def subjects(self) -> int:
        """How many puzzles there can be."""
        return sum(len(annotation.subjects) for annotation in self.annotations)


def gather_unlabelled(dataset: DataSet, photos: Path | None, *, on_photo: Callable[[], None]) -> Gathered:
    """The training subjects, and the photos of a folder; what is in val or test is left out, and so is what is twice.

    Args:
        dataset: its train is learnt from, its val and test are not.
        photos: a folder of photos; None for none.
        on_photo: called after each photo of the folder.

    Raises:
        DataError: the folder is missing, or holds no photo.
    """
    notes: list[str] = []
    found = tuple(_read_folder(dataset, photos, notes, on_photo)) if photos else ()
    return Gathered((*dataset.train, *found), tuple(notes))


def leave_out_small(gathered: Gathered, data_file: Path) -> Gathered:
    """Without the subjects that are too small to be cut into tiles.

    Args:
        gathered: the subjects.
        data_file: the data.yaml, for the error.

    Raises:
        DataError: fewer than four are left.
    """
    kept = tuple(one for one in map(_without_small, gathered.annotations) if one.subjects)
    left = Gathered(kept, gathered.notes)
    small = gathered.subjects - left.subjects
    if small:
        note = f"{small} subjects are smaller than {LEAST_SIDE} pixels: no puzzles are made of them"
        left = replace(left, notes=(*left.notes, note))
    if left.subjects < _LEAST:
        remedy = "name a folder of photos: cropsort jigsaw pretrain PHOTOS"
        found = f"{left.subjects} subjects to make puzzles of"
        raise DataError(found, where=data_file, expected=f"at least {_LEAST}", remedy=remedy)
    return left


def share_out_photos(
    annotations: tuple[Annotation, ...], seed: int
) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Those to learn from, and a tenth of the photos, at least one, to choose the epoch on.

    Of a single photo the subjects are shared out.

    Args:
        annotations: with four subjects or more in all.
        seed: another seed, another tenth.
    """
    if len(annotations) == 1:
        (one,) = annotations
        annotations = tuple(replace(one, subjects=(subject,)) for subject in one.subjects)
    return hold_out(annotations, seed)


def _read_folder(
    dataset: DataSet, folder: Path, notes: list[str], on_photo: Callable[[], None]
) -> Iterator[Annotation]:
    """The photos that are in no part of the data set, each content once."""
    scored = _hash_all(one.photo for one in (*dataset.val, *dataset.test))
    known = _hash_all(one.photo for one in dataset.train)
    held = twice = 0
    for photo in list_photos(folder):
        content = _hash(photo)
        held += content in scored
        twice += content in known and content not in scored
        if content not in scored and content not in known:
            known.add(content)
            try:
                yield _take_whole(photo)
            except PhotoError as error:
                notes.append(f"left out: {error}")
        on_photo()
    if held:
        notes.append(f"{held} photos in {folder} are in val or test: left out, or the scores would flatter")
    if twice:
        notes.append(f"{twice} photos in {folder} are there twice, or in train: they count once")


def _take_whole(photo: Path) -> Annotation:
    width, height = read_size(photo)
    return Annotation(photo, (width, height), (Subject(Box(0.0, 0.0, float(width), float(height)), ""),), None)


def _without_small(annotation: Annotation) -> Annotation:
    large = tuple(one for one in annotation.subjects if min(one.box.width, one.box.height) >= LEAST_SIDE)
    return replace(annotation, subjects=large)


def _hash_all(photos: Iterable[Path]) -> set[str]:
    return {_hash(photo) for photo in photos}


def _hash(photo: Path) -> str:
    """Of the content; of what cannot be read, which whoever opens it next will say, of its path."""
    try:
        with photo.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return str(photo.resolve())
