"""The data set's labels in another of LabelImg's formats, in a folder of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.config import Config, read_config
from pipeline.dataset import read_dataset
from pipeline.errors import DataError
from pipeline.files import write_text
from pipeline.images import read_header
from pipeline.labels import (
    CLASS_LIST,
    FORMATS,
    Label,
    VocDetails,
    format_label,
    parse_label,
    plain_name,
    read_class_list,
)
from pipeline.problems import Kind, Problem, raise_errors

Format = Literal["yolo", "voc", "createml"]


@dataclass(frozen=True, slots=True)
class Converted:
    """What was written.

    Args:
        folder: where the labels are.
        labels: how many.
        notes: what the user should know of them, a line each.
    """

    folder: Path
    labels: int
    notes: tuple[str, ...]


def convert_labels(file: Path, *, format: Format, folder: Path) -> Converted:
    """Write the label of every photo of train, val and test in another format.

    The photos' folders are kept: those below ``images`` where all photos lie below one folder of that name, else those
    below data.yaml's folder, else those below the folder that all photos share.

    Args:
        file: the data.yaml.
        format: ``yolo``, ``voc`` or ``createml``.
        folder: where to; what is there already stays, and must be the same where a label would have its name.

    Raises:
        DataError: a label cannot be used, no photo has one, or another file has a label's name; nothing was written.
        ExceptionGroup: of ``DataError``, where there are several such files; nothing was written.
        OutputError: a label cannot be written; those before it are.
    """
    config = read_config(file)
    names = config.names
    labels, problems = _read_labels(file, config)
    texts = _format_labels(labels, format, names, folder, _common_folder(file, [label.photo for label in labels]))
    lists = {path.parent / CLASS_LIST for path in texts} if format == "yolo" else set()
    _refuse_others(texts, lists, names)
    for path, text in texts.items():
        if not path.exists():
            write_text(path, text)
    for path in sorted(lists):
        if not path.exists():
            write_text(path, "".join(f"{name}\n" for name in names))
    return Converted(folder, len(texts), tuple(_notes(labels, problems, format)))


def _read_labels(file: Path, config: Config) -> tuple[list[Label], list[Problem]]:
    """The labels, and photos that were left out because they cannot be opened.

    Raises:
        DataError: a label cannot be used, or there is none.
        ExceptionGroup: of ``DataError``, where there are several.
    """
    if config.classes_from != "labels":
        found = f"the classes come from the photos' {config.classes_from}: there are no labels"
        raise DataError(found, where=file, expected="classes_from: labels")
    reading = read_dataset(file, config)
    raise_errors(reading.problems)
    annotations = {annotation.photo: annotation for part in reading.parts.values() for annotation in part}
    labels = []
    for photo, annotation in annotations.items():
        if annotation.label is not None:
            header = read_header(photo)
            turn = header.orientation
            labels.append(parse_label(photo, header.size, annotation.label, config.names, orientation=turn))
    if not labels:
        found = f"none of the {len(annotations)} photos has a label"
        raise DataError(found, where=file, remedy="label some photos first, with make label")
    return labels, [problem for problem in reading.problems if problem.kind is Kind.PHOTO_UNREADABLE]


def _common_folder(file: Path, photos: list[Path]) -> Path:
    """The folder below which the labels' folders are those of the photos."""
    folders = [_absolute(photo).parent for photo in photos]
    images = {_images_folder(folder) for folder in folders}
    if len(images) == 1 and (only := images.pop()) is not None:
        return only
    home = file.resolve().parent
    if all(folder.is_relative_to(home) for folder in folders):
        return home
    try:
        return Path(os.path.commonpath(folders))
    except ValueError as error:  # on several Windows drives
        raise DataError("photos on several drives", where=file, remedy="put them on one") from error


def _absolute(path: Path) -> Path:
    """Without ``..``, but with links as they are: the folders that the user sees are those that are kept."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.resolve would follow links


def _images_folder(folder: Path) -> Path | None:
    """The last ``images`` above or at a folder, in whose place ``labels`` is looked for."""
    return next((above for above in (folder, *folder.parents) if above.name == "images"), None)


def _format_labels(
    labels: Iterable[Label], format: str, names: tuple[str, ...], folder: Path, common: Path
) -> dict[Path, str]:
    """What goes where.

    Raises:
        ExceptionGroup: of ``DataError``, where photos share the name of a label, but not what it holds.
    """
    texts: dict[Path, str] = {}
    errors = []
    for label in labels:
        photo = _absolute(label.photo)
        path = folder / photo.parent.relative_to(common) / f"{photo.stem}{FORMATS[format]}"
        text = format_label(label, format, names)
        if texts.setdefault(path, text) != text:
            found = f"would share the label {path.name} with another photo"
            errors.append(DataError(found, where=label.photo, remedy="rename one of them, and its label with it"))
    if errors:
        raise ExceptionGroup("photos that share a label", errors)
    return texts


def _refuse_others(texts: dict[Path, str], lists: Iterable[Path], names: tuple[str, ...]) -> None:
    """See that nothing else has the names of what will be written.

    Raises:
        ExceptionGroup: of ``DataError``, one for each file that is in the way.
    """
    remedy = "choose another folder with --out, or remove the file"
    errors = [
        DataError("is there already, with other content", where=path, remedy=remedy)
        for path, text in texts.items()
        if path.exists() and not _holds(path, text)
    ]
    errors += [
        DataError("is there already, with other classes than names", where=path, remedy=remedy)
        for path in sorted(lists)
        if path.exists() and read_class_list(path) != tuple(map(plain_name, names))
    ]
    if errors:
        raise ExceptionGroup("files in the way", errors)


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8")
    except OSError:
        return False


def _notes(labels: list[Label], unreadable: list[Problem], format: str) -> list[str]:
    notes = [f"left out: {problem}" for problem in unreadable]
    unclear = [one for label in labels for one in label.problems if one.kind is Kind.ORIENTATION_UNCLEAR]
    if unclear:
        notes.append(f"{len(unclear)} labels may be of photos before they were turned upright, the first: {unclear[0]}")
    turned = sum(problem.kind is Kind.ORIENTATION_MAPPED for label in labels for problem in label.problems)
    if turned:
        notes.append(f"{turned} labels were drawn on photos that were not upright yet: their boxes are turned")
    difficult = sum(box.difficult for label in labels for box in label.boxes)
    verified = sum(isinstance(label.details, VocDetails) and label.details.verified for label in labels)
    if format != "voc" and difficult:
        notes.append(f"{difficult} boxes lose their mark 'difficult', which only voc has")
    if format != "voc" and verified:
        notes.append(f"{verified} labels lose their mark 'verified', which only voc has")
    return notes
