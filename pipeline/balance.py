"""Classes that are missing, rare, or LabelImg's own: what is wrong with the list of classes and its figures."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import yaml

from pipeline.labels import Annotation
from pipeline.problems import Kind, Problem

PREDEFINED_CLASSES = (
    "dog",
    "person",
    "cat",
    "tv",
    "car",
    "meatballs",
    "marinara sauce",
    "tomato soup",
    "chicken noodle soup",
    "french onion soup",
    "chicken breast",
    "ribs",
    "pulled pork",
    "hamburger",
    "cavity",
)
"""What LabelImg 1.8 offers where it is given no list, and puts before the user's own classes."""

IMBALANCE = 3.0
"""From this many times as many boxes as the smallest class has, the largest is said to be too large."""


def count_boxes(annotations: Iterable[Annotation], class_names: tuple[str, ...]) -> dict[str, int]:
    """How many boxes of each class the photos show."""
    counts = Counter(subject.class_name for annotation in annotations for subject in annotation.subjects)
    return {name: counts[name] for name in class_names}


def check_classes(
    file: Path,
    class_names: tuple[str, ...],
    parts: dict[str, tuple[Annotation, ...]],
    corrected: tuple[Annotation, ...] = (),
) -> tuple[Problem, ...]:
    """What is wrong with the classes of a data set.

    Args:
        file: its data.yaml, where the problems are.
        class_names: the classes, in order.
        parts: photos by part; ``train`` and ``val`` must be among them.
        corrected: what the classifier learns from beside ``train``, which a detector cannot do without.
    """
    bare = [part for part in ("train", "val") if not any(annotation.subjects for annotation in parts[part])]
    learnt = (*parts["train"], *corrected)
    counts = {part: count_boxes(annotations, class_names) for part, annotations in {**parts, "train": learnt}.items()}
    problems = [Problem(Kind.PART_UNLABELLED, file, f"no labelled box in {part}") for part in bare]
    idle = _find_predefined(class_names, counts)
    lines = _name_lines(file)
    if idle:
        found = f"names begins with {', '.join(class_names[:2])} ... {class_names[idle - 1]}, which no label uses"
        problems.append(Problem(Kind.NAMES_PREDEFINED, file, found, line=lines.get(class_names[0])))
    for name in class_names[idle:]:
        if counts["train"][name] == 0 and "train" not in bare:
            found = f"no training photo shows '{name}': it cannot be learnt"
            problems.append(Problem(Kind.CLASS_NOT_IN_TRAIN, file, found, line=lines.get(name)))
        elif counts["val"][name] == 0 and "val" not in bare:
            found = f"no val photo shows '{name}', {counts['train'][name]} boxes of it are in train"
            problems.append(Problem(Kind.CLASS_NOT_IN_VAL, file, found, line=lines.get(name)))
    return (*problems, *_check_balance(file, learnt, counts["train"]))


def _find_predefined(class_names: tuple[str, ...], counts: dict[str, dict[str, int]]) -> int:
    """How many classes at the beginning are LabelImg's own and in no label."""
    own = len(PREDEFINED_CLASSES)
    unused = all(not part[name] for part in counts.values() for name in class_names[:own])
    return own if class_names[:own] == PREDEFINED_CLASSES and unused else 0


def _check_balance(file: Path, train: tuple[Annotation, ...], counts: dict[str, int]) -> list[Problem]:
    shown = {name: count for name, count in counts.items() if count}
    if len(shown) < 2:
        return []
    by_size = sorted(shown, key=shown.__getitem__)
    smallest, largest = by_size[0], by_size[-1]
    ratio = shown[largest] / shown[smallest]
    if ratio < IMBALANCE:
        return []
    figures = ", ".join(f"{name} {shown[name]}" for name in reversed(by_size))
    constant = shown[largest] / sum(shown.values())
    found = (
        f"boxes in train: {figures}; {largest} has {ratio:.1f} times as many as {smallest}, "
        f"and a classifier that always says {largest} is right in {constant:.0%}"
    )
    return [Problem(Kind.CLASS_IMBALANCE, file, found, remedy=_remedies(train, shown, by_size))]


def _remedies(train: tuple[Annotation, ...], shown: dict[str, int], by_size: list[str]) -> str:
    """What each way out would do, in figures."""
    smallest, second, largest = by_size[0], by_size[1], by_size[-1]
    goal = math.ceil(shown[largest] / 2)
    photos = Counter(name for annotation in train for name in {subject.class_name for subject in annotation.subjects})
    wanted = [
        f"{math.ceil((goal - shown[name]) * photos[name] / shown[name])} of {name}"
        for name in by_size
        if shown[name] < goal
    ]
    times = shown[largest] / shown[smallest]
    merged = f"; or make one class of {smallest} and {second} ({shown[smallest] + shown[second]} boxes)"
    return (
        f"best: label more photos, {', '.join(wanted)}, and each class has at least half as many boxes as {largest}; "
        f"weighting or showing more often instead would show each box of {smallest} {times:.0f} times an epoch, which "
        f"helps to find it but learns its {shown[smallest]} boxes by heart{merged if len(by_size) > 2 else ''}"
    )


def _name_lines(file: Path) -> dict[str, int]:
    """The line of each class in data.yaml, counted from 1; empty where ``names`` comes through a YAML merge key."""
    root = yaml.compose(file.read_text(encoding="utf-8-sig"), Loader=yaml.SafeLoader)
    assert isinstance(root, yaml.MappingNode)  # read_config has seen to it
    items = next((value.value for key, value in root.value if key.value == "names"), ())
    nodes = (item[1] if isinstance(item, tuple) else item for item in items)
    return {str(node.value).strip(): node.start_mark.line + 1 for node in nodes}
