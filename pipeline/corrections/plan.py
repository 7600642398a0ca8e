"""What corrections would change, before anything is changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pipeline.corrections.ledger import Entry, Ledger
from pipeline.labels import Label

Part = Literal["train", "val", "test", "corrections"]
"""Of the data set; ``corrections`` are crops for the classifier alone."""

_SHOWN = 10
"""Lines of a kind in the preview."""


@dataclass(frozen=True, slots=True)
class Remark:
    """Why nothing is done about something.

    Args:
        photo: what the results call the photo, or the place in the workbook.
        reason: in a sentence, with the remedy where there is one.
    """

    photo: str
    reason: str

    def __str__(self) -> str:
        return f"{self.photo} - {self.reason}"


@dataclass(frozen=True, slots=True)
class NewPhoto:
    """An upright copy to be made of a photo, and its label.

    Args:
        photo: what the results call the photo.
        source: the photo's file; it is only read.
        part: ``train`` for a reviewed photo; ``corrections`` for one whose corrected boxes alone are labelled.
        label: to be written; its ``photo`` is the copy.
        entries: what is then applied.
        instead: the copy among the corrections that this one takes the place of; None where there is none.
    """

    photo: str
    source: Path
    part: Literal["train", "corrections"]
    label: Label
    entries: tuple[Entry, ...]
    instead: Path | None = None

    def __str__(self) -> str:
        counts = Counter(box.class_name for box in self.label.boxes)
        boxes = ", ".join(f"{count} {name}" for name, count in counts.items()) or "background"
        return f"{self.photo} - {boxes}"


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A label to be changed.

    Args:
        photo: what the results call the photo.
        part: where the photo is in the data set.
        label: as it will be; without boxes, those of corrections are removed.
        changes: what becomes of its boxes, in words.
        entries: what is then applied.
    """

    photo: str
    part: Part
    label: Label
    changes: tuple[str, ...]
    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        return f"{self.photo} ({self.part}: {self.label.photo.name}) - {', '.join(self.changes)}"


@dataclass(frozen=True, slots=True)
class SortedPhoto:
    """An upright copy to be made of a photo, in a data set where folders or names of photos say their classes.

    Args:
        photo: what the results call the photo.
        source: the photo's file; it is only read.
        copy: where the copy goes, which says the class.
        size: width and height of the upright photo in pixels.
        class_name: what it shows.
        entries: what is then applied.
    """

    photo: str
    source: Path
    copy: Path
    size: tuple[int, int]
    class_name: str
    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        return f"{self.photo} - {self.class_name}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What corrections change, and what they do not.

    Args:
        data_file: the data.yaml.
        folder: of the corrections: crops for the classifier, and what was applied.
        class_names: ``names`` of data.yaml.
        photos: reviewed photos that become labelled photos, for both stages.
        crops: photos whose corrected boxes become crops for the classifier.
        labels: labels that are changed.
        copies: folder of the reviewed photos' copies.
        list_file: the list that the new photos are added to, where data.yaml's train names no folder.
        settled: what is applied already, or needs nothing.
        refused: what cannot be applied, and why.
        confirmed: what was found to be as it should, to be kept in mind as applied.
        ledger: what was applied before.
        sorted: photos that are copied to where those of their class are.
    """

    data_file: Path
    folder: Path
    class_names: tuple[str, ...]
    photos: tuple[NewPhoto, ...]
    crops: tuple[NewPhoto, ...]
    labels: tuple[LabelChange, ...]
    copies: Path
    list_file: Path | None
    settled: tuple[Remark, ...]
    refused: tuple[Remark, ...]
    confirmed: tuple[Entry, ...]
    ledger: Ledger
    sorted: tuple[SortedPhoto, ...] = ()

    @property
    def corrections(self) -> int:
        """How many answers, on boxes and on photos, would be applied."""
        written: tuple[NewPhoto | LabelChange | SortedPhoto, ...] = (
            *self.photos,
            *self.crops,
            *self.labels,
            *self.sorted,
        )
        return sum(len(one.entries) for one in written)

    @property
    def changes(self) -> int:
        """How many photos and labels would be written."""
        return len(self.photos) + len(self.crops) + len(self.labels) + len(self.sorted)


def preview(plan: Plan) -> list[str]:
    """What a plan changes, in lines: the counts first, then photo by photo, the first ones of each kind."""
    kinds: tuple[tuple[str, Sequence[object]], ...] = (
        ("reviewed photos that become training photos, for both stages", plan.photos),
        ("photos whose corrected boxes become crops for the classifier", plan.crops),
        ("labels of the data set that change", plan.labels),
        ("nothing to do", plan.settled),
        ("cannot be applied", plan.refused),
    )
    if not any(some for _, some in kinds):
        return ["nothing is corrected in the workbook"]
    listed = (f"the new photos are added to {plan.list_file}",) if plan.photos and plan.list_file is not None else ()
    return [f"corrections to apply: {plan.corrections}", *preview_lists(kinds, listed)]


def preview_lists(kinds: Sequence[tuple[str, Sequence[object]]], more: Sequence[str] = ()) -> list[str]:
    """How many there are of each kind, then the first ones of each.

    Args:
        kinds: what each kind is, and all of it; empty ones are left out.
        more: lines between the two.
    """
    told = [(what, some) for what, some in kinds if some]
    counts = [f"{what}: {len(some)}" for what, some in told]
    return [*counts, *more, *(line for what, some in told for line in _list(what, some))]


def _list(what: str, some: Sequence[object]) -> Iterator[str]:
    yield f"{what}:"
    yield from (f"  {one}" for one in some[:_SHOWN])
    if len(some) > _SHOWN:
        yield f"  ... and {len(some) - _SHOWN} more"
