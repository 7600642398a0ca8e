"""Which photos LabelImg shows, and where each one's label is or goes."""

from __future__ import annotations

import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config import Config
from pipeline.dataset import list_parts
from pipeline.errors import CropsortError, DataError, PhotoError
from pipeline.images import read_header
from pipeline.labelimg.plan import Plan, Task
from pipeline.labels import CLASS_LIST, FORMATS, find_label, label_folders, plain_name, read_class_list
from pipeline.problems import Kind, Problem

Part = Literal["train", "val", "test", "all"]

_UPRIGHT_IN_QT = (b"\xff\xd8", b"BM")


@dataclass(frozen=True, slots=True)
class Session:
    """What LabelImg is opened with.

    Args:
        plan: the photos, where their labels go, and the classes.
        notes: what the user should know beforehand, a line each.
    """

    plan: Plan
    notes: tuple[str, ...]


def plan_session(file: Path, config: Config, part: Part) -> Session:
    """Which photos LabelImg shows, and where each one's label is or goes.

    Args:
        file: the data.yaml.
        config: what it says.
        part: ``train``, ``val``, ``test``, or ``all`` of them.

    Raises:
        CropsortError: data.yaml names no such part.
        DataError: the photos cannot be found, none can be shown, or a classes.txt is in another order than ``names``.
    """
    parts = list_parts(file, config)
    if part != "all" and part not in parts:
        raise CropsortError(f"'{part}'", where="--part", expected=f"one of {', '.join([*parts, 'all'])}")
    everywhere = _distinct(photo for photos in parts.values() for photo in photos)
    wanted = set(everywhere if part == "all" else _distinct(parts[part]))
    labels = find_destinations(everywhere, config.label_format)
    shown, notes = _leave_out([photo for photo in everywhere if photo in wanted], labels)
    if not shown:
        raise DataError("none of the photos can be shown", where=file, remedy=notes[-1] if notes else "")
    titles = _titles(shown)
    tasks = tuple(Task(photo, labels[photo], title) for photo, title in zip(shown, titles, strict=True))
    class_names, longer = join_class_lists({task.label.parent for task in tasks}, config.names)
    if config.classes_from != "labels":
        notes.append(f"data.yaml takes the classes from {config.classes_from}: the boxes are not looked at in training")
    return Session(Plan(tasks, class_names), (*notes, *longer))


def find_destinations(photos: list[Path], label_format: str | None) -> dict[Path, Path]:
    """Each photo's label: the one it has, else where one goes.

    A new label goes where those of the photos beside it are, else to ``labels`` in the place of ``images``, else beside
    the photo; a folder that photos of one name in two folders would share is not taken.

    Args:
        photos: all photos of the data set.
        label_format: ``yolo``, ``voc`` or ``createml``; None for what most labels are in, YOLO where there are none.

    Raises:
        DataError: a folder may not be read.
    """
    found = {photo: label for photo in photos if (label := find_label(photo)) is not None}
    most = Counter(label.suffix.lower() for label in found.values()).most_common(1)
    suffix = FORMATS[label_format] if label_format else (most[0][0] if most else FORMATS["yolo"])
    neighbours: dict[Path, Counter[Path]] = defaultdict(Counter)
    for photo, label in found.items():
        neighbours[photo.parent][label.parent] += 1
    named = Counter(_key(photo) for photo in photos)
    return {
        photo: found.get(photo)
        or _place(photo, neighbours[photo.parent], alone=named[_key(photo)] == 1) / f"{photo.stem}{suffix}"
        for photo in photos
    }


def join_class_lists(folders: Iterable[Path], class_names: tuple[str, ...]) -> tuple[tuple[str, ...], list[str]]:
    """The classes to offer: ``names``, then what a classes.txt holds beyond them.

    Args:
        folders: where the labels are.
        class_names: ``names`` of data.yaml.

    Returns:
        The classes, and a note for each list that is longer than ``names``.

    Raises:
        DataError: a list is in another order: the numbers in the labels beside it mean something else.
    """
    joined, notes = list(class_names), []
    for path in sorted(folder / CLASS_LIST for folder in folders):
        listed = read_class_list(path) if path.is_file() else ()
        for number, (here, known) in enumerate(zip(listed, joined, strict=False)):
            if here != plain_name(known):
                found = f"class {number} is '{here}' here and '{known}' in names of data.yaml"
                raise Problem(Kind.CLASS_LIST_DIFFERS, path, found, line=number + 1).as_error()
        joined += listed[len(joined) :]
        if len(listed) > len(class_names):
            notes.append(f"{path} has classes that names in data.yaml lacks: {', '.join(listed[len(class_names) :])}")
    return tuple(joined), notes


def _place(photo: Path, neighbours: Counter[Path], *, alone: bool) -> Path:
    first, *_ = label_folders(photo.parent)  # labels in the place of images, else the photo's own folder
    usual = neighbours.most_common(1)
    return usual[0][0] if usual and (alone or usual[0][0] in (first, photo.parent)) else first


def _leave_out(photos: list[Path], labels: dict[Path, Path]) -> tuple[list[Path], list[str]]:
    """The photos that can be labelled, and why the others cannot."""
    owners: dict[Path, Path] = {}
    left_out: dict[str, list[Path]] = defaultdict(list)
    shown = []
    for photo in photos:
        why = _why_not(photo)
        if not why and owners.setdefault(labels[photo], photo) != photo:
            why = "share a label with another photo: rename them"
        if why:
            left_out[why].append(photo)
        else:
            shown.append(photo)
    return shown, [f"{len(some)} photos, such as {some[0]}, {why}" for why, some in left_out.items()]


def _why_not(photo: Path) -> str:
    """Why LabelImg cannot show a photo upright: Qt knows neither HEIC and AVIF nor the EXIF data of PNG and WebP."""
    try:
        with photo.open("rb") as file:
            begin = file.read(12)
        if begin.startswith(_UPRIGHT_IN_QT):
            return ""
        if begin[4:8] != b"ftyp" and read_header(photo).orientation == 1:
            return ""
    except OSError:
        return "are missing or may not be read"
    except PhotoError:  # the window says so when it comes to it
        return ""
    return f'cannot be shown upright by LabelImg: cropsort import "{photo.parent}" makes copies that can'


def _titles(photos: list[Path]) -> list[str]:
    """Their paths from the folder that all share."""
    try:
        base = os.path.commonpath([photo.parent for photo in photos])
    except ValueError:  # several drives
        return list(map(str, photos))
    return [photo.relative_to(base).as_posix() for photo in photos]


def _distinct(photos: Iterable[Path]) -> list[Path]:
    """Absolute paths, each once; links are not followed, since a label lies beside the link."""
    return list(dict.fromkeys(Path(os.path.abspath(photo)) for photo in photos))  # noqa: PTH100 - resolve() follows


def _key(photo: Path) -> str:
    return unicodedata.normalize("NFC", photo.stem).casefold()
