"""The photos that ``cropsort split`` shares out: read, recognised, and what is said of them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from rich.console import Console

from pipeline.balance import count_boxes
from pipeline.config import Config
from pipeline.console import counting
from pipeline.dataset import list_parts
from pipeline.errors import PhotoError
from pipeline.fingerprints import group_photos, take_fingerprints
from pipeline.lists import absolute
from pipeline.problems import raise_errors
from pipeline.reading import read_parts
from pipeline.splitting import Annotations, count_groups, shown_classes


@dataclass(frozen=True, slots=True)
class Pool:
    """The photos to share out.

    Args:
        annotations: photos and what is labelled in them, the damaged ones left out.
        test: photos of test, where they stay there.
        groups: photos with the same number stay together.
        notes: what the user should know, a line each.
    """

    annotations: Annotations
    test: Annotations
    groups: dict[Path, int]
    notes: tuple[str, ...]


def gather_pool(file: Path, config: Config, *, with_test: bool, console: Console) -> Pool:
    """Read the labels and take the fingerprints of all photos, with absolute paths.

    Args:
        file: the data.yaml.
        config: what it says.
        with_test: whether the photos of test are shared out as well.
        console: for the bar.

    Raises:
        DataError: a folder is missing, or a label cannot be used.
        ExceptionGroup: of ``DataError``, where there are several such labels.
    """
    listed = {part: [absolute(photo) for photo in photos] for part, photos in list_parts(file, config).items()}
    reading = read_parts(listed, config.names, classes_from=config.classes_from)
    raise_errors(reading.problems)
    photos = sorted({photo for part in listed.values() for photo in part})
    with counting(console, "looking at the photos", len(photos)) as advance:
        taken = dict(zip(photos, take_fingerprints(photos, on_photo=advance), strict=True))
    damaged = {photo: one for photo, one in taken.items() if isinstance(one, PhotoError)}
    groups = group_photos(one for one in taken.values() if not isinstance(one, PhotoError))
    read = {part: [one for one in some if one.photo not in damaged] for part, some in reading.parts.items()}
    test = () if with_test else tuple(read.pop("test", ()))
    kept = {one.photo for one in test}
    pool = {one.photo: one for part in read.values() for one in part if one.photo not in kept}
    notes = [f"left out: {error}" for error in damaged.values()] + _group_notes(list(pool), list(kept), groups)
    return Pool(tuple(pool.values()), test, groups, tuple(notes))


def lonely_notes(pool: Pool, class_names: tuple[str, ...], parts: int) -> list[str]:
    """Say which classes cannot be in each of so many parts."""
    groups = count_groups(pool.annotations, pool.groups)
    photos = Counter(name for one in pool.annotations for name in shown_classes(one))
    notes = []
    for name in class_names:
        if photos[name] == 1:
            notes.append(f"'{name}' is on a single photo: it cannot be on both sides")
        elif groups.get(name) == 1:
            notes.append(f"the {photos[name]} photos of '{name}' belong together: they cannot be on both sides")
        elif name in groups and groups[name] < parts:
            notes.append(f"'{name}' is on photos of {groups[name]} groups: not every part shows it")
        elif name not in groups:
            notes.append(f"no photo shows '{name}'")
    return notes


def tabulate(parts: dict[str, Annotations], class_names: tuple[str, ...]) -> str:
    """Boxes and photos of each class in each part."""
    boxes = {part: count_boxes(annotations, class_names) for part, annotations in parts.items()}
    photos = {part: Counter(name for one in some for name in shown_classes(one)) for part, some in parts.items()}
    rows = [["boxes / photos", *parts]]
    rows += [[name, *(f"{boxes[part][name]} / {photos[part][name]}" for part in parts)] for name in class_names]
    rows += [["backgrounds", *(str(photos[part][""]) for part in parts)]]
    rows += [["photos", *(str(len(some)) for some in parts.values())]]
    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(_pad, row, widths, [False] + [True] * len(parts))) for row in rows)


def _pad(text: str, width: int, right: bool) -> str:
    """Korean letters are two columns wide."""
    space = " " * (width - cell_len(text))
    return space + text if right else text + space


def _group_notes(pool: list[Path], test: list[Path], groups: dict[Path, int]) -> list[str]:
    members = Counter(groups[photo] for photo in pool)
    together = [count for count in members.values() if count > 1]
    tested = {groups[photo] for photo in test}
    leaked = sum(groups[photo] in tested for photo in pool)
    notes = []
    if together:
        notes.append(f"near duplicates and bursts are kept together: {sum(together)} photos, groups: {len(together)}")
    if leaked:
        said = "photos nearly are, or are of one burst with, photos of test, whose scores will flatter"
        notes.append(f"{leaked} {said}: --test shares test out anew as well")
    return notes
