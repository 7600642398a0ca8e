"""From a folder of photos, labelled or sorted or neither yet, to a data.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from pipeline.corrected import without_corrected
from pipeline.dataset import keep_back, list_photos
from pipeline.errors import CropsortError, DataError
from pipeline.files import write_text
from pipeline.labels import CLASS_LIST, find_label, label_folders, names_in_label, read_class_list
from pipeline.lists import list_file, write_list
from pipeline.problems import Kind, raise_errors, summarise
from pipeline.reading import read_parts
from pipeline.sorted_photos import ClassesFrom, SortedBy, find_sorted_names

_PARTS = {"train": ("train", "training"), "val": ("val", "valid", "validation"), "test": ("test",)}


@dataclass(frozen=True, slots=True)
class NewDataSet:
    """What ``init_dataset`` wrote.

    Args:
        file: the data.yaml.
        class_names: the classes found.
        classes_from: what says the class of a photo, as in data.yaml.
        photos: how many photos are in each part, by ``train``, ``val``, ``test``.
        notes: what the user should know, a line each.
    """

    file: Path
    class_names: tuple[str, ...]
    classes_from: ClassesFrom
    photos: dict[str, int]
    notes: tuple[str, ...]


def init_dataset(
    folder: Path,
    file: Path,
    *,
    seed: int = 0,
    classes_from: ClassesFrom | None = None,
    class_names: tuple[str, ...] = (),
) -> NewDataSet:
    """Find the classes, split the photos, and write the data.yaml and its lists of photos.

    Folders called ``train``, ``val`` and ``test`` are taken as they are; else every fifth photo or so becomes val, each
    class in both parts, near duplicates and bursts in one. Photos that nobody has labelled yet are not split.

    Args:
        folder: photos, labelled in LabelImg, or sorted into classes, or neither yet.
        file: the data.yaml to write; must not exist.
        seed: of the split.
        classes_from: what says the class, as in data.yaml; by default the labels where there are any, or where
            ``class_names`` are given for labels to come, else the folders where all photos lie in several.
        class_names: the classes, in their order; by default those found, by name.

    Raises:
        DataError: no photos, no classes, or labels that cannot be used.
        CropsortError: ``file`` is there already.
        OutputError: it cannot be written there.
    """
    if file.exists():
        raise CropsortError("is there already", where=file, remedy="move it away, or choose another name with --data")
    places = _find_parts(folder)
    parts = {part: without_corrected(list_photos(place), file) for part, place in places.items()}
    by = classes_from or ("labels" if class_names else _guess(places, parts))
    photos = [photo for part in parts.values() for photo in part]
    names = find_class_names(photos, class_names) if by == "labels" else class_names or _find_sorted_names(photos, by)
    reading = read_parts(parts, names, classes_from=by)
    raise_errors(reading.problems)
    read = dict(reading.parts)
    if "val" not in read and any(annotation.subjects for annotation in read["train"]):
        read["train"], read["val"] = keep_back(read["train"], seed=seed)
    read = {part: read[part] for part in _PARTS if part in read}
    for part, annotations in read.items():
        write_list(list_file(file, part), (annotation.photo for annotation in annotations))
    write_text(file, _format(file, tuple(read), names, seed, by))
    counts = {part: len(annotations) for part, annotations in read.items()}
    labelled = any(annotation.subjects for part in read.values() for annotation in part)
    said = [problem for problem in reading.problems if labelled or problem.kind is not Kind.LABEL_MISSING]
    return NewDataSet(file, names, by, counts, tuple(summarise(said)))


def _guess(places: dict[str, Path], parts: dict[str, list[Path]]) -> ClassesFrom:
    """Labels where there is one; folders where photos lie in several of them, and none beside them."""
    if any(find_label(photo) is not None for photos in parts.values() for photo in photos):
        return "labels"
    apart = all(photo.parent != places[part] for part, photos in parts.items() for photo in photos)
    several = len({photo.parent.name for photos in parts.values() for photo in photos}) > 1
    return "folders" if apart and several else "labels"


def _find_sorted_names(photos: list[Path], by: SortedBy) -> tuple[str, ...]:
    names = find_sorted_names(photos, by)
    if not names:
        expected = "photos such as apple/001.jpg" if by == "folders" else "photos such as apple.001.jpg"
        raise DataError(f"no class in the {by} of the photos", where=photos[0].parent, expected=expected)
    return names


def find_class_names(photos: list[Path], given: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Class names of labelled photos: those of classes.txt in its order, those given, then others by name.

    Raises:
        DataError: there are no labels, or labels of numbers only without a classes.txt, or two that disagree.
    """
    labels = [label for label in map(find_label, photos) if label is not None]
    listed = _class_list(photos) or given
    named = sorted(set().union(*(names_in_label(label) for label in labels)))
    numbers = next((label for label in labels if label.suffix == ".txt" and label.stat().st_size), None)
    if numbers is not None and not listed:
        found, remedy = f"class numbers, but no {CLASS_LIST}", f"put LabelImg's {CLASS_LIST} beside the labels"
        raise DataError(found, where=numbers, remedy=remedy)
    if not (listed or named):
        remedy = "name the classes and draw boxes: cropsort init FOLDER --names 'apple, pear', then cropsort label"
        found = "no LabelImg files beside or below the photos"
        raise DataError(found, where=photos[0].parent, remedy=remedy)
    return tuple(dict.fromkeys((*listed, *given, *named)))


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


def _format(file: Path, parts: tuple[str, ...], class_names: tuple[str, ...], seed: int, by: ClassesFrom) -> str:
    settings: dict[str, object] = {part: list_file(file, part).name for part in parts}
    settings |= {"names": dict(enumerate(class_names)), "seed": seed}
    if by != "labels":
        settings["classes_from"] = by
    text = yaml.safe_dump(settings, allow_unicode=True, sort_keys=False)
    return text + _HINTS.format(detector=_DETECTOR_HINTS if by == "labels" else _CROPPER_HINTS)


_HINTS = """
# Settings, each with a default that fits a few hundred photos; remove the # to change one.
# detector:
{detector}# classifier:
#   start: yolo11n-cls.pt
#   epochs: 30
# Model, image size (imgsz) and batch are chosen for the machine at hand; cropsort tune shows which and why.
# memory: 4GB            # most that training may take
# time: 2h               # longest that a stage may train: larger models are chosen only within it
"""

_DETECTOR_HINTS = """\
#   start: yolov5nu.pt   # weights that know everyday photos: fetched once, 5 MB, and worth it for photos of your own
#   epochs: 60
"""

_CROPPER_HINTS = """\
#   weights: weights/mine/detector.pt   # a detector trained before, which crops the subject out of its background
"""
