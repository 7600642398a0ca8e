"""CreateML json: a list of photos, each with names and boxes by their centre in pixels."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

from pipeline.labels.label import CreatemlDetails, Edges, Label, LabelledBox
from pipeline.labels.source import Parsed, Source
from pipeline.labels.text import excerpt, plain_name, read_number
from pipeline.problems import Kind

_KEYS = ("x", "y", "width", "height")


def parse_createml(text: str, source: Source) -> Parsed:
    """The boxes of the label's photo; LabelImg may have put other photos into the file as well.

    Raises:
        DataError: it is no CreateML.
    """
    images = _parse_json(text, source)
    mine = [index for index, image in enumerate(images) if _same_name(image["image"], source.photo.name)]
    if images and not mine:
        found = f"is of {excerpt(str(images[0]['image']))}, not of {source.photo.name}"
        return Parsed(problems=[source.problem(Kind.LABEL_OF_ANOTHER, found)])
    parsed = Parsed(details=_details(images, mine, source))
    items = [item for index in mine for item in images[index]["annotations"]]
    for number, item in enumerate(items, start=1):
        try:
            parsed.boxes.append(_read_item(item))
        except ValueError as error:
            parsed.problems.append(source.problem(Kind.ROW_MALFORMED, f"box {number}: {error}"))
    return parsed


def createml_names(text: str, source: Source) -> set[str]:
    """The classes that a label names.

    Raises:
        DataError: it is no CreateML.
    """
    return {plain_name(str(item["label"])) for image in _parse_json(text, source) for item in image["annotations"]}


def format_createml(label: Label) -> str:
    """The label as LabelImg writes CreateML: one line, letters beyond ASCII escaped, no line end."""
    own = isinstance(label.details, CreatemlDetails)
    details = label.details if isinstance(label.details, CreatemlDetails) else CreatemlDetails(label.photo.name)
    image = {"image": details.image, "annotations": [_format_box(box, own=own) for box in label.boxes]}
    return "[" + ", ".join([*details.before, json.dumps(image), *details.after]) + "]"


def _format_box(box: LabelledBox, *, own: bool) -> dict[str, Any]:
    name = box.spelling if own and box.spelling else box.class_name
    return {"label": name, "coordinates": dict(zip(_KEYS, _centre(box), strict=True))}


def _centre(box: LabelledBox) -> Edges:
    if box.centred is not None and _edges(box.centred) == box.edges:
        return box.centred
    left, top, right, bottom = box.edges
    width, height = right - left, bottom - top
    return left + width / 2, top + height / 2, width, height


def _edges(centred: Edges) -> Edges:
    x, y, width, height = centred
    return x - width / 2, y - height / 2, x + width / 2, y + height / 2


def _parse_json(text: str, source: Source) -> list[dict[str, Any]]:
    content = None
    try:
        content = json.loads(text)
        items = [item for image in content for item in image["annotations"]]
        good = all(isinstance(item, dict) and {"label", "coordinates"} <= set(item) for item in items)
        if good and all("image" in image for image in content):
            return list(content)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    found = f"not a CreateML label{_whose(content)}, expected what LabelImg writes"
    raise source.problem(Kind.LABEL_UNREADABLE, found).as_error()


def _whose(content: object) -> str:
    """Which other program's JSON it is, where that can be told."""
    first = content[0] if isinstance(content, list) and content else content
    keys = set(first) if isinstance(first, dict) else set()
    marks = {
        "COCO's": {"images", "annotations"},
        "labelme's": {"shapes"},
        "Label Studio's": {"data", "annotations"},
        "VIA's": {"_via_img_metadata"},
    }
    return next((f" but {program} JSON" for program, mark in marks.items() if mark <= keys), "")


def _details(images: list[dict[str, Any]], mine: list[int], source: Source) -> CreatemlDetails:
    if not mine:
        return CreatemlDetails(source.photo.name)
    others = [(index, json.dumps(image)) for index, image in enumerate(images) if index not in mine]
    before = tuple(text for index, text in others if index < mine[0])
    after = tuple(text for index, text in others if index > mine[0])
    return CreatemlDetails(str(images[mine[0]]["image"]), before, after)


def _read_item(item: dict[str, Any]) -> LabelledBox:
    """A box with its class as the file spells it.

    Raises:
        ValueError: it cannot be understood; the message says why.
    """
    name, where = str(item["label"]), item["coordinates"]
    if not name.strip():
        raise ValueError("no name")
    if not isinstance(where, dict):
        raise ValueError("'coordinates' is no object, expected x, y, width and height in pixels")
    x, y, width, height = (_number(where, key) for key in _KEYS)
    if width < 0 or height < 0:
        raise ValueError("a width or height below nought")
    return LabelledBox(name, _edges((x, y, width, height)), centred=(x, y, width, height))


def _number(where: dict[str, Any], key: str) -> float:
    """The number as JSON has it, so that a whole one is written back without a point."""
    value = where.get(key)
    if value is None:
        raise ValueError(f"no '{key}'")
    number = read_number(str(value))
    return value if isinstance(value, int) else number


def _same_name(one: object, other: str) -> bool:
    return unicodedata.normalize("NFC", str(one)) == unicodedata.normalize("NFC", other)
