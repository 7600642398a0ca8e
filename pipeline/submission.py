"""The two-column CSV that contests want: a row a photo, its name and its class."""

from __future__ import annotations

import csv
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.errors import CropsortError, DataError
from pipeline.files import replacing
from pipeline.results import PhotoResult

SUBMISSION = "submission.csv"

Header = tuple[str, str]
"""What the column of the photos' names is called, and that of their classes."""

_NUMBER = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Submission:
    """What ``write_submission`` wrote.

    Args:
        file: the CSV.
        rows: photos in it.
        unlabelled: those of them whose class is left empty, because nothing was found or they could not be read.
    """

    file: Path
    rows: int
    unlabelled: int

    def __str__(self) -> str:
        written = f"{self.rows} photos in {self.file}"
        if not self.unlabelled:
            return written
        return f"{written}, {self.unlabelled} of them without a class: most contests want each filled in"


def parse_header(text: str) -> Header:
    """``id,label`` as the names of the two columns.

    Raises:
        CropsortError: these are not two different names with a comma between them.
    """
    names = tuple(name.strip() for name in text.split(","))
    if len(names) != 2 or not all(names) or names[0] == names[1]:
        expected = "two different names with a comma between them, such as id,label"
        raise CropsortError(f"'{text}'", where="--submission", expected=expected)
    return names[0], names[1]


def check_ids(photos: Iterable[str], where: Path | str) -> None:
    """Refuse photos that a contest could not tell apart: each is known by its name without folder and ending.

    Args:
        photos: their names in the results.
        where: what they are of, for the message.

    Raises:
        DataError: two have the same name.
    """
    named: dict[str, list[str]] = defaultdict(list)
    for photo in photos:
        named[_id(photo)].append(photo)
    shared = [(name, several) for name, several in named.items() if len(several) > 1]
    if shared:
        name, (one, other, *_) = shared[0]
        more = f", and {len(shared) - 1} more such names" if len(shared) > 1 else ""
        found = f"{one} and {other} would both be '{name}' in {SUBMISSION}{more}"
        remedy = "rename one, or predict each folder by itself"
        raise DataError(found, where=where, expected="a name of its own for each photo", remedy=remedy)


def write_submission(path: Path, header: Header, results: Iterable[PhotoResult]) -> Submission:
    """Write a row for each photo, in the natural order of their names (2 before 10); other files have none.

    For a grader, not for Excel: UTF-8 without a byte order mark, Unix line ends, and names and classes exactly as they
    are, also where a spreadsheet would take one for a formula.

    Args:
        path: the CSV to write.
        header: names of the two columns.
        results: what was found in each file.

    Raises:
        OutputError: it cannot be written there.
    """
    rows = [(_id(result.photo), choose_label(result)) for result in results if result.status != "unsupported"]
    rows.sort(key=lambda row: (_natural(row[0]), row[0]))
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])
    return Submission(path, len(rows), sum(not label for _, label in rows))


def choose_label(result: PhotoResult) -> str:
    """The class of a photo; empty where nothing was found.

    1. The subject that the detector is surest of decides; a classifier of whole photos has but one.
    2. Of several such, that whose class is surer.
    3. Of several such, that which the record names first.
    """
    if not result.predictions:
        return ""
    return max(result.predictions, key=lambda one: (one.detection.confidence, one.confidence)).class_name


def _id(photo: str) -> str:
    return PurePosixPath(photo).stem


def _natural(name: str) -> Sequence[tuple[str, int]]:
    """Text and numbers in turn: ``a10b`` as a, 10, b."""
    parts = _NUMBER.split(name)
    numbers = [*map(int, parts[1::2]), -1]
    return list(zip(parts[::2], numbers, strict=True))
