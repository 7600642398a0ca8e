"""Pascal VOC xml: names, and corners in pixels of LabelImg's canvas, which counts from 0 but writes nothing below 1."""

from __future__ import annotations

import re
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from pipeline.labels.label import Label, LabelledBox, VocDetails
from pipeline.labels.source import Parsed, Source
from pipeline.labels.text import excerpt, plain_name, read_number
from pipeline.problems import Kind

_CORNERS = ("xmin", "ymin", "xmax", "ymax")
_COMMENT = re.compile("<!--.*?-->", re.DOTALL)
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def parse_voc(text: str, source: Source) -> Parsed:
    """The objects of a label.

    Raises:
        DataError: it is no Pascal VOC.
    """
    root = _parse_xml(text, source)
    parsed = Parsed(details=_details(root))
    try:
        parsed.drawn_on = _drawn_on(root)
    except ValueError as error:
        parsed.problems.append(source.problem(Kind.ROW_MALFORMED, f"<size>: {error}"))
    for item, line in zip(root.findall("object"), _object_lines(text), strict=False):
        try:
            parsed.boxes.append(_read_object(item, line))
        except ValueError as error:
            parsed.problems.append(source.problem(Kind.ROW_MALFORMED, str(error), line=line))
    return parsed


def voc_names(text: str, source: Source) -> set[str]:
    """The classes that a label names.

    Raises:
        DataError: it is no Pascal VOC, or a box has no name.
    """
    names = set()
    for item, line in zip(_parse_xml(text, source).findall("object"), _object_lines(text), strict=False):
        try:
            names.add(plain_name(_child(item, "name")))
        except ValueError as error:
            raise source.problem(Kind.ROW_MALFORMED, str(error), line=line).as_error() from error
    return names


def format_voc(label: Label) -> str:
    """The label as LabelImg writes Pascal VOC, but for two things: corners are rounded to the nearest pixel.

    LabelImg truncates them and moves 0 to 1. Its own labels are whole numbers from 1 already; from other formats that
    would move a box by up to a pixel at every conversion, and rounding moves it by half a pixel at most.
    """
    own = isinstance(label.details, VocDetails)
    details = label.details if isinstance(label.details, VocDetails) else _new_details(label)
    width, height = label.size
    path = "" if details.path is None else _tag(1, "path", details.path)
    verified = ' verified="yes"' if details.verified else ""
    text = (
        f"<annotation{verified}>\n"
        f"{_tag(1, 'folder', details.folder)}{_tag(1, 'filename', details.filename)}{path}"
        f"\t<source>\n{_tag(2, 'database', details.database)}\t</source>\n"
        f"\t<size>\n{_tag(2, 'width', width)}{_tag(2, 'height', height)}{_tag(2, 'depth', details.depth)}\t</size>\n"
        f"{_tag(1, 'segmented', 0)}"
        f"{''.join(_format_object(box, label.size, own=own) for box in label.boxes)}</annotation>\n"
    )
    return text.replace("  ", "\t")  # LabelImg indents so, and so changes double blanks in names and paths, too


def _format_object(box: LabelledBox, size: tuple[int, int], *, own: bool) -> str:
    left, top, right, bottom = (round(edge) for edge in box.edges)
    truncated = bottom == size[1] or top <= 1 or right == size[0] or left <= 1
    corners = "".join(_tag(3, name, edge) for name, edge in zip(_CORNERS, (left, top, right, bottom), strict=True))
    name = box.spelling if own and box.spelling else box.class_name
    return (
        f"\t<object>\n{_tag(2, 'name', name)}{_tag(2, 'pose', 'Unspecified')}"
        f"{_tag(2, 'truncated', int(truncated))}{_tag(2, 'difficult', int(box.difficult))}"
        f"\t\t<bndbox>\n{corners}\t\t</bndbox>\n\t</object>\n"
    )


def _tag(depth: int, name: str, content: str | int) -> str:
    text = escape(_NOT_IN_XML.sub("?", str(content)))
    return "\t" * depth + (f"<{name}>{text}</{name}>\n" if text else f"<{name}/>\n")


def _new_details(label: Label) -> VocDetails:
    photo = label.photo.absolute()
    return VocDetails(photo.parent.name, photo.name, str(photo))


def _parse_xml(text: str, source: Source) -> ElementTree.Element:
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        found = "declares entities, which LabelImg never does"
        raise source.problem(Kind.LABEL_UNREADABLE, found).as_error()
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        found, line = f"not XML ({error.msg})", error.position[0]
        raise source.problem(Kind.LABEL_UNREADABLE, found, line=line).as_error() from error
    if root.tag != "annotation":
        found = f"XML, but no Pascal VOC: it begins with <{excerpt(root.tag)}> instead of <annotation>"
        raise source.problem(Kind.LABEL_UNREADABLE, found).as_error()
    return root


def _object_lines(text: str) -> list[int]:
    """Lines of the objects; comments are made blank first, since they may hold some."""
    bare = _COMMENT.sub(lambda comment: "\n" * comment[0].count("\n"), text)
    lines, at, line = [], 0, 1
    for match in re.finditer(r"<object\b", bare):
        line += bare.count("\n", at, match.start())
        at = match.start()
        lines.append(line)
    return lines


def _details(root: ElementTree.Element) -> VocDetails:
    return VocDetails(
        folder=root.findtext("folder") or "",
        filename=root.findtext("filename") or "",
        path=root.findtext("path"),
        database=root.findtext("source/database") or "Unknown",
        depth=root.findtext("size/depth") or "3",
        verified=root.get("verified") == "yes",
    )


def _drawn_on(root: ElementTree.Element) -> tuple[float, float] | None:
    """Width and height of the photo as the label says it; None where it says 0, as programs do that could not tell."""
    width, height = (read_number(root.findtext(f"size/{side}") or "0") for side in ("width", "height"))
    return (width, height) if width and height else None


def _read_object(item: ElementTree.Element, line: int) -> LabelledBox:
    """A box with its class as the file spells it.

    Raises:
        ValueError: it cannot be understood; the message says why.
    """
    name = _child(item, "name")
    left, top, right, bottom = (read_number(_child(item, f"bndbox/{corner}")) for corner in _CORNERS)
    if left > right or top > bottom:
        raise ValueError(f"corners in the wrong order: {left:g}, {top:g} to {right:g}, {bottom:g}")
    difficult = (item.findtext("difficult") or "").strip().lower() in ("1", "true")
    return LabelledBox(name, (left, top, right, bottom), line, difficult)


def _child(item: ElementTree.Element, path: str) -> str:
    text = item.findtext(path)
    if not text or not text.strip():
        raise ValueError(f"an object without <{path}>")
    return text
