"""What a reader's answers mean: one verdict a box, or why there is none."""

from __future__ import annotations

import difflib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pipeline.corrections.sheets import Answer, forms, plain
from pipeline.labels import plain_name
from pipeline.report.wording import NEW_CLASS, NOT_A_SUBJECT, YES
from pipeline.workbook.tables import clean_text

_SHOWN_NAMES = 12


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a box shows.

    Args:
        class_name: one of ``names`` in data.yaml; None for no subject at all.
    """

    class_name: str | None

    def __str__(self) -> str:
        return NOT_A_SUBJECT if self.class_name is None else self.class_name


@dataclass(frozen=True, slots=True)
class Verdicts:
    """What was understood of a workbook.

    Args:
        boxes: by the box's key: what it shows, or why that cannot be told.
        photos: by the photo's key: None where it is reviewed, or why that cannot be told.
        lost: answers in rows without a key: where, and what they say.
        named: what the rows call the photo, by key: for keys that the results lack.
    """

    boxes: Mapping[str, Verdict | str]
    photos: Mapping[str, str | None]
    lost: tuple[str, ...]
    named: Mapping[str, str]


def understand(boxes: Iterable[Answer], photos: Iterable[Answer], class_names: Sequence[str]) -> Verdicts:
    """Give each box and photo one verdict: the same answer twice is one, different ones are none.

    Args:
        boxes: answers on boxes.
        photos: answers on photos.
        class_names: ``names`` of data.yaml.
    """
    on_boxes, on_photos = _by_key(boxes), _by_key(photos)
    lost = [
        f"{one.place}: '{one.text}' in a row without a key" for one in (*on_boxes.pop("", ()), *on_photos.pop("", ()))
    ]
    named = {key: answers[0].photo or answers[0].place for key, answers in (on_photos | on_boxes).items()}
    understood = {key: _judge_box(answers, class_names) for key, answers in on_boxes.items()}
    reviewed = {key: _judge_photo(answers) for key, answers in on_photos.items()}
    return Verdicts(understood, reviewed, tuple(lost), named)


def _by_key(answers: Iterable[Answer]) -> dict[str, list[Answer]]:
    grouped: dict[str, list[Answer]] = defaultdict(list)
    for answer in answers:
        grouped[answer.key].append(answer)
    return grouped


def _judge_box(answers: Sequence[Answer], class_names: Sequence[str]) -> Verdict | str:
    verdicts = [_understand_one(answer, class_names) for answer in answers]
    if len(set(verdicts)) == 1:
        return verdicts[0]
    said = " and ".join(f"'{one.text}' ({one.place})" for one in answers)
    return f"conflicting answers: {said}; keep one of them"


def _understand_one(answer: Answer, class_names: Sequence[str]) -> Verdict | str:
    """The class of that name, first as it is written, then in another case where only one can be meant."""
    name = find_class(answer.text, class_names)
    if name is not None:
        return Verdict(name)
    text = plain(answer.text)
    if text in forms(NOT_A_SUBJECT):
        return Verdict(None)
    if text in forms(NEW_CLASS):
        return _name_new(answer.note, class_names)
    near = difflib.get_close_matches(text, list(map(plain, class_names)), n=1)
    meant = find_class(near[0], class_names) if near else None
    known = f"names in data.yaml has {_list_names(class_names)}"
    advice = known if meant is None else f"did you mean '{meant}'?"
    return f"unknown class '{answer.text}': {advice}"


def _name_new(note: str, class_names: Sequence[str]) -> Verdict | str:
    """A new class that is in ``names`` by now is one like the others."""
    name = find_class(note, class_names)
    if name is not None:
        return Verdict(name)
    again = "to names in data.yaml, then run the same command again"
    if note:
        return f"new class '{note}', as its note says: add it {again}"
    return f"new class, but which? write it into the note of the box, add it {again}"


def find_class(text: str, class_names: Sequence[str]) -> str | None:
    """The class that a cell names; None where there is none, or more than one."""
    shown = {plain_name(clean_text(name)): name for name in class_names}
    if plain_name(text) in shown:
        return shown[plain_name(text)]
    meant = [name for written, name in shown.items() if written.casefold() == plain(text)]
    return meant[0] if len(meant) == 1 else None


def _list_names(class_names: Sequence[str]) -> str:
    more = len(class_names) - _SHOWN_NAMES
    return ", ".join(class_names[:_SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _judge_photo(answers: Sequence[Answer]) -> str | None:
    for answer in answers:
        if plain(answer.text) not in forms(YES) | {"true"}:  # an editor without drop-downs may make a tick of it
            return f"'{answer.text}' ({answer.place}) says neither that it is reviewed nor nothing: 'yes' or empty"
    return None
