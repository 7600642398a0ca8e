"""From a folder of photos with LabelImg's files to a data.yaml."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import yaml

from pipeline.dataset import VAL_FRACTION, list_photos, orphan_notes, read_annotations, split_annotations
from pipeline.errors import CropsortError, DataError
from pipeline.files import write_text
from pipeline.labels import CLASS_LIST, Annotation, find_label, label_folders, names_in_label, read_class_list

_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True, slots=True)
class NewDataSet:
    """What ``init_dataset`` wrote.

    Args:
        file: the data.yaml.
        class_names: the classes found.
        photos: how many photos are in each part, by ``train``, ``val``, ``test``.
        notes: what the user should know, a line each.
    """

    file: Path
    class_names: tuple[str, ...]
    photos: dict[str, int]
    notes: tuple[str, ...]


def init_dataset(folder: Path, file: Path, *, seed: int = 0) -> NewDataSet:
    """Find the classes in LabelImg's files, split the photos, and write the data.yaml and its lists of photos.

    Folders called ``train``, ``val`` and ``test`` are taken as they are; else every fifth photo or so becomes val, each
    class in both parts.

    Args:
        folder: photos, the labels beside or below them.
        file: the data.yaml to write; must not exist.
        seed: of the split.

    Raises:
        DataError: no photos, no labels, or labels that cannot be used.
        CropsortError: ``file`` is there already.
        OutputError: it cannot be written there.
    """
    if file.exists():
        raise CropsortError("is there already", where=file, remedy="move it away, or choose another name with --data")
    notes: list[str] = []
    parts = {part: list_photos(place) for part, place in _find_parts(folder).items()}
    class_names = find_class_names([photo for photos in parts.values() for photo in photos])
    read = {part: read_annotations(photos, class_names, part=part, notes=notes) for part, photos in parts.items()}
    notes += orphan_notes(read.values())
    if "val" not in read:
        read["train"], read["val"] = split_annotations(read["train"], fraction=VAL_FRACTION, seed=seed)
    read = {part: read[part] for part in _PARTS if part in read}
    for part, annotations in read.items():
        _write_list(_list_file(file, part), annotations)
    write_text(file, _format(file, tuple(read), class_names, seed))
    return NewDataSet(file, class_names, {part: len(annotations) for part, annotations in read.items()}, tuple(notes))


def find_class_names(photos: list[Path]) -> tuple[str, ...]:
    """Class names of labelled photos: those of classes.txt in its order, then others by name.

    Raises:
        DataError: there are no labels, or labels of numbers only without a classes.txt, or two that disagree.
    """
    labels = [label for label in map(find_label, photos) if label is not None]
    listed = _class_list(photos)
    named = set().union(*(names_in_label(label) for label in labels)) - set(listed)
    numbers = next((label for label in labels if label.suffix == ".txt" and label.stat().st_size), None)
    if numbers is not None and not listed:
        found, remedy = f"class numbers, but no {CLASS_LIST}", f"put LabelImg's {CLASS_LIST} beside the labels"
        raise DataError(found, where=numbers, remedy=remedy)
    if not labels or not (listed or named):
        found, remedy = "no LabelImg files beside or below the photos", "draw boxes in LabelImg first"
        raise DataError(found, where=photos[0].parent, remedy=remedy)
    return (*listed, *sorted(named))


def _find_parts(folder: Path) -> dict[str, Path]:
    for root in (folder, folder / "images"):
        found = {part: root / name for part, names in _PARTS.items() for name in names if (root / name).is_dir()}
        if "train" in found:
            # Roboflow keeps images/ and labels/ below train/; the photos are what matters here
            return found
    return {"train": folder}


def _class_list(photos: list[Path]) -> tuple[str, ...]:
    """The longest classes.txt; the others must be beginnings of it, as LabelImg makes them while classes are added."""
    folders = dict.fromkeys(
        folder for parent in dict.fromkeys(photo.parent for photo in photos) for folder in label_folders(parent)
    )
    lists = {
        folder / CLASS_LIST: read_class_list(folder / CLASS_LIST)
        for folder in folders
        if (folder / CLASS_LIST).is_file()
    }
    longest = max(lists.values(), key=len, default=())
    for path, names in lists.items():
        if names != longest[: len(names)]:
            found = f"{', '.join(names)} here, {', '.join(longest)} elsewhere"
            raise DataError(
                found, where=path, expected="one order of classes", remedy="bring the labels into one order"
            )
    return longest


def _list_file(file: Path, part: str) -> Path:
    """The list of a part's photos, named so that no photo's label can have its name."""
    return file.with_name(f"{file.stem}.{part}.txt")


def _write_list(path: Path, annotations: tuple[Annotation, ...]) -> None:
    base = _absolute(path.parent)
    lines = []
    for annotation in annotations:
        photo = _absolute(annotation.photo)
        # Ultralytics takes "./" for the folder of the list, and everything else for an absolute path
        lines.append(f"./{photo.relative_to(base).as_posix()}" if photo.is_relative_to(base) else photo.as_posix())
    write_text(path, "\n".join(lines) + "\n")


def _absolute(path: Path) -> Path:
    return Path(os.path.abspath(path))  # noqa: PTH100 - resolve() follows a link to the photo, away from its label


def _format(file: Path, parts: tuple[str, ...], class_names: tuple[str, ...], seed: int) -> str:
    places = {part: _list_file(file, part).name for part in parts}
    numbered: dict[str, object] = {"names": dict(enumerate(class_names)), "seed": seed}
    text = yaml.safe_dump({**places, **numbered}, allow_unicode=True, sort_keys=False)
    return f"{text}{_HINTS}"


_HINTS = """
# Settings, each with a default that fits a few hundred photos; remove the # to change one.
# detector:
#   start: yolov5nu.pt   # weights that know everyday photos: fetched once, 5 MB, and worth it for photos of your own
#   imgsz: 640           # longer side that the detector sees; smaller is faster, larger finds smaller subjects
#   batch: 16            # smaller where memory runs out
#   epochs: 60
# classifier:
#   start: yolo11n-cls.pt
#   imgsz: 160
#   epochs: 30
"""
