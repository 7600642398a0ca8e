"""Photos of a run with what their reader says of them, put together by the rows' keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from pipeline.corrections.ledger import Entry
from pipeline.corrections.plan import Remark
from pipeline.corrections.verdicts import Verdict, Verdicts, find_class
from pipeline.errors import PhotoError
from pipeline.images import read_header
from pipeline.keys import photo_key, subject_key
from pipeline.results import FAILED, PhotoResult
from pipeline.sources import find_path, is_url


class Found(NamedTuple):
    """A box that was found: its key, and what it shows if the photo is reviewed, or why that cannot be told."""

    key: str
    verdict: Verdict | str
    answered: bool


@dataclass(frozen=True, slots=True)
class Case:
    """A photo that something was answered about.

    Args:
        result: what was found in it.
        key: the photo's.
        found: its boxes, in the order of its predictions.
        reviewed: whether its reader says that the boxes are right as they are answered, and none is missing.
    """

    result: PhotoResult
    key: str
    found: tuple[Found, ...]
    reviewed: bool

    @property
    def answered(self) -> tuple[int, ...]:
        """Places of the boxes that the reader gave a verdict on."""
        return tuple(place for place, one in enumerate(self.found) if one.answered and isinstance(one.verdict, Verdict))


def gather_cases(
    results: Iterable[PhotoResult], verdicts: Verdicts, shown: frozenset[str], class_names: tuple[str, ...]
) -> tuple[list[Case], list[Remark]]:
    """Join answers and results; each answer is in a case, or a remark says why not.

    Args:
        results: of the run; of two on one photo the later counts.
        verdicts: the answers.
        shown: keys of the boxes that have a row in the workbook.
        class_names: ``names`` of data.yaml.
    """
    asked = verdicts.boxes.keys() | verdicts.photos.keys()
    cases: dict[str, Case] = {}
    for result in results:
        cases.pop(result.photo, None)
        keys = [subject_key(result.photo, one.detection.box) for one in result.predictions]
        own = photo_key(result.photo)
        if own in asked or not asked.isdisjoint(keys):
            reviewed = own in verdicts.photos and verdicts.photos[own] is None
            found = tuple(_judge(result, place, key, verdicts, class_names) for place, key in enumerate(keys))
            cases[result.photo] = Case(result, own, found, reviewed)
    known = {key for case in cases.values() for key in (case.key, *(one.key for one in case.found))}
    remarks = [*(Remark(*place.split(": ", 1)) for place in verdicts.lost), *_strangers(asked - known, verdicts)]
    kept = []
    for case in cases.values():
        why = _refuse(case, verdicts, shown)
        remarks += why
        if not (case.reviewed and why) and (case.reviewed or case.answered):
            kept.append(case)
    return kept, remarks


def _judge(result: PhotoResult, place: int, key: str, verdicts: Verdicts, class_names: tuple[str, ...]) -> Found:
    if key in verdicts.boxes:
        return Found(key, verdicts.boxes[key], answered=True)
    found = result.predictions[place].class_name
    name = find_class(found, class_names)
    return Found(
        key, f"class '{found}', which names in data.yaml lacks" if name is None else Verdict(name), answered=False
    )


def _strangers(keys: Iterable[str], verdicts: Verdicts) -> Iterator[Remark]:
    why = "the results have no such row: they are of another run, or the photo was predicted again"
    yield from (Remark(verdicts.named[key], why) for key in sorted(keys, key=lambda key: (verdicts.named[key], key)))


def _refuse(case: Case, verdicts: Verdicts, shown: frozenset[str]) -> list[Remark]:
    """What of a photo cannot be taken; of a reviewed one everything has to be."""
    photo = case.result.photo
    reasons = list(dict.fromkeys(one.verdict for one in case.found if one.answered and isinstance(one.verdict, str)))
    answer = verdicts.photos.get(case.key)
    if answer is not None:
        reasons.append(answer)
    if case.reviewed:
        held = len(reasons)
        reasons = [f"{reason}; until then it is not taken as reviewed" for reason in reasons]
        reasons += [] if held else _refuse_review(case, shown)
    return [Remark(photo, reason) for reason in reasons]


def _refuse_review(case: Case, shown: frozenset[str]) -> list[str]:
    if case.result.status in (*FAILED, "unsupported"):
        return [f"reviewed, but it was not read: {case.result.error or case.result.status}"]
    gone = sum(one.key not in shown for one in case.found)
    if gone:
        return [f"reviewed, but rows of {gone} of its boxes were deleted: answer 'not a subject' instead"]
    return list(
        dict.fromkeys(f"reviewed, but a box is of {one.verdict}" for one in case.found if isinstance(one.verdict, str))
    )


class Photo(NamedTuple):
    """A photo on the disk: its path as it is there, and the SHA-256 of its content."""

    path: Path
    digest: str


def find_photo(result: PhotoResult, folders: Iterable[Path]) -> Photo | str:
    """The photo of a result, or why it cannot be used.

    Args:
        result: of the run.
        folders: where its photos may be.
    """
    if is_url(result.photo):
        return "lies on the web: download it, and predict it from your disk"
    places = [folder / result.photo for folder in folders]
    path = next((found for place in places if (found := find_path(place)) is not None), None)
    if path is None:
        return f"is no longer at {places[0] if places else result.photo}: put it back, then run the same command again"
    try:
        data = path.read_bytes()
        size = read_header(path).size
    except OSError as error:
        return f"cannot be read ({error.strerror or error})"
    except PhotoError as error:
        return f"cannot be read ({error.found})"
    if (result.size is not None and size != result.size) or result.file_bytes not in (None, len(data)):
        return "has changed since it was predicted: predict it again"
    return Photo(path.absolute(), hashlib.sha256(data).hexdigest())


def entries_of(case: Case, folder: Path, digest: str) -> tuple[Entry, ...]:
    """What is applied where all that a case says is."""

    def entry(key: str, to: str) -> Entry:
        return Entry(key, to, case.result.photo, str(folder), digest)

    entries = [entry(case.found[place].key, str(case.found[place].verdict)) for place in case.answered]
    if case.reviewed:
        shown = "\n".join(f"{one.key} {one.verdict}" for one in case.found)
        entries.append(entry(case.key, f"reviewed {hashlib.sha256(shown.encode()).hexdigest()[:16]}"))
    return tuple(entries)
