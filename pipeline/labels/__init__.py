"""LabelImg's three formats, read and written as LabelImg does: YOLO txt, Pascal VOC xml, CreateML json.

Nothing but the standard library is imported here: the process that LabelImg runs in may have another Python's packages.
"""

from __future__ import annotations

from pipeline.labels.finding import CLASS_LIST, FORMATS, LABEL_SUFFIXES, find_label, find_labels, label_folders
from pipeline.labels.label import Annotation, CreatemlDetails, Label, LabelledBox, Subject, VocDetails
from pipeline.labels.reading import names_in_label, parse_label, read_label
from pipeline.labels.text import plain_name, read_class_list
from pipeline.labels.writing import format_label, write_label
from pipeline.labels.yolo import format_yolo

__all__ = [
    "CLASS_LIST",
    "FORMATS",
    "LABEL_SUFFIXES",
    "Annotation",
    "CreatemlDetails",
    "Label",
    "LabelledBox",
    "Subject",
    "VocDetails",
    "find_label",
    "find_labels",
    "format_label",
    "format_yolo",
    "label_folders",
    "names_in_label",
    "parse_label",
    "plain_name",
    "read_class_list",
    "read_label",
    "write_label",
]
