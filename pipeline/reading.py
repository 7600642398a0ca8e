"""Photos and their labels, read without stopping: whatever is wrong becomes a problem, and the rest is used."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.balance import PREDEFINED_CLASSES
from pipeline.errors import DataError, PhotoError
from pipeline.exif import Header
from pipeline.images import read_header
from pipeline.labels import (
    CLASS_LIST,
    LABEL_SUFFIXES,
    Annotation,
    find_labels,
    label_folders,
    parse_label,
    plain_name,
    read_class_list,
)
from pipeline.listing import is_photo
from pipeline.problems import Kind, Problem
from pipeline.sorted_photos import annotate_sorted, find_class

_SUFFIXES = {
    "JPEG": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "MPO": (".mpo", ".jpg", ".jpeg", ".jpe", ".jfif"),  # what many phones write behind .jpg
    "PNG": (".png",),
    "WEBP": (".webp",),
    "HEIF": (".heic", ".heif", ".hif"),
    "AVIF": (".avif",),
    "TIFF": (".tif", ".tiff"),
    "BMP": (".bmp",),
    "GIF": (".gif",),
}

_BEGINNING = 1000  # letters of a text that tell what it is


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in some photos and labels.

    Args:
        parts: the annotations by part; photos that cannot be opened are left out.
        problems: everything wrong with them.
    """

    parts: dict[str, tuple[Annotation, ...]]
    problems: tuple[Problem, ...]


def read_parts(
    parts: dict[str, list[Path]],
    class_names: tuple[str, ...],
    *,
    classes_from: Literal["labels", "folders", "names"] = "labels",
) -> Reading:
    """Read headers and labels of all photos.

    Args:
        parts: the photos by part.
        class_names: in the order of the numbers in the labels.
        classes_from: what says the class of a photo, as in data.yaml.

    Raises:
        DataError: of a part no photo can be opened, or a folder of labels may not be read.
    """
    reader = _Reader(class_names, classes_from, label_folders)
    read = {}
    for part, photos in parts.items():
        read[part], errors = reader.read(photos)
        check_any_left(read[part], errors, part)
    problems = reader.problems
    if classes_from == "labels":
        annotations = [annotation for part in read.values() for annotation in part]
        problems += reader.check_together([photo for photos in parts.values() for photo in photos], annotations)
    return Reading(read, tuple(problems))


def read_beside(photos: list[Path], class_names: tuple[str, ...]) -> tuple[tuple[Annotation, ...], tuple[Problem, ...]]:
    """The same for labelled photos whose labels lie beside them and nowhere else; there need not be any.

    Args:
        photos: files.
        class_names: in the order of the numbers in the labels.
    """
    reader = _Reader(class_names, "labels", lambda folder: [folder])
    annotations, _ = reader.read(photos)
    return annotations, (*reader.problems, *reader.check_together(photos, annotations))


class _Reader:
    def __init__(
        self,
        class_names: tuple[str, ...],
        classes_from: Literal["labels", "folders", "names"],
        places: Callable[[Path], list[Path]],
    ) -> None:
        self.problems: list[Problem] = []
        self._class_names = class_names
        self._classes_from = classes_from
        self._places = places  # where labels of the photos in a folder may lie
        self._seen: set[Path] = set()

    def read(self, photos: list[Path]) -> tuple[tuple[Annotation, ...], list[PhotoError]]:
        annotations, errors = [], []
        for photo in photos:
            try:
                annotation, problems = self._read_photo(photo, read_header(photo))
            except PhotoError as error:
                annotation, problems = None, [unreadable(photo, error)]
                errors.append(error)
            if annotation is not None:
                annotations.append(annotation)
            if photo not in self._seen:  # a photo in two parts has each problem once
                self.problems += problems
                self._seen.add(photo)
        return tuple(annotations), errors

    def check_together(self, photos: Iterable[Path], annotations: Iterable[Annotation]) -> list[Problem]:
        """What is wrong with lists of classes, and with labels that belong to several photos or to none."""
        parents = dict.fromkeys(photo.parent for photo in photos)
        folders = dict.fromkeys(folder for parent in parents for folder in self._places(parent))
        given = list(annotations)
        return [*_check_class_lists(folders, self._class_names), *_find_shared(given), *_find_orphans(given)]

    def _read_photo(self, photo: Path, header: Header) -> tuple[Annotation | None, list[Problem]]:
        read = self._read_labelled if self._classes_from == "labels" else self._read_sorted
        annotation, problems = read(photo, header)
        return annotation, [*_check_suffix(photo, header), *problems]

    def _read_labelled(self, photo: Path, header: Header) -> tuple[Annotation, list[Problem]]:
        labels = find_labels(photo, self._places(photo.parent))
        if not labels:
            found = "has no label beside it, nor in a folder of labels"
            return Annotation(photo, header.size, (), None), [Problem(Kind.LABEL_MISSING, photo, found, photo=photo)]
        label = parse_label(photo, header.size, labels[0], self._class_names, orientation=header.orientation)
        problems = [*label.problems]
        if len(labels) > 1:
            found = f"{labels[0]} is used, not {', '.join(map(str, labels[1:]))}"
            problems.append(Problem(Kind.LABEL_SEVERAL, photo, found, photo=photo))
        return label.annotation, problems

    def _read_sorted(self, photo: Path, header: Header) -> tuple[Annotation | None, list[Problem]]:
        assert self._classes_from != "labels"
        name = find_class(photo, self._class_names, self._classes_from)
        if name is None:
            found = f"says no class in its {'folder' if self._classes_from == 'folders' else 'name'}"
            return None, [Problem(Kind.CLASS_UNTOLD, photo, found, photo=photo)]
        return annotate_sorted(photo, header.size, name), []


def unreadable(photo: Path, error: PhotoError) -> Problem:
    """The problem that a photo which cannot be opened is."""
    return Problem(Kind.PHOTO_UNREADABLE, photo, error.found)


def check_any_left(annotations: Iterable[Annotation], errors: list[PhotoError], part: str) -> None:
    """See that photos are left in a part.

    Raises:
        DataError: none can be opened.
    """
    if errors and not any(True for _ in annotations):
        found = f"none of the {len(errors)} photos of {part} can be opened, the first: {errors[0].found}"
        raise DataError(found, where=errors[0].where, remedy="check where the photos are")


def _check_suffix(photo: Path, header: Header) -> list[Problem]:
    right = _SUFFIXES.get(header.format, ())
    if not right or photo.suffix.lower() in right:
        return []
    found = f"is {header.format} inside"
    remedy = f"call it {photo.stem}{right[0]}, or other programs will stumble"
    return [Problem(Kind.PHOTO_SUFFIX, photo, found, photo=photo, remedy=remedy)]


def _check_class_lists(folders: Iterable[Path], class_names: tuple[str, ...]) -> list[Problem]:
    """A classes.txt in another order than ``names`` means that every number in the labels means something else."""
    lists = [folder / CLASS_LIST for folder in folders if (folder / CLASS_LIST).is_file()]
    return [problem for path in lists for problem in _check_class_list(path, class_names)]


def _check_class_list(path: Path, class_names: tuple[str, ...]) -> list[Problem]:
    try:
        listed = read_class_list(path)
    except DataError as error:
        return [Problem(Kind.LABEL_UNREADABLE, path, error.found, remedy=error.remedy)]
    own = len(PREDEFINED_CLASSES)
    if listed[:own] == PREDEFINED_CLASSES and class_names[:own] != PREDEFINED_CLASSES:
        found = (
            f"begins with the {own} classes that LabelImg brings along ({', '.join(listed[:3])} ...), names does not"
        )
        return [Problem(Kind.CLASS_PREDEFINED, path, found, line=1)]
    for index, (here, named) in enumerate(zip(listed, class_names, strict=False)):
        if here != plain_name(named):
            found = f"class {index} is '{here}' here and '{named}' in names of data.yaml"
            return [Problem(Kind.CLASS_LIST_DIFFERS, path, found, line=index + 1)]
    return []


def _find_shared(annotations: list[Annotation]) -> list[Problem]:
    """Photos that one label is of: ``a.jpg`` and ``a.png``, or two of the same name in neighbouring folders."""
    showing: dict[Path, set[Path]] = defaultdict(set)
    for annotation in annotations:
        showing[annotation.label or annotation.photo.with_name(_plain(annotation.photo.stem))].add(annotation.photo)
    return [_shared(*sorted(photos)) for photos in showing.values() if len(photos) > 1]


def _shared(first: Path, *others: Path) -> Problem:
    found = f"shares its label with {', '.join(map(str, others))}"
    return Problem(Kind.STEM_SHARED, first, found, photo=first, others=others)


def _find_orphans(annotations: list[Annotation]) -> list[Problem]:
    """Labels without a photo, in the folders where the others' labels are.

    All parts are looked at together: photos of train and val may have their labels in one folder.
    """
    folders: dict[Path, set[Path]] = defaultdict(set)
    for annotation in annotations:
        if annotation.label is not None:
            folders[annotation.label.parent].add(annotation.photo.parent)
    return [
        Problem(Kind.LABEL_ORPHAN, label, "no photo has its name")
        for folder, parents in folders.items()
        for label in _labels_without(folder, parents)
    ]


def _labels_without(folder: Path, parents: set[Path]) -> list[Path]:
    """Labels in ``folder`` that no photo in ``parents`` has the name of."""
    stems = {_plain(path.stem) for parent in parents for path in parent.iterdir() if is_photo(path)}
    labels = (path for path in sorted(folder.iterdir()) if path.suffix.lower() in LABEL_SUFFIXES and path.is_file())
    return [label for label in labels if _plain(label.stem) not in stems and _may_be_label(label)]


def _plain(stem: str) -> str:
    """A Mac and Windows write the same Korean name differently."""
    return unicodedata.normalize("NFC", stem)


def _may_be_label(path: Path) -> bool:
    """Not a list of photos, of classes, or a text that somebody wrote: rows of a label begin with a number."""
    if path.name.lower() == CLASS_LIST:  # its first class may be a number
        return False
    if path.suffix.lower() != ".txt":
        return True
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            words = file.read(_BEGINNING).split(maxsplit=1)
    except OSError:  # it may be one
        return True
    return not words or words[0].isdecimal()
