"""A label file to its boxes and everything that is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from pipeline.errors import DataError
from pipeline.labels.checking import check_boxes
from pipeline.labels.createml import createml_names, parse_createml
from pipeline.labels.label import Annotation, Label, LabelledBox
from pipeline.labels.orientation import Drawn, tell_drawn, turn_box
from pipeline.labels.source import Parsed, Source
from pipeline.labels.text import excerpt, plain_name, read_text
from pipeline.labels.voc import parse_voc, voc_names
from pipeline.labels.yolo import parse_yolo
from pipeline.problems import Kind, Problem, Severity

PREDEFINED = 15
"""Classes that LabelImg offers of its own where it is given no list."""

_MOST_ROWS = 20
_MOST_NAMES = 12


def parse_label(
    photo: Path, size: tuple[int, int], label: Path, class_names: tuple[str, ...], *, orientation: int = 1
) -> Label:
    """Read a label, whatever is wrong with it.

    Args:
        photo: the photo's file.
        size: width and height of the upright photo in pixels.
        label: its label.
        class_names: as data.yaml has them.
        orientation: EXIF orientation of the photo's stored pixels, 1 to 8.

    Returns:
        Its boxes and its problems; what cannot be understood is a problem and no box.
    """
    source = Source(label, photo, size, class_names)
    parsers: dict[str, Callable[[str, Source], Parsed]] = {
        ".txt": parse_yolo,
        ".xml": parse_voc,
        ".json": parse_createml,
    }
    try:
        parsed = parsers[label.suffix.lower()](read_text(label), source)
    except DataError as error:
        unreadable = source.problem(Kind.LABEL_UNREADABLE, error.found, line=error.line, remedy=error.remedy)
        return Label(label, photo, size, (), (unreadable,))
    problems = _shorten(parsed.problems, source)
    if not parsed.boxes and not problems:
        problems.append(source.problem(Kind.LABEL_EMPTY, "no box"))
    drawn = _judge_drawn(parsed, source, orientation)
    problems += _drawn_problems(drawn, parsed, source, orientation)
    if drawn is Drawn.STORED:
        parsed.boxes = [turn_box(box, size, orientation) for box in parsed.boxes]
    boxes, unnamed = _name_boxes(parsed.boxes, source)
    problems += _shorten(unnamed, source)
    if drawn is not Drawn.OTHER:  # else every box would be reported as outside, too
        problems += check_boxes(boxes, source)
    return Label(label, photo, size, tuple(boxes), tuple(problems), parsed.details)


def read_label(
    photo: Path,
    size: tuple[int, int],
    label: Path | None,
    class_names: tuple[str, ...],
    *,
    orientation: int = 1,
) -> Annotation:
    """Read the label of a photo, and stop at what would have something wrong learnt.

    Args:
        photo: the photo's file.
        size: width and height of the upright photo in pixels.
        label: its label; None makes a background of it.
        class_names: what the numbers in a YOLO label mean.
        orientation: EXIF orientation of the photo's stored pixels, 1 to 8.

    Raises:
        DataError: the label cannot be read, or names a class that ``class_names`` lacks, or holds no sensible box.
    """
    if label is None:
        return Annotation(photo, size, (), None)
    parsed = parse_label(photo, size, label, class_names, orientation=orientation)
    for problem in parsed.problems:
        if problem.severity is Severity.ERROR:
            raise problem.as_error()
    return parsed.annotation


def names_in_label(label: Path) -> set[str]:
    """Class names that an xml or json label mentions, as ``plain_name`` spells them; a txt label has only numbers.

    Raises:
        DataError: it cannot be read.
    """
    readers = {".xml": voc_names, ".json": createml_names}
    reader = readers.get(label.suffix.lower())
    return reader(read_text(label), Source(label, label, (0, 0), ())) if reader else set()


def _shorten(problems: list[Problem], source: Source) -> list[Problem]:
    """A text that is no label at all is wrong in every row; the first ones say it."""
    more = len(problems) - _MOST_ROWS
    if more <= 0:
        return problems
    found = f"and {more} more rows like these"
    return [*problems[:_MOST_ROWS], source.problem(problems[0].kind, found, remedy=problems[0].remedy)]


def _judge_drawn(parsed: Parsed, source: Source, orientation: int) -> Drawn:
    in_pixels = parsed.boxes if source.path.suffix.lower() != ".txt" else ()
    return tell_drawn(source.size, orientation, parsed.drawn_on, in_pixels)


def _drawn_problems(drawn: Drawn, parsed: Parsed, source: Source, orientation: int) -> list[Problem]:
    boxes = tuple(box.box for box in parsed.boxes)
    width, height = source.size
    if drawn is Drawn.OTHER and parsed.drawn_on is not None:
        on = f"{parsed.drawn_on[0]:.0f} x {parsed.drawn_on[1]:.0f}"
        found = f"drawn on {on} pixels, {source.photo.name} has {width} x {height}"
        return [source.problem(Kind.SIZE_DIFFERS, found)]
    if drawn is Drawn.UNCLEAR and boxes:
        found = f"{source.photo.name} is turned when shown (EXIF orientation {orientation}), taken as drawn upright"
        return [source.problem(Kind.ORIENTATION_UNCLEAR, found, boxes=boxes)]
    if drawn is Drawn.STORED and boxes:
        turned = tuple(turn_box(box, source.size, orientation).box for box in parsed.boxes)
        found = f"drawn on {height} x {width} pixels, turned to {width} x {height} (EXIF orientation {orientation})"
        return [source.problem(Kind.ORIENTATION_MAPPED, found, boxes=turned)]
    return []


def _name_boxes(boxes: Sequence[LabelledBox], source: Source) -> tuple[list[LabelledBox], list[Problem]]:
    """Boxes with their classes as data.yaml spells them, and problems for those whose class it lacks."""
    numbered = source.path.suffix.lower() == ".txt"
    if numbered:
        known = {str(index): name for index, name in enumerate(source.class_names)}
    else:
        known = {plain_name(name): name for name in source.class_names} | {name: name for name in source.class_names}
    named, problems = [], []
    for box in boxes:
        name = known.get(box.class_name) or known.get(plain_name(box.class_name))
        if name is None:
            problems.append(_say_unknown(box, source))
        else:
            spelling = "" if numbered or box.class_name == name else box.class_name
            named.append(replace(box, class_name=name, spelling=spelling))
    return named, problems


def _say_unknown(box: LabelledBox, source: Source) -> Problem:
    names = source.class_names
    if source.path.suffix.lower() != ".txt":
        shown = ", ".join(names[:_MOST_NAMES]) + (" ..." if len(names) > _MOST_NAMES else "")
        found = f"class '{excerpt(plain_name(box.class_name))}', which names lacks ({shown})"
        return source.problem(Kind.CLASS_UNKNOWN, found, line=box.line, boxes=(box.box,))
    found = f"class {box.class_name[:20]}, but names has {len(names)} (0 to {len(names) - 1})"
    own = int(box.class_name) - PREDEFINED
    if len(names) <= PREDEFINED and 0 <= own < len(names):
        found += f"; after the {PREDEFINED} that LabelImg brings along it would be '{names[own]}'"
        return source.problem(Kind.CLASS_PREDEFINED, found, line=box.line, boxes=(box.box,))
    remedy = "add the class to names in data.yaml, or label it again"
    return source.problem(Kind.CLASS_UNKNOWN, found, line=box.line, boxes=(box.box,), remedy=remedy)
