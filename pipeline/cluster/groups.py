"""Groups as people see them: their names, who is in the middle of them, what class they are most like."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np

from pipeline.cluster.agreement import Agreement
from pipeline.cluster.grouping import NOISE, Grouping
from pipeline.cluster.subjects import Gathered, Subject
from pipeline.sorted_photos import find_sorted_names

NOISE_NAME = "noise"
"""What the reader of a workbook calls what belongs to no group."""

TruthFrom = Literal["folders", "names"]
"""What says the true class of a photo: the folder that it lies in, or the beginning of its name."""

_NUMBERED = re.compile(r"(?:group\s*)?0*([1-9]\d{0,8})", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Group:
    """A group of subjects.

    Args:
        label: its number in the grouping; ``NOISE`` for what belongs to no group.
        name: what its reader calls it.
        members: places of its subjects, the most central first, at least one.
        mean_distance: of its subjects to its centre.
        nearest: the class that its subjects are most like on average, and its mean probability, 0 to 1; None where no
            classifier looked at them, and of noise, which has nothing in common.
        commonest: the true class that most of its subjects have, and how many have it; None where none is known.
    """

    label: int
    name: str
    members: tuple[int, ...]
    mean_distance: float
    nearest: tuple[str, float] | None
    commonest: tuple[str, int] | None


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """Subjects, and the groups that they were put into.

    Args:
        gathered: the subjects.
        grouping: how they were grouped.
        groups: the largest first, noise last.
        truth: the true class of each subject, None for those of which it is not known; None where it was not asked for.
        agreement: of groups and true classes; None where there are none.
    """

    gathered: Gathered
    grouping: Grouping
    groups: tuple[Group, ...]
    truth: tuple[str | None, ...] | None = None
    agreement: Agreement | None = None

    @property
    def noise(self) -> int:
        """How many subjects belong to no group."""
        return sum(len(group.members) for group in self.groups if group.label == NOISE)

    @property
    def names(self) -> dict[int, str]:
        """What the groups are called, by label; noise too, whether there is any or not."""
        count = len(self.grouping.centres)
        return {label: name_group(label, count) for label in (*range(count), NOISE)}


def name_group(label: int, count: int) -> str:
    """What a group is called: numbered from 1, all names of one length, so that they can be sorted as text.

    Args:
        label: its number, from 0; below that it is noise.
        count: how many groups there are.
    """
    return NOISE_NAME if label < 0 else f"group {label + 1:0{len(str(count))}}"


def find_group(text: str, count: int) -> int | None:
    """The label of the group that a cell names, ``NOISE`` for noise; None where there is no such group."""
    if text.casefold() == NOISE_NAME:
        return NOISE
    found = _NUMBERED.fullmatch(text)
    label = int(found[1]) - 1 if found else count
    return label if label < count else None


def list_groups(gathered: Gathered, grouping: Grouping, truth: Sequence[str | None] | None = None) -> tuple[Group, ...]:
    """The groups, the largest first; noise, where there is any, last.

    Args:
        gathered: the subjects.
        grouping: how they were grouped.
        truth: the true class of each, None for those of which it is not known; None for nothing about them.
    """
    members: dict[int, list[int]] = defaultdict(list)
    for place in np.argsort(grouping.distances, kind="stable").tolist():
        members[int(grouping.labels[place])].append(place)
    count = len(grouping.centres)
    order = sorted(members, key=lambda label: (label == NOISE, label))
    return tuple(
        Group(
            label,
            name_group(label, count),
            tuple(members[label]),
            float(grouping.distances[members[label]].mean()),
            _find_nearest([gathered.subjects[place].probabilities for place in members[label] if label != NOISE]),
            _find_commonest([truth[place] for place in members[label]] if truth else ()),
        )
        for label in order
    )


def find_truth(subjects: Sequence[Subject], by: TruthFrom) -> tuple[str | None, ...]:
    """The true class of each subject, as its photo's folder or name says it; None where neither does."""
    return tuple(_find_class(subject.photo, by) for subject in subjects)


def nearest_class(probabilities: Mapping[str, float]) -> tuple[str, float] | None:
    """The most probable class and its probability; None where there is none."""
    if not probabilities:
        return None
    name = max(probabilities, key=probabilities.__getitem__)
    return name, probabilities[name]


def _find_class(photo: str, by: TruthFrom) -> str | None:
    return next(iter(find_sorted_names([Path(photo)], by)), None) or None


def _find_nearest(probabilities: Sequence[Mapping[str, float]]) -> tuple[str, float] | None:
    totals: dict[str, float] = defaultdict(float)
    for one in probabilities:
        for name, probability in one.items():
            totals[name] += probability / len(probabilities)
    return nearest_class(totals)


def _find_commonest(names: Sequence[str | None]) -> tuple[str, int] | None:
    counts = Counter(name for name in names if name is not None)
    return min(counts.items(), key=lambda item: (-item[1], item[0]), default=None)
