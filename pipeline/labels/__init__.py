"""LabelImg's three formats: YOLO txt with classes.txt, Pascal VOC xml, CreateML json; read as LabelImg writes them."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from pipeline.boxes import Box
from pipeline.errors import DataError

LABEL_SUFFIXES = (".txt", ".xml", ".json")
"""The formats, in the order in which they are looked for where a photo has several."""

CLASS_LIST = "classes.txt"

_FORMS: tuple[Literal["NFC", "NFD"], ...] = ("NFC", "NFD")  # a Mac and Windows write the same Korean name differently
_LABEL_FOLDERS = ("labels", "annotations", "Annotations")


@dataclass(frozen=True, slots=True)
class Subject:
    """A labelled box.

    Args:
        box: in pixels of the upright photo.
        class_name: what is in it.
    """

    box: Box
    class_name: str


@dataclass(frozen=True, slots=True)
class Annotation:
    """What a label says of a photo.

    Args:
        photo: the photo's file.
        size: width and height of the upright photo in pixels.
        subjects: the labelled boxes; none for a background.
        label: the file they were read from; None where the photo has none.
    """

    photo: Path
    size: tuple[int, int]
    subjects: tuple[Subject, ...]
    label: Path | None


def find_label(photo: Path) -> Path | None:
    """The label of a photo: in ``labels`` in the place of ``images``, beside it, or in a folder of labels nearby."""
    stems = dict.fromkeys((photo.stem, *(unicodedata.normalize(form, photo.stem) for form in _FORMS)))
    names = [f"{stem}{suffix}" for suffix in LABEL_SUFFIXES for stem in stems]
    for folder in label_folders(photo.parent):
        for name in names:
            if name != CLASS_LIST and _is_file(folder / name):
                return folder / name
    return None


def label_folders(folder: Path) -> list[Path]:
    """Where labels of the photos in a folder may lie, the likeliest first."""
    beside = [folder / name for name in _LABEL_FOLDERS] + [folder.parent / name for name in _LABEL_FOLDERS]
    return [*_parallel_folder(folder), folder, *beside]


def read_label(photo: Path, size: tuple[int, int], label: Path | None, class_names: tuple[str, ...]) -> Annotation:
    """Read the label of a photo.

    Args:
        photo: the photo's file.
        size: width and height of the upright photo in pixels.
        label: its label; None makes a background of it.
        class_names: what the numbers in a YOLO label mean.

    Raises:
        DataError: the label cannot be read, or names a class that ``class_names`` lacks, or holds no sensible box.
    """
    if label is None:
        return Annotation(photo, size, (), None)
    readers = {".txt": _read_yolo, ".xml": _read_voc, ".json": _read_createml}
    subjects = readers[label.suffix](photo.name, size, label, class_names)
    return Annotation(photo, size, tuple(subjects), label)


def read_class_list(path: Path) -> tuple[str, ...]:
    """Class names from LabelImg's classes.txt, one a line.

    Raises:
        DataError: it cannot be read.
    """
    return tuple(line.strip() for line in _read_text(path).splitlines() if line.strip())


def names_in_label(label: Path) -> set[str]:
    """Class names that an xml or json label mentions; a txt label has only numbers.

    Raises:
        DataError: it cannot be read.
    """
    if label.suffix == ".xml":
        return {_child(item, "name", label, None) for item in _parse_xml(_read_text(label), label).iter("object")}
    if label.suffix == ".json":
        return {str(item["label"]).strip() for image in _parse_json(label) for item in image["annotations"]}
    return set()


def format_yolo(annotation: Annotation, class_names: tuple[str, ...]) -> str:
    """The label as LabelImg writes YOLO txt: class number, centre, width and height as parts of the photo's size."""
    width, height = annotation.size
    rows = []
    for subject in annotation.subjects:
        left, top, right, bottom = subject.box.edges
        numbers = (
            (left + right) / 2 / width,
            (top + bottom) / 2 / height,
            (right - left) / width,
            (bottom - top) / height,
        )
        rows.append(
            f"{class_names.index(subject.class_name)} " + " ".join(f"{number:.6f}" for number in numbers) + "\n"
        )
    return "".join(rows)


def _is_file(label: Path) -> bool:
    try:
        return label.is_file()
    except PermissionError as error:
        remedy = "give yourself the right to read it, or leave it out"
        raise DataError(f"may not be read ({error.strerror})", where=label.parent, remedy=remedy) from error
    except OSError:  # the photo's name is so long that a label cannot have it
        return False


def _parallel_folder(folder: Path) -> list[Path]:
    """``labels`` in the place of the last ``images`` among the folders, as Ultralytics looks for them."""
    parts = folder.parts
    if "images" not in parts:
        return []
    last = len(parts) - 1 - parts[::-1].index("images")
    return [Path(*parts[:last], "labels", *parts[last + 1 :])]


def _read_text(path: Path) -> str:
    """Text as UTF-8, else as Windows writes it where Korean is set, which LabelImg's classes.txt may be in."""
    try:
        data = path.read_bytes()
        try:
            return data.decode("utf-8-sig")
        except UnicodeDecodeError:
            return data.decode("cp949")
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror})", where=path) from error
    except UnicodeDecodeError as error:
        raise DataError("neither UTF-8 nor Korean Windows text", where=path, remedy="save it as UTF-8") from error


def _read_yolo(_photo: str, size: tuple[int, int], label: Path, class_names: tuple[str, ...]) -> list[Subject]:
    subjects = []
    for number, row in enumerate(_read_text(label).splitlines(), start=1):
        if row.strip():
            subjects.append(_yolo_subject(row, size, label, number, class_names))
    return subjects


def _yolo_subject(row: str, size: tuple[int, int], label: Path, line: int, class_names: tuple[str, ...]) -> Subject:
    fields = row.split()
    try:
        index = int(fields[0])
        x, y, width, height = (float(field) for field in fields[1:])
    except ValueError as error:
        expected = "a class number and four numbers from 0 to 1"
        raise DataError(
            f"'{row.strip()[:60]}'", where=label, line=line, expected=expected, remedy="label it again"
        ) from error
    if not 0 <= index < len(class_names):
        found = f"class {index}, but names has {len(class_names)} (0 to {len(class_names) - 1})"
        raise DataError(found, where=label, line=line, remedy="add the class to names in data.yaml, or label it again")
    edges = (
        (x - width / 2) * size[0],
        (y - height / 2) * size[1],
        (x + width / 2) * size[0],
        (y + height / 2) * size[1],
    )
    return Subject(_make_box(edges, size, label, line), class_names[index])


def _read_voc(photo: str, size: tuple[int, int], label: Path, class_names: tuple[str, ...]) -> list[Subject]:
    text = _read_text(label)
    root = _parse_xml(text, label)
    drawn_on = tuple(_number(root.findtext(f"size/{side}") or "0", label, None) for side in ("width", "height"))
    if all(drawn_on) and drawn_on != size:
        found = f"drawn on {drawn_on[0]:.0f} x {drawn_on[1]:.0f} pixels, {photo} has {size[0]} x {size[1]}"
        raise DataError(found, where=label, remedy="label the photo again as it is now")
    lines = [text.count("\n", 0, match.start()) + 1 for match in re.finditer(r"<object\b", text)]
    items = zip(root.iter("object"), lines, strict=False)
    return [_voc_subject(item, size, label, line, class_names) for item, line in items]


def _voc_subject(
    item: ElementTree.Element, size: tuple[int, int], label: Path, line: int, class_names: tuple[str, ...]
) -> Subject:
    name = _child(item, "name", label, line)
    corners = ("xmin", "ymin", "xmax", "ymax")
    edges = [_number(_child(item, f"bndbox/{edge}", label, line), label, line) for edge in corners]
    return Subject(_make_box(edges, size, label, line), _known(name, label, line, class_names))


def _read_createml(photo: str, size: tuple[int, int], label: Path, class_names: tuple[str, ...]) -> list[Subject]:
    images = _parse_json(label)
    mine = [image for image in images if _same_name(str(image["image"]), photo)]
    if images and not mine:
        found, remedy = (
            f"is of {images[0]['image']}, not of {photo}",
            "give the photo that name again, or label it again",
        )
        raise DataError(found, where=label, remedy=remedy)
    return [_createml_subject(item, size, label, class_names) for image in mine for item in image["annotations"]]


def _createml_subject(
    item: dict[str, object], size: tuple[int, int], label: Path, class_names: tuple[str, ...]
) -> Subject:
    name, where = str(item["label"]).strip(), item["coordinates"]
    if not isinstance(where, dict):
        raise DataError("'coordinates' is no object", where=label, expected="x, y, width and height in pixels")
    x, y, width, height = (_number(str(where.get(key, "")), label, None) for key in ("x", "y", "width", "height"))
    edges = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
    return Subject(_make_box(edges, size, label, None), _known(name, label, None, class_names))


def _same_name(one: str, other: str) -> bool:
    return unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)


def _parse_xml(text: str, label: Path) -> ElementTree.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        raise DataError("declares entities, which LabelImg never does", where=label, remedy="label the photo again")
    try:
        return ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise DataError(
            f"not XML ({error.msg})", where=label, line=error.position[0], remedy="label the photo again"
        ) from error


def _parse_json(label: Path) -> list[dict[str, Any]]:
    try:
        images: list[dict[str, Any]] = json.loads(_read_text(label))
        items = [item for image in images for item in image["annotations"]]
        if all({"label", "coordinates"} <= set(item) for item in items) and all("image" in image for image in images):
            return images
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise DataError(
        "not a CreateML label", where=label, expected="what LabelImg writes", remedy="label the photo again"
    )


def _child(item: ElementTree.Element, path: str, label: Path, line: int | None) -> str:
    text = item.findtext(path)
    if not text or not text.strip():
        raise DataError(f"an object without <{path}>", where=label, line=line, remedy="label the photo again")
    return text.strip()


def _number(text: str, label: Path, line: int | None) -> float:
    try:
        return float(text)
    except ValueError as error:
        raise DataError(f"'{text}' is no number", where=label, line=line, remedy="label the photo again") from error


def _known(name: str, label: Path, line: int | None, class_names: tuple[str, ...]) -> str:
    if name not in class_names:
        found = f"class '{name}', which names lacks ({', '.join(class_names)})"
        raise DataError(found, where=label, line=line, remedy="add it to names in data.yaml, or label the box again")
    return name


def _make_box(edges: tuple[float, ...] | list[float], size: tuple[int, int], label: Path, line: int | None) -> Box:
    """The part of the box inside the photo."""
    try:
        box = Box(*edges).clipped(*size)
    except ValueError as error:
        raise DataError(str(error), where=label, line=line, remedy="label the photo again") from error
    if box.area <= 0:
        raise DataError("a box without area inside the photo", where=label, line=line, remedy="remove or redraw it")
    return box
