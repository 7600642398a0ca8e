"""A label to a file in any of the three formats, as LabelImg writes them."""

from __future__ import annotations

from pathlib import Path

from pipeline.files import write_text
from pipeline.labels.createml import format_createml
from pipeline.labels.label import Label
from pipeline.labels.voc import format_voc
from pipeline.labels.yolo import format_boxes


def format_label(label: Label, format: str, class_names: tuple[str, ...]) -> str:
    """The label as LabelImg writes it; in the format that it was read from, the same text.

    Args:
        label: what to write; its boxes are not clipped, so that none is moved.
        format: ``yolo``, ``voc`` or ``createml``.
        class_names: what the numbers in a YOLO label mean.
    """
    if format == "yolo":
        return format_boxes(((box.edges, box.class_name) for box in label.boxes), label.size, class_names)
    return {"voc": format_voc, "createml": format_createml}[format](label)


def write_label(label: Label, path: Path, format: str, class_names: tuple[str, ...]) -> None:
    """Write it, whole or not at all; see ``format_label``.

    Raises:
        OutputError: it cannot be written there.
    """
    write_text(path, format_label(label, format, class_names))
