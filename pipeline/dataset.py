"""The data set that data.yaml names: its photos and labels, split for training, choosing and scoring."""

from __future__ import annotations

import hashlib
import random
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from pipeline.config import Config
from pipeline.errors import DataError, PhotoError
from pipeline.images import is_photo, list_files, read_size
from pipeline.labels import (
    CLASS_LIST,
    LABEL_SUFFIXES,
    Annotation,
    find_label,
    label_folders,
    read_class_list,
    read_label,
)

VAL_FRACTION = 0.2
"""Part of the training photos kept back where data.yaml names no ``val``."""

_MOST_ERRORS = 20


@dataclass(frozen=True, slots=True)
class DataSet:
    """Annotated photos.

    Args:
        name: what ``weights/`` and ``runs/`` call it.
        file: its data.yaml.
        class_names: in the order of the numbers in the labels.
        train: to learn from.
        val: to choose epochs and thresholds on.
        test: to score, never to choose on; may be empty.
        notes: what the user should know of it, a line each.
    """

    name: str
    file: Path
    class_names: tuple[str, ...]
    train: tuple[Annotation, ...]
    val: tuple[Annotation, ...]
    test: tuple[Annotation, ...]
    notes: tuple[str, ...]


def load_dataset(file: Path, config: Config) -> DataSet:
    """Read all photos' sizes and labels.

    Args:
        file: the data.yaml.
        config: what it says.

    Raises:
        DataError: a folder is missing, unreadable or without photos, or nothing is labelled.
        ExceptionGroup: of ``DataError``, one for each label that cannot be used.
    """
    notes: list[str] = []
    split = {
        part: read_annotations(_photos(file, config, places), config.names, part=part, notes=notes)
        for part, places in (("train", config.train), ("val", config.val), ("test", config.test))
        if places is not None
    }
    train, val = split["train"], split.get("val")
    if val is None:
        train, val = split_annotations(train, fraction=VAL_FRACTION, seed=config.seed)
        notes.append(_carve_note(len(val), len(train) + len(val), config.seed))
    for part, annotations in (("train", train), ("val", val)):
        if not any(annotation.subjects for annotation in annotations):
            raise DataError(f"no labelled box in {part}", where=file, remedy="label some photos in LabelImg first")
    notes += orphan_notes(split.values())
    notes += _absent_classes(train, config.names)
    notes += _shared_notes({"train": train, "val": val, "test": split.get("test", ())})
    return DataSet(dataset_name(file, config), file, config.names, train, val, split.get("test", ()), tuple(notes))


def dataset_name(file: Path, config: Config) -> str:
    """``name`` in data.yaml; else the folder it lies in, or its own name where it is not called data.yaml."""
    own = file.resolve()
    return config.name or (own.parent.name if own.name == "data.yaml" else own.stem)


def read_annotations(
    photos: list[Path], class_names: tuple[str, ...], *, part: str, notes: list[str]
) -> tuple[Annotation, ...]:
    """Read the labels of some photos; photos that cannot be opened are left out, and said in ``notes``.

    Raises:
        DataError: none of the photos can be opened.
        ExceptionGroup: of ``DataError``, one for each label that cannot be used.
    """
    annotations, errors, left_out = [], [], []
    _check_class_lists(photos, class_names)
    for photo in photos:
        try:
            annotations.append(read_label(photo, read_size(photo), find_label(photo), class_names))
        except PhotoError as error:
            left_out.append(error)
        except DataError as error:
            errors.append(error)
    if errors:
        more = len(errors) - _MOST_ERRORS
        shown = errors[:_MOST_ERRORS] + ([DataError(f"and {more} more labels like these")] if more > 0 else [])
        raise ExceptionGroup("labels that cannot be used", shown)
    if left_out and not annotations:
        found = f"none of the {len(left_out)} photos of {part} can be opened, the first: {left_out[0].found}"
        raise DataError(found, where=left_out[0].where, remedy="check where the photos are")
    notes += [f"left out: {error}" for error in left_out]
    notes += _background_notes(annotations, part)
    return tuple(annotations)


def split_annotations(
    annotations: Iterable[Annotation], *, fraction: float, seed: int
) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Split photos in two; the same seed and photos give the same split.

    The classes have their turn, the rarest first, the background last: photos of each go to the second half until it
    has its part of them, at least one, but never the last photo of any class in the first half.

    Args:
        annotations: in any order.
        fraction: part of the second half, 0 to 1.
        seed: of the shuffle.

    Raises:
        DataError: there are fewer than two photos.
    """
    ordered = sorted(annotations, key=lambda annotation: annotation.photo.as_posix())
    if len(ordered) < 2:
        raise DataError(f"{len(ordered)} photo to split", expected="at least two", remedy="add photos")
    second = _choose_second(random.Random(seed).sample(ordered, len(ordered)), fraction)
    return (
        tuple(annotation for annotation in ordered if annotation.photo not in second),
        tuple(annotation for annotation in ordered if annotation.photo in second),
    )


def _choose_second(shuffled: list[Annotation], fraction: float) -> set[Path]:
    showing: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in shuffled:
        for name in _strata(annotation):
            showing[name].append(annotation)
    left = {name: len(found) for name, found in showing.items()}
    second: set[Path] = set()
    for name in sorted(showing, key=lambda name: (name == "", len(showing[name]), name)):
        taken = len(showing[name]) - left[name]
        wanted = max(1, round(fraction * len(showing[name])))
        free = [annotation for annotation in showing[name] if annotation.photo not in second]
        for annotation in free:
            if taken < wanted and all(left[shown] > 1 for shown in _strata(annotation)):
                second.add(annotation.photo)
                taken += 1
                for shown in _strata(annotation):
                    left[shown] -= 1
    return second


def digest(annotations: Iterable[Annotation]) -> str:
    """A short hash of the photos' names and sizes and of what is labelled in them, not of where they lie."""
    lines = sorted(f"{a.photo.name} {a.photo.stat().st_size} {a.size} {a.subjects}" for a in annotations)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]


def list_photos(folder: Path) -> list[Path]:
    """All photos in a folder and below.

    Raises:
        DataError: the folder is missing, unreadable, or holds no photo.
    """
    photos = [path for path in list_files(folder).files if is_photo(path)]
    if not photos:
        raise DataError("no photos in this folder", where=folder, expected="JPEG, PNG, HEIC or the like")
    return photos


def _photos(file: Path, config: Config, places: tuple[str, ...]) -> list[Path]:
    base = file.resolve().parent / (config.path or "")
    found: list[Path] = []
    for place in places:
        path = _resolve(base, place)
        found += _read_list(path) if path.suffix == ".txt" and path.is_file() else list_photos(path)
    return list(dict.fromkeys(found))


def _resolve(base: Path, place: str) -> Path:
    path = base / place
    if not path.exists() and place.startswith(
        "../"
    ):  # Roboflow's data.yaml is off by a folder; Ultralytics mends it so
        return base / place[3:]
    return path


def _read_list(path: Path) -> list[Path]:
    """Photos named in a text file, one a line, relative to the file."""
    try:
        names = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"cannot be read ({error})", where=path, expected="a list of photos in UTF-8") from error
    if not names:
        raise DataError("names no photo", where=path, expected="the path of a photo in each line")
    return [path.parent / name for name in names]


def _check_class_lists(photos: list[Path], class_names: tuple[str, ...]) -> None:
    """A classes.txt in another order than ``names`` means that every number in the labels means something else."""
    for folder in dict.fromkeys(
        folder for parent in dict.fromkeys(p.parent for p in photos) for folder in label_folders(parent)
    ):
        path = folder / CLASS_LIST
        if not path.is_file():
            continue
        for index, (listed, named) in enumerate(zip(read_class_list(path), class_names, strict=False)):
            if listed != named:
                found = f"class {index} is '{listed}' here and '{named}' in names of data.yaml"
                raise DataError(found, where=path, line=index + 1, remedy="bring both lists into the same order")


def orphan_notes(parts: Iterable[tuple[Annotation, ...]]) -> list[str]:
    """Say how many labels have no photo, in the folders where the others' labels are.

    All parts are looked at together: photos of train and val may have their labels in one folder.
    """
    folders: dict[Path, set[Path]] = defaultdict(set)
    for annotation in (annotation for annotations in parts for annotation in annotations):
        if annotation.label is not None:
            folders[annotation.label.parent].add(annotation.photo.parent)
    orphans = [label for folder, parents in folders.items() for label in _labels_without(folder, parents)]
    return [f"{len(orphans)} labels have no photo, such as {orphans[0]}"] if orphans else []


def _labels_without(folder: Path, parents: set[Path]) -> list[Path]:
    """Labels in ``folder`` that no photo in ``parents`` has the name of."""
    stems = {path.stem for parent in parents for path in parent.iterdir() if is_photo(path)}
    labels = (path for path in sorted(folder.iterdir()) if path.suffix in LABEL_SUFFIXES and path.name != CLASS_LIST)
    return [label for label in labels if label.stem not in stems and not _is_photo_list(label)]


def _background_notes(annotations: list[Annotation], part: str) -> list[str]:
    unlabelled = sum(annotation.label is None for annotation in annotations)
    if not unlabelled:
        return []
    return [f"{part}: {unlabelled} of {len(annotations)} photos have no label and count as background"]


def _is_photo_list(path: Path) -> bool:
    """``data.train.txt`` and its like, which ``cropsort init`` puts beside the photos."""
    return path.suffix == ".txt" and path.stem.rpartition(".")[2] in ("train", "val", "test")


def _shared_notes(parts: dict[str, tuple[Annotation, ...]]) -> list[str]:
    """A photo that was learnt from says nothing about photos to come."""
    photos = {part: {annotation.photo for annotation in annotations} for part, annotations in parts.items()}
    return [
        f"{len(photos[one] & photos[other])} photos are in {one} and in {other}: the scores will flatter"
        for one, other in combinations(photos, 2)
        if photos[one] & photos[other]
    ]


def _carve_note(kept: int, photos: int, seed: int) -> str:
    return f"data.yaml names no val: {kept} of {photos} training photos are kept back (seed {seed})"


def _absent_classes(train: tuple[Annotation, ...], class_names: tuple[str, ...]) -> list[str]:
    present = {name for annotation in train for name in _class_names(annotation)}
    return [f"no training photo shows '{name}': it cannot be learnt" for name in class_names if name not in present]


def _class_names(annotation: Annotation) -> list[str]:
    return [subject.class_name for subject in annotation.subjects]


def _strata(annotation: Annotation) -> set[str]:
    """The classes that a photo shows; the empty one for a background."""
    return set(_class_names(annotation)) or {""}
