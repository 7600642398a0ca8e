"""A label that is most likely wrong, and what speaks against it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pipeline.boxes import Box

Kind = Literal["swapped", "overlooked", "misplaced"]

KINDS: dict[Kind, str] = {
    "swapped": "labelled as another class",
    "overlooked": "a subject without a box",
    "misplaced": "a box beside its subject",
}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is likely to be wrong, or a subject that lacks one.

    Args:
        kind: what is likely to be wrong with it.
        photo: its file.
        box: the labelled box, or where the subject is that lacks one, in pixels of the upright photo.
        label: the class that the label says; empty where there is none.
        given: the class that the classifier says.
        confidence: of the classifier in that class, or of the detector in its box, 0 to 1.
        seen: where the detector sees the subject of a misplaced box; None for the other kinds.
        score: how good the label is, 0 to 1: the least good come first.
        reason: what speaks against it, in words.
        file: the label, or the photo where it has none.
        line: of the label in that file, counted from 1; None where it is not known.
    """

    kind: Kind
    photo: Path
    box: Box
    label: str
    given: str
    confidence: float
    seen: Box | None
    score: float
    reason: str
    file: Path
    line: int | None = None

    @property
    def place(self) -> str:
        """File and line."""
        return str(self.file) if self.line is None else f"{self.file}:{self.line}"

    def as_dict(self) -> dict[str, Any]:
        """As plain values, ready for JSON."""
        return {
            "kind": self.kind,
            "score": round(self.score, 4),
            "file": str(self.file),
            "line": self.line,
            "photo": str(self.photo),
            "box_px": _round(self.box),
            "label": self.label,
            "given": self.given,
            "confidence": round(self.confidence, 4),
            "seen_px": None if self.seen is None else _round(self.seen),
            "reason": self.reason,
        }


def _round(box: Box) -> list[float]:
    return [round(edge, 1) for edge in box.edges]
