"""What a review of the labels found, told on the terminal and to programs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.dataset import DataSet
from pipeline.labels import Annotation
from pipeline.mixed_pairs import MixedPair
from pipeline.out_of_fold import list_reviewed
from pipeline.suspects import KINDS, Kind, Suspect

_SHOWN = 10
_SHOWN_PAIRS = 5


@dataclass(frozen=True, slots=True)
class Reviewed:
    """What a review of the labels found.

    Args:
        dataset: its photos; those of train and val were reviewed.
        labelled: whether people drew boxes; else photos are sorted into classes.
        folds: parts that the photos were shared out to.
        agreement: part of the labelled classes that the networks say as well, 0 to 1: the lower, the less they are to
            be believed.
        suspects: labels that are likely to be wrong, the worst first.
        pairs: classes that are mixed up, the worst first.
        margin: what is added around a box before it is cropped, as a part of its longer side.
        notes: what could not be judged, a line each.
    """

    dataset: DataSet
    labelled: bool
    folds: int
    agreement: float
    suspects: tuple[Suspect, ...]
    pairs: tuple[MixedPair, ...]
    margin: float
    notes: tuple[str, ...]

    @property
    def annotations(self) -> dict[Path, Annotation]:
        """The photos reviewed."""
        return {annotation.photo: annotation for annotation in list_reviewed(self.dataset)}

    @property
    def counts(self) -> dict[Kind, int]:
        """How many labels are suspected of each kind that can be."""
        found = Counter(one.kind for one in self.suspects)
        return {kind: found[kind] for kind in KINDS if self.labelled or kind == "swapped"}


def report(reviewed: Reviewed) -> Iterator[str]:
    """Lines that say what was found: how many of each kind, the worst, the pairs, and what to do; paths from here."""
    here = f"{Path.cwd()}{os.sep}"
    yield from (line.replace(here, "") for line in _report(reviewed))


def advise(suspect: Suspect, reviewed: Reviewed) -> str:
    """What to do about a label."""
    if not reviewed.labelled:
        return f"if {suspect.given} is right, sort the photo there: its folder or name says {suspect.label}"
    steps = {
        "swapped": f"give it the class {suspect.given}, if that is right",
        "overlooked": "draw its box, if there is a subject",
        "misplaced": "draw the box anew, around the subject",
    }
    return steps[suspect.kind]


def command(reviewed: Reviewed) -> str:
    """What opens the labels to be mended."""
    return f'cropsort label --data "{reviewed.dataset.file}"'


def advise_pair(pair: MixedPair) -> str:
    """What to do about two classes that are mixed up."""
    first, second = pair.names
    return (
        f"write down a rule that tells {first} from {second}, and label the doubtful ones again by it; "
        "or make one class of the two, if nobody needs them apart"
    )


def as_record(reviewed: Reviewed) -> dict[str, Any]:
    """The same for programs: plain values, ready for JSON."""
    return {
        "dataset": reviewed.dataset.name,
        "file": str(reviewed.dataset.file),
        "folds": reviewed.folds,
        "photos": len(reviewed.annotations),
        "agreement": round(reviewed.agreement, 4),
        "counts": dict(reviewed.counts),
        "suspects": [one.as_dict() | {"remedy": advise(one, reviewed)} for one in reviewed.suspects],
        "pairs": [pair.as_dict() for pair in reviewed.pairs],
        "notes": list(reviewed.notes),
    }


def _report(reviewed: Reviewed) -> Iterator[str]:
    shown = reviewed.suspects[:_SHOWN]
    if shown:
        yield f"most likely wrong ({len(shown)} of {len(reviewed.suspects)}, the worst first):"
    for one in shown:
        yield f"  {one.place}: {one.reason}"
        yield f"    -> {advise(one, reviewed)}"
    if shown and reviewed.labelled:
        yield f"mend them with: {command(reviewed)}"
    pairs = [pair for pair in reviewed.pairs if pair.verdict != "chance"][:_SHOWN_PAIRS]
    for pair in pairs:
        yield f"{pair}"
        yield f"  -> {advise_pair(pair)}"
    if not pairs:
        yield "no two classes are mixed up more often than may be chance"
    yield from (f"note: {note}" for note in reviewed.notes)
    counts = ", ".join(f"{count} x {KINDS[kind]}" for kind, count in reviewed.counts.items())
    yield f"the networks agree with {reviewed.agreement:.0%} of the classes"
    yield f"{reviewed.dataset.name}: {len(reviewed.annotations)} photos reviewed, likely to be wrong: {counts}"
