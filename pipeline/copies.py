"""A data set copied into the folders that YOLO wants: ``images/<part>`` and ``labels/<part>``; originals untouched."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import yaml

from pipeline.config import Config
from pipeline.corrected import FOLDER, folder_of
from pipeline.errors import CropsortError, OutputError
from pipeline.files import output_error, write_text
from pipeline.labels import CLASS_LIST, Annotation, format_yolo
from pipeline.listing import list_files
from pipeline.splitting import Annotations

_PLACES = ("path", "train", "val", "test")


def write_copies(folder: Path, file: Path, config: Config, parts: dict[str, Annotations]) -> Path:
    """Copy photos, labels and corrected boxes, and write a data.yaml beside them with the settings of the old one.

    Photos that are sorted instead of labelled go to a folder for each class.

    Args:
        folder: where to; must be empty or missing.
        file: the old data.yaml.
        config: what it says.
        parts: what to copy, by part.

    Returns:
        The new data.yaml.

    Raises:
        CropsortError: something is in ``folder``.
        OutputError: it cannot be written there.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.part")
    try:
        if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
            raise CropsortError("is there already, and not empty", where=folder, remedy="choose another folder")
        for part, annotations in parts.items():
            _copy_part(temporary, part, annotations, config)
        _copy_corrected(folder_of(file), temporary / FOLDER)
        changes: dict[str, Any] = {part: f"images/{part}" for part in parts}
        if config.classes_from != "labels":
            changes["classes_from"] = "folders"
        write_text(temporary / "data.yaml", format_settings(file, changes))
        if folder.exists():
            folder.rmdir()
        temporary.rename(folder)
    except OutputError:
        raise
    except OSError as error:
        raise output_error(error, folder) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder / "data.yaml"


def format_settings(file: Path, changes: dict[str, Any]) -> str:
    """The settings of a data.yaml with others in their place; where photos are, only ``changes`` say.

    Comments are not kept.
    """
    settings = yaml.safe_load(file.read_text(encoding="utf-8-sig"))
    kept = {key: value for key, value in settings.items() if key not in (*_PLACES, *changes)}
    return yaml.safe_dump({**changes, **kept}, allow_unicode=True, sort_keys=False)


def _copy_part(folder: Path, part: str, annotations: Annotations, config: Config) -> None:
    taken: set[str] = set()
    images, labels = folder / "images" / part, folder / "labels" / part
    images.mkdir(parents=True)
    for annotation in annotations:
        stem = _free_stem(annotation.photo.stem, taken)
        if config.classes_from == "labels":
            _copy(annotation.photo, images / f"{stem}{annotation.photo.suffix}")
            _write_label(labels / f"{stem}.txt", annotation, config.names)
        else:
            place = images.joinpath(*(subject.class_name for subject in annotation.subjects))
            _copy(annotation.photo, place / f"{stem}{annotation.photo.suffix}")
    if labels.exists():
        write_text(labels / CLASS_LIST, "".join(f"{name}\n" for name in config.names))


def _copy_corrected(folder: Path, copy: Path) -> None:
    for path in list_files(folder).files if folder.is_dir() else ():
        _copy(path, copy / path.relative_to(folder))


def _free_stem(stem: str, taken: set[str]) -> str:
    """A name that no other photo of the part has, on a Mac and on Windows neither."""
    number, free = 1, stem
    while _fold(free) in taken:
        number += 1
        free = f"{stem}-{number}"
    taken.add(_fold(free))
    return free


def _fold(stem: str) -> str:
    return unicodedata.normalize("NFC", stem).casefold()


def _copy(photo: Path, copy: Path) -> None:
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(photo, copy)


def _write_label(path: Path, annotation: Annotation, class_names: tuple[str, ...]) -> None:
    """A YOLO label stays as it is; of the other formats YOLO knows nothing."""
    if annotation.label is None:
        return
    if annotation.label.suffix == path.suffix:
        _copy(annotation.label, path)
    else:
        write_text(path, format_yolo(annotation, class_names))
