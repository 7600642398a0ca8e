"""YOLO txt: a row a box, its class's number and its centre, width and height as parts of the photo's size."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pipeline.boxes import Box
from pipeline.labels.label import Annotation, Edges, LabelledBox
from pipeline.labels.source import Parsed, Source
from pipeline.labels.text import excerpt, read_number
from pipeline.problems import Kind

_FIELDS = "a class number and four numbers from 0 to 1 are expected"
_AGAIN = "label it again"
_COMMA = re.compile(r"\d,\d")


def parse_yolo(text: str, source: Source) -> Parsed:
    """The rows of a label; blank ones are passed over."""
    parsed = Parsed()
    for line, row in enumerate(text.splitlines(), start=1):
        if not row.strip():
            continue
        try:
            parsed.boxes.append(_read_row(row.split(), source.size, line))
        except ValueError as error:
            found = f"'{excerpt(row)}': {error}"
            parsed.problems.append(source.problem(Kind.ROW_MALFORMED, found, line=line, remedy=_remedy(row)))
    return parsed


def format_boxes(boxes: Iterable[tuple[Edges, str]], size: tuple[int, int], class_names: tuple[str, ...]) -> str:
    """Rows as LabelImg writes them."""
    width, height = size
    rows = []
    for (left, top, right, bottom), name in boxes:
        centre = (left + right) / 2 / width, (top + bottom) / 2 / height
        extent = (right - left) / width, (bottom - top) / height
        rows.append(f"{class_names.index(name)} " + " ".join(f"{number:.6f}" for number in (*centre, *extent)) + "\n")
    return "".join(rows)


def format_yolo(annotation: Annotation, class_names: tuple[str, ...]) -> str:
    """The label as LabelImg writes YOLO txt: class number, centre, width and height as parts of the photo's size."""
    boxes = ((subject.box.edges, subject.class_name) for subject in annotation.subjects)
    return format_boxes(boxes, annotation.size, class_names)


def _read_row(fields: list[str], size: tuple[int, int], line: int) -> LabelledBox:
    """A box whose class is still a number.

    Raises:
        ValueError: it cannot be understood; the message says why.
    """
    if len(fields) != 5:
        raise ValueError(_say_fields(fields))
    index, x, y, width, height = (read_number(field) for field in fields)
    if index != int(index):
        raise ValueError(f"'{fields[0]}' is no class number")
    if min(x, y, width, height) > 1:
        raise ValueError("in pixels, where parts of the photo's size from 0 to 1 are expected")
    if width < 0 or height < 0:
        raise ValueError("a width or height below nought")
    edges = (
        (x - width / 2) * size[0],
        (y - height / 2) * size[1],
        (x + width / 2) * size[0],
        (y + height / 2) * size[1],
    )
    Box(*edges)
    return LabelledBox(str(int(index)), edges, line)


def _say_fields(fields: list[str]) -> str:
    """What a row with too few or too many fields seems to be."""
    if len(fields) < 5:
        commas = "commas between the numbers, where blanks are" if any(map(_COMMA.search, fields)) else ""
        return f"{commas or f'{len(fields)} of 5 fields'}; {_FIELDS}"
    if len(fields) >= 7 and len(fields) % 2:
        return f"a polygon of {len(fields) // 2} points; {_FIELDS}"
    return f"{len(fields)} fields, perhaps with a confidence; {_FIELDS}"


def _remedy(row: str) -> str:
    return f"write points for the commas, or {_AGAIN}" if _COMMA.search(row) and len(row.split()) == 5 else _AGAIN
