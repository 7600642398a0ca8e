"""The classes that a reader gave to groups: those that data.yaml has, and new ones."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.cluster.reading import NamedGroup
from pipeline.config import Config
from pipeline.corrections.sheets import forms, plain
from pipeline.corrections.verdicts import find_class
from pipeline.errors import DataError
from pipeline.labels import plain_name
from pipeline.naming import plain_name as plain_file_name
from pipeline.report.wording import NEW_CLASS, NOT_A_SUBJECT
from pipeline.sorted_photos import find_class as find_sorted_class

_LONGEST = 60
"""Letters of a class name; a sentence in its place is a note."""

_ERROR_VALUE = re.compile(r"#[A-Z0-9/]+[!?]?")
"""What a spreadsheet shows of a formula that it cannot work out."""


@dataclass(frozen=True, slots=True)
class ClassPlan:
    """The classes of the groups.

    Args:
        by_label: class by group, as ``names`` in data.yaml spells it or will.
        new: classes that data.yaml does not have yet, in the order of the groups.
        near: by a new class, one that data.yaml has and that is spelled nearly so.
    """

    by_label: Mapping[int, str]
    new: tuple[str, ...]
    near: Mapping[str, str]


def name_classes(groups: Iterable[NamedGroup], config: Config, workbook: Path) -> ClassPlan:
    """Understand what was written into the column of classes.

    Args:
        groups: those that were named.
        config: what data.yaml says.
        workbook: for the errors.

    Raises:
        ExceptionGroup: of ``DataError``, for each name that cannot be a class's.
    """
    by_label: dict[int, str] = {}
    names, errors = list(config.names), []
    for group in sorted(groups, key=lambda group: group.label):
        known = find_class(group.class_name, names)
        name = known or plain_name(group.class_name)
        why = "" if known else _refuse(name, config)
        if group.label < 0:
            why = "noise is no class: its subjects have nothing in common; move those of a class to its group"
        if why:
            errors.append(DataError(f"'{group.class_name}' - {why}", where=f"{workbook}, {group.place}"))
            continue
        by_label[group.label] = name
        names += [] if known else [name]
    if errors:
        raise ExceptionGroup(f"{workbook} names what cannot be a class", errors)
    new = tuple(names[len(config.names) :])
    return ClassPlan(by_label, new, {name: near for name in new if (near := _find_near(name, config.names))})


def _refuse(name: str, config: Config) -> str:
    """Why something cannot be the name of a new class; empty where it can."""
    if _ERROR_VALUE.fullmatch(name):
        return "the spreadsheet could not work this cell out: write a name"
    if not any(map(str.isalnum, name)) or not name.isprintable():
        return "no name of a class: write letters"
    if len(name) > _LONGEST:
        return f"longer than the {_LONGEST} letters that a class may have"
    if plain(name) in forms(NOT_A_SUBJECT) | forms(NEW_CLASS):
        return "no name of a class: leave the cell empty where a group is none"
    by, file_name = config.classes_from, plain_file_name(name)
    if by != "labels" and find_sorted_class(Path(file_name, f"{file_name}.1.jpg"), [name], by) != name:
        return f"the {by} of the photos say their classes in this data set, and none can be called so"
    return ""


def _find_near(name: str, class_names: Iterable[str]) -> str:
    by_text = {plain(one): one for one in class_names}
    found = difflib.get_close_matches(plain(name), list(by_text), n=1, cutoff=0.8)
    return by_text[found[0]] if found else ""
