"""What a session in LabelImg did to the labels: which are new, how many boxes of which class, which class names."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass
from glob import escape
from pathlib import Path

import yaml

from pipeline.errors import DataError, PhotoError
from pipeline.images import read_header
from pipeline.labelimg.plan import Plan, Task
from pipeline.labels import CLASS_LIST, names_in_label, parse_label, plain_name, read_class_list


@dataclass(frozen=True, slots=True)
class Labels:
    """All labels of a plan at one moment.

    Args:
        contents: bytes of each label that is there, by its path.
        class_lists: class names in each classes.txt beside them, by its path.
    """

    contents: dict[Path, bytes]
    class_lists: dict[Path, tuple[str, ...]]


def take_labels(plan: Plan) -> Labels:
    """Read all labels of a plan as they are now.

    Raises:
        DataError: a classes.txt cannot be read.
    """
    contents = {task.label: task.label.read_bytes() for task in plan.tasks if task.label.is_file()}
    lists = {folder / CLASS_LIST for folder in {task.label.parent for task in plan.tasks}}
    return Labels(contents, {path: read_class_list(path) for path in sorted(lists) if path.is_file()})


def describe_changes(before: Labels, after: Labels, plan: Plan, file: Path, class_names: tuple[str, ...]) -> list[str]:
    """Say what changed, a line each.

    Args:
        before: the labels when the session began.
        after: the labels when it ended.
        plan: its photos and labels.
        file: the data.yaml.
        class_names: its ``names``.
    """
    changed = [task for task in plan.tasks if before.contents.get(task.label) != after.contents.get(task.label)]
    known = max([plan.class_names, *after.class_lists.values()], key=len)
    lines = [_count_labels(before, after, changed)]
    counts = {task: (_count(before, task, known), _count(after, task, known)) for task in changed}
    lines += _describe_boxes(list(counts.values()))
    lines += [
        f"no box any more: {task.title}" for task, (old, new) in counts.items() if old.total() and not new.total()
    ]
    lines += [f"as it was before: {path}" for task in changed for path in _backups(before, task)]
    lines += _describe_lists(before, after)
    used = {name for _, new in counts.values() for name in new}
    lines += _describe_new_classes(known, used, file, class_names)
    return lines


def _count_labels(before: Labels, after: Labels, changed: list[Task]) -> str:
    if not changed:
        return "no label was changed"
    new = sum(task.label not in before.contents for task in changed)
    removed = sum(task.label not in after.contents for task in changed)
    parts = [(new, "new"), (len(changed) - new - removed, "changed"), (removed, "removed")]
    return "labels: " + ", ".join(f"{count} {what}" for count, what in parts if count)


def _count(labels: Labels, task: Task, class_names: tuple[str, ...]) -> Counter[str]:
    """How many boxes of each class a label has at one moment."""
    data = labels.contents.get(task.label)
    if data is None:
        return Counter()
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder, task.label.name)
        copy.write_bytes(data)
        try:
            size = read_header(task.photo).size
            own = sorted(names_in_label(copy) - {plain_name(name) for name in class_names})
        except (DataError, PhotoError):  # nothing in it can be counted
            return Counter()
        return Counter(box.class_name for box in parse_label(task.photo, size, copy, (*class_names, *own)).boxes)


def _describe_boxes(counts: list[tuple[Counter[str], Counter[str]]]) -> list[str]:
    differences: Counter[str] = Counter()
    for old, new in counts:
        differences.update(new)
        differences.subtract(old)
    told = [f"{name} {difference:+}" for name, difference in differences.items() if difference]
    return ["boxes: " + ", ".join(told)] if told else []


def _describe_lists(before: Labels, after: Labels) -> list[str]:
    lines = []
    for path, names in after.class_lists.items():
        old = before.class_lists.get(path)
        if old is None:
            lines.append(f"{path}: new, with {len(names)} classes")
        elif old != names:
            lines.append(f"{path}: added {', '.join(names[len(old) :])}")
    return lines


def _describe_new_classes(
    known: tuple[str, ...], used: set[str], file: Path, class_names: tuple[str, ...]
) -> list[str]:
    """The line that data.yaml needs for classes that were typed in LabelImg: training would stop at them."""
    named = {plain_name(name) for name in class_names}
    beyond = [name for name in known if plain_name(name) not in named]
    beyond += sorted(name for name in used if plain_name(name) not in {*named, *map(plain_name, known)})
    if not beyond:
        return []
    names = yaml.safe_dump(
        [*class_names, *beyond], default_flow_style=True, allow_unicode=True, width=10_000, sort_keys=False
    )
    return [
        f"{file} - names lacks {', '.join(beyond)} - training stops there - to keep them write:",
        f"names: {names.strip()}",
    ]


def _backups(before: Labels, task: Task) -> list[Path]:
    """The copies made of a label that could not be shown whole, before it was written over."""
    data = before.contents.get(task.label)
    found = sorted(task.label.parent.glob(f"{escape(task.label.name)}.bak*"))
    return [path for path in found if path.read_bytes() == data]
