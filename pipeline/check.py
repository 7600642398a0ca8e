"""``cropsort check``: everything that is wrong with a data set, before a training learns it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.balance import count_boxes
from pipeline.check_page import write_page
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.corrected import list_corrected, read_corrected
from pipeline.dataset import DataSet, list_parts, make_dataset, read_dataset
from pipeline.duplicates import find_duplicates
from pipeline.errors import PhotoError
from pipeline.fingerprints import Fingerprint, is_truncated, take_fingerprints
from pipeline.labels import Annotation
from pipeline.problems import Kind, Problem, Severity, group_by_kind, raise_errors, summarise
from pipeline.reading import Reading, check_any_left

_SHOWN = 5


def check_dataset(file: Path, config: Config, *, on_photo: Callable[[], None] | None = None) -> DataSet:
    """Look for everything that is wrong with photos and labels; each photo is decoded once, small.

    Args:
        file: the data.yaml.
        config: what it says.
        on_photo: called after each photo.

    Returns:
        The data set without the photos that cannot be decoded, with the corrected boxes to learn from; its problems in
        order: errors first, then by kind, file and line. Where there are errors it is not fit to train on.

    Raises:
        DataError: there are no photos to look at.
    """
    reading, corrections = read_dataset(file, config), read_corrected(file, config)
    given = [*reading.parts.values(), *corrections.parts.values()]
    photos = dict.fromkeys(annotation.photo for part in given for annotation in part)
    taken = take_fingerprints(photos, on_photo=on_photo)
    fingerprints = [one for one in taken if isinstance(one, Fingerprint)]
    damaged = {photo: one for photo, one in zip(photos, taken, strict=True) if isinstance(one, PhotoError)}
    boxed = (one for part in corrections.parts.values() for one in part if one.photo not in damaged)
    dataset = make_dataset(file, config, _leave_out(reading, damaged), fingerprints, boxed)
    duplicates = _find_duplicates(dataset, fingerprints)
    problems = group_by_kind([*dataset.problems, *corrections.problems, *duplicates])
    ignored = {kind: len(found) for kind, found in problems.items() if kind.slug in config.ignore}
    ordered = [problem for kind, found in problems.items() if kind not in ignored for problem in found]
    notes = tuple(f"{count} x {kind.slug} passed over, as data.yaml says" for kind, count in ignored.items())
    return replace(dataset, problems=tuple(ordered), notes=(*dataset.notes, *notes))


def check(file: Path, folder: Path | None, console: Console) -> tuple[DataSet, Path]:
    """Check a data set and write the page of what was found.

    Args:
        file: the data.yaml.
        folder: where the page goes; by default ``runs/<data set>/check``.
        console: told of the progress.

    Returns:
        The data set with its problems, and the page.

    Raises:
        CropsortError: data.yaml cannot be understood, there are no photos, or the page cannot be written.
    """
    dataset = _check_counting(file, read_config(file), console)
    return dataset, write_page(dataset, folder or _default_folder(dataset))


def check_before_training(file: Path, config: Config, console: Console) -> DataSet:
    """The data set to train on; what is wrong with it is said in a line a kind, and shown on the page.

    Raises:
        DataError: there is an error in it.
        ExceptionGroup: of ``DataError``, where there are several.
        OutputError: the page cannot be written.
    """
    dataset = _check_counting(file, config, console)
    said = [problem for problem in dataset.problems if problem.severity is not Severity.NOTE]
    if said:
        page = write_page(dataset, _default_folder(dataset))
        for line in summarise(problem for problem in said if problem.severity is Severity.WARNING):
            console.print(line)
        console.print(f"each of them with its picture: {page}")
    raise_errors(dataset.problems)
    return dataset


def report(dataset: DataSet) -> Iterator[str]:
    """Lines that say what is wrong: the kinds, of each the first few, and what to do about it; paths from here."""
    here = f"{Path.cwd()}{os.sep}"
    yield from (line.replace(here, "") for line in _report_problems(dataset))
    yield from (f"note: {note}" for note in dataset.notes)
    yield _total(dataset)


def _report_problems(dataset: DataSet) -> Iterator[str]:
    for kind, found in group_by_kind(dataset.problems).items():
        if kind.severity is Severity.NOTE:
            yield f"note: {kind.title} ({kind.slug}, {len(found)}, the first: {found[0].where})"
            continue
        yield f"{kind.severity}: {kind.title} ({kind.slug}, {len(found)})"
        yield from (f"  {problem.where}" for problem in found[:_SHOWN])
        if len(found) > _SHOWN:
            yield f"  and {len(found) - _SHOWN} more"
        yield from (f"  -> {advice}" for advice in dict.fromkeys(problem.advice for problem in found[:_SHOWN]))


def as_record(dataset: DataSet) -> dict[str, Any]:
    """The same for programs: plain values, ready for JSON."""
    return {
        "dataset": dataset.name,
        "file": str(dataset.file),
        "counts": {part: _count(annotations, dataset) for part, annotations in dataset.parts.items()},
        "corrected": _count(dataset.corrected, dataset),
        "notes": list(dataset.notes),
        "problems": [_problem_record(problem) for problem in dataset.problems],
    }


def _count(annotations: tuple[Annotation, ...], dataset: DataSet) -> dict[str, Any]:
    return {
        "photos": len(annotations),
        "boxes": sum(len(annotation.subjects) for annotation in annotations),
        "classes": count_boxes(annotations, dataset.class_names),
    }


def has_errors(dataset: DataSet) -> bool:
    """Whether training would refuse it."""
    return any(problem.severity is Severity.ERROR for problem in dataset.problems)


def _check_counting(file: Path, config: Config, console: Console) -> DataSet:
    photos = {photo for part in list_parts(file, config).values() for photo in part} | {*list_corrected(file)}
    with counting(console, "checking photos", len(photos)) as advance:
        return check_dataset(file, config, on_photo=advance)


def _default_folder(dataset: DataSet) -> Path:
    return Path("runs") / dataset.name / "check"


def _leave_out(reading: Reading, damaged: dict[Path, PhotoError]) -> Reading:
    parts = {}
    for part, annotations in reading.parts.items():
        parts[part] = tuple(annotation for annotation in annotations if annotation.photo not in damaged)
        errors = [damaged[annotation.photo] for annotation in annotations if annotation.photo in damaged]
        check_any_left(parts[part], errors, part)
    return Reading(parts, (*reading.problems, *(_damage(photo, error) for photo, error in damaged.items())))


def _find_duplicates(dataset: DataSet, fingerprints: list[Fingerprint]) -> list[Problem]:
    """Of what is learnt from, and what is scored: corrected photos that are left out are none."""
    parts = dataset.parts | {"train": dataset.learnt}
    shown = {annotation.photo for part in parts.values() for annotation in part}
    return find_duplicates([one for one in fingerprints if one.photo in shown], parts)


def _damage(photo: Path, error: PhotoError) -> Problem:
    return Problem(Kind.PHOTO_TRUNCATED if is_truncated(error) else Kind.PHOTO_UNREADABLE, photo, error.found)


def _total(dataset: DataSet) -> str:
    photos = sum(len(annotations) for annotations in dataset.parts.values())
    counts = [
        (sum(problem.severity is severity for problem in dataset.problems), severity)
        for severity in (Severity.ERROR, Severity.WARNING)
    ]
    told = ", ".join(f"{count} {severity}{'' if count == 1 else 's'}" for count, severity in counts)
    return f"{dataset.name}: {photos} photos, {told}"


def _problem_record(problem: Problem) -> dict[str, Any]:
    return {
        "kind": problem.kind.slug,
        "severity": problem.severity.value,
        "path": str(problem.path),
        "line": problem.line,
        "found": problem.found,
        "remedy": problem.advice,
        "photo": None if problem.photo is None else str(problem.photo),
        "others": [str(photo) for photo in problem.others],
        "boxes": [list(box.edges) for box in problem.boxes],
    }
