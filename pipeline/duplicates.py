"""Photos that are there twice, or nearly: in one part they count double, in two parts they flatter the scores."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path

from pipeline.fingerprints import Fingerprint, Group, find_bursts, find_repeated, find_similar, join_groups
from pipeline.labels import Annotation
from pipeline.problems import Kind, Problem

_PARTS = ("train", "val", "test")


def find_duplicates(fingerprints: list[Fingerprint], annotations: dict[str, tuple[Annotation, ...]]) -> list[Problem]:
    """One problem for each group of duplicates.

    Args:
        fingerprints: of all photos.
        annotations: the photos by part.
    """
    classes = {one.photo: _classes(one) for part in annotations.values() for one in part}
    parts = {one.photo: part for part in reversed(annotations) for one in annotations[part]}
    repeated, similar, bursts = (find(fingerprints) for find in (find_repeated, find_similar, find_bursts))
    leaks = _find_leaks(parts, {"the same file": repeated, "near duplicates": similar, "a burst": bursts})
    in_one = [(Kind.PHOTO_REPEATED, "is the same file as", group) for group in repeated]
    in_one += [(Kind.PHOTO_SIMILAR, "is nearly the same as", group) for group in similar]
    return leaks + [_twice(*found, classes) for found in in_one if len({parts[one.photo] for one in found[2]}) == 1]


def _find_leaks(parts: dict[Path, str], ways: dict[str, list[Group]]) -> list[Problem]:
    joined = join_groups(group for groups in ways.values() for group in groups)
    whole = {one.photo: group for group in joined for one in group}
    told: dict[Group, list[str]] = defaultdict(list)
    for way, groups in ways.items():
        for group in groups:
            if len({parts[one.photo] for one in group}) > 1:
                told[whole[group[0].photo]].append(way)
    return [_leak([one.photo for one in group], parts, list(dict.fromkeys(said))) for group, said in told.items()]


def _leak(photos: list[Path], parts: dict[Path, str], ways: list[str]) -> Problem:
    """Said of the photo in the later part: that is the one to move."""
    ordered = sorted(photos, key=_by_part(parts))
    counts = Counter(parts[photo] for photo in ordered)
    where = ", ".join(f"{counts[part]} in {part}" for part in _PARTS if counts[part])
    first = next(photo for photo in ordered if parts[photo] != parts[ordered[0]])
    found = f"{' and '.join(ways)}: {where}, such as {ordered[0]}"
    others = tuple(photo for photo in ordered if photo != first)
    return Problem(Kind.PHOTO_LEAKED, first, found, photo=first, others=others)


def _by_part(parts: dict[Path, str]) -> Callable[[Path], tuple[int, str]]:
    return lambda photo: (_PARTS.index(parts[photo]), photo.as_posix())


def _twice(kind: Kind, words: str, group: Group, classes: dict[Path, str]) -> Problem:
    first, *rest = (one.photo for one in group)
    more = f" and {len(rest) - 1} more" if len(rest) > 1 else ""
    labelled = list(dict.fromkeys(classes[photo] for photo in (first, *rest)))
    differ = f", but labelled otherwise: {'; '.join(labelled)}" if len(labelled) > 1 else ""
    return Problem(kind, first, f"{words} {rest[0]}{more}{differ}", photo=first, others=tuple(rest))


def _classes(annotation: Annotation) -> str:
    return ", ".join(sorted(subject.class_name for subject in annotation.subjects)) or "nothing"
