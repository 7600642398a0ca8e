"""The data set that data.yaml names: its photos and labels, split for training, choosing and scoring."""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
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
    notes += _absent_classes(train, config.names)
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
        ExceptionGroup: of ``DataError``, one for each label that cannot be used.
    """
    annotations, errors = [], []
    _check_class_lists(photos, class_names)
    for photo in photos:
        try:
            annotations.append(read_label(photo, read_size(photo), find_label(photo), class_names))
        except PhotoError as error:
            notes.append(f"left out: {error}")
        except DataError as error:
            errors.append(error)
    if errors:
        more = len(errors) - _MOST_ERRORS
        shown = errors[:_MOST_ERRORS] + ([DataError(f"and {more} more labels like these")] if more > 0 else [])
        raise ExceptionGroup("labels that cannot be used", shown)
    notes += _count_notes(annotations, photos, part)
    return tuple(annotations)


def split_annotations(
    annotations: Iterable[Annotation], *, fraction: float, seed: int
) -> tuple[tuple[Annotation, ...], tuple[Annotation, ...]]:
    """Split photos in two, each class in both, by its rarest class; the same seed and photos give the same split.

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
    counts = Counter(name for annotation in ordered for name in _class_names(annotation))
    strata: dict[str, list[Annotation]] = defaultdict(list)
    for annotation in ordered:
        rarest = min(_class_names(annotation), key=lambda name: (counts[name], name), default="")
        strata[rarest].append(annotation)
    shuffled = [annotation for name in sorted(strata) for annotation in _shuffled(strata[name], seed)]
    step = max(2, round(1 / fraction))
    second = {annotation.photo for annotation in shuffled[step // 2 :: step]}
    return (
        tuple(annotation for annotation in ordered if annotation.photo not in second),
        tuple(annotation for annotation in ordered if annotation.photo in second),
    )


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


def _count_notes(annotations: list[Annotation], photos: list[Path], part: str) -> list[str]:
    notes = []
    unlabelled = sum(annotation.label is None for annotation in annotations)
    if unlabelled:
        notes.append(f"{part}: {unlabelled} of {len(annotations)} photos have no label and count as background")
    orphans = _orphans(annotations, photos)
    if orphans:
        notes.append(f"{part}: {len(orphans)} labels have no photo, such as {orphans[0]}")
    return notes


def _orphans(annotations: list[Annotation], photos: list[Path]) -> list[Path]:
    """Labels without a photo, in the folders where the others' labels are."""
    folders: dict[Path, set[Path]] = defaultdict(set)
    for annotation in annotations:
        if annotation.label is not None:
            folders[annotation.label.parent].add(annotation.photo.parent)
    orphans = []
    for folder, parents in folders.items():
        stems = {photo.stem for photo in photos} | {
            p.stem for parent in parents for p in parent.iterdir() if is_photo(p)
        }
        labels = (
            path for path in sorted(folder.iterdir()) if path.suffix in LABEL_SUFFIXES and path.name != CLASS_LIST
        )
        orphans += [label for label in labels if label.stem not in stems and not _is_photo_list(label)]
    return orphans


def _is_photo_list(path: Path) -> bool:
    """``data.train.txt`` and its like, which ``cropsort init`` puts beside the photos."""
    return path.suffix == ".txt" and path.stem.rpartition(".")[2] in ("train", "val", "test")


def _carve_note(kept: int, photos: int, seed: int) -> str:
    return f"data.yaml names no val: {kept} of {photos} training photos are kept back (seed {seed})"


def _absent_classes(train: tuple[Annotation, ...], class_names: tuple[str, ...]) -> list[str]:
    present = {name for annotation in train for name in _class_names(annotation)}
    return [f"no training photo shows '{name}': it cannot be learnt" for name in class_names if name not in present]


def _class_names(annotation: Annotation) -> list[str]:
    return [subject.class_name for subject in annotation.subjects]


def _shuffled(annotations: list[Annotation], seed: int) -> list[Annotation]:
    return random.Random(seed).sample(annotations, len(annotations))
