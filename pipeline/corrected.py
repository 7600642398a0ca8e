"""Single corrected boxes, in ``corrections`` beside data.yaml: crops that the classifier alone learns from.

The other subjects of their photos were not judged, so that a detector would learn from them to overlook subjects.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from pipeline.config import Config
from pipeline.corrections.sameness import find_same
from pipeline.errors import DataError
from pipeline.fingerprints import Fingerprint, find_repeated, find_similar, join_groups
from pipeline.labels import Annotation
from pipeline.listing import is_photo, list_files
from pipeline.problems import Kind, Problem
from pipeline.reading import Reading, read_beside

FOLDER = "corrections"

_PART = "corrected"


def folder_of(data_file: Path) -> Path:
    """Where the corrected boxes of a data set lie, whether there are any or not.

    Args:
        data_file: its data.yaml.
    """
    return data_file.resolve().parent / FOLDER


def list_corrected(data_file: Path) -> list[Path]:
    """The photos there, sorted; none where there is no such folder.

    Raises:
        DataError: the folder may not be read.
    """
    folder = folder_of(data_file)
    return [path for path in list_files(folder).files if is_photo(path)] if folder.is_dir() else []


def read_corrected(data_file: Path, config: Config) -> Reading:
    """Read photos and labels there, whatever is wrong with them; they are labelled even where other photos are sorted.

    Args:
        data_file: the data.yaml.
        config: what it says.

    Returns:
        One part, the photos with their corrected boxes, and the problems.

    Raises:
        DataError: the folder may not be read.
    """
    annotations, problems = read_beside(list_corrected(data_file), config.names)
    return Reading({_PART: annotations}, tuple(map(_reword, problems)))


def keep_new(
    corrected: Iterable[Annotation], parts: Mapping[str, tuple[Annotation, ...]], fingerprints: Iterable[Fingerprint]
) -> tuple[tuple[Annotation, ...], tuple[Problem, ...]]:
    """Leave out what is, or nearly is, scored on, and what train has with a label of its own.

    Args:
        corrected: photos with their corrected boxes; one without a box is left out without a word.
        parts: the photos of train, val and test.
        fingerprints: of all of them.

    Returns:
        The photos to learn from, and a problem for each other one.
    """
    boxed = {annotation.photo: annotation for annotation in corrected if annotation.subjects}
    if not boxed:
        return (), ()
    learnt, taken = {annotation.photo for annotation in parts["train"]}, list(fingerprints)
    scored = {one.photo: part for part, annotations in parts.items() if part != "train" for one in annotations}
    problems: dict[Path, Problem] = {}
    for group in join_groups([*find_repeated(taken), *find_similar(taken)]):
        photos = [one.photo for one in group]
        asked = [photo for photo in photos if photo in boxed]
        if near := [photo for photo in photos if photo in scored]:
            found = f"is, or nearly is, {near[0]} of {scored[near[0]]}, which is scored on"
            problems |= {photo: _left_out(photo, found, near) for photo in asked}
        elif asked and (known := [photo for photo in photos if photo in learnt]):
            # The next frame of a burst is nearly the same, and its correction is worth as much as any.
            same = {photo: other for photo, other in find_same(asked, known).items() if other in learnt}
            found = "is {} of train, whose label counts"
            problems |= {photo: _left_out(photo, found.format(other), [other]) for photo, other in same.items()}
    return tuple(one for photo, one in boxed.items() if photo not in problems), tuple(problems.values())


def without_corrected(photos: Iterable[Path], data_file: Path) -> list[Path]:
    """Photos but for those of corrected boxes, which ``train: .`` would take for photos labelled in full.

    Raises:
        DataError: there are no others.
    """
    folder, given = folder_of(data_file), list(photos)
    if not folder.is_dir():
        return given
    real = folder.resolve()
    own = {parent for parent in {photo.parent for photo in given} if parent.resolve().is_relative_to(real)}
    others = [photo for photo in given if photo.parent not in own]
    if given and not others:
        found = "the only photos that data.yaml names, and only single boxes of them are judged"
        raise DataError(found, where=folder, expected="photos elsewhere whose subjects are all labelled")
    return others


def describe_corrected(corrected: Iterable[Annotation]) -> str:
    """How many there are, in a line; empty for none."""
    counts = [len(annotation.subjects) for annotation in corrected]
    if not counts:
        return ""
    subjects, photos = sum(counts), len(counts)
    one, other = "" if subjects == 1 else "s", "" if photos == 1 else "s"
    return (
        f"{subjects} corrected subject{one} of {photos} photo{other} from {FOLDER}/: the classifier learns them as well"
    )


def _left_out(photo: Path, found: str, others: Iterable[Path]) -> Problem:
    return Problem(Kind.CORRECTION_LEFT_OUT, photo, found, photo=photo, others=tuple(others))


def _reword(problem: Problem) -> Problem:
    """A photo without a label is no background here."""
    if problem.kind is not Kind.LABEL_MISSING:
        return problem
    found, remedy = "has no label beside it: nothing is learnt from it", "bring the label back, or remove the photo"
    return replace(problem, found=found, remedy=remedy)
