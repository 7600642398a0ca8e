"""``model.html``: the labels most likely wrong, with a picture of each, in one file that works offline."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.boxes import Box
from pipeline.mistakes import Mistake, Mistakes, cut_thumbnails
from pipeline.mixed_pairs import MixedPair
from pipeline.pages import render_page
from pipeline.reviewed import Reviewed, advise, advise_pair, command
from pipeline.suspects import KINDS, Suspect

PAGE = "model.html"

MOST = 50
"""Labels on the page: what somebody looks through in one sitting."""

_MOST_PAIRS = 12
_AROUND = 0.6
"""What ``cut_thumbnails`` shows around a box, as a part of its longer side."""


@dataclass(frozen=True, slots=True)
class _Frame:
    """Where the detector sees the subject, in percent of a thumbnail's sides."""

    left: float
    top: float
    width: float
    height: float


def write_page(reviewed: Reviewed, folder: Path) -> Path:
    """Write the page.

    Args:
        reviewed: what there is to say.
        folder: where to; made if it is missing.

    Returns:
        The page.

    Raises:
        OutputError: it cannot be written there.
    """
    page = folder / PAGE
    render_page(page, "suspects.html", **_describe(reviewed))
    return page


def _describe(reviewed: Reviewed) -> dict[str, Any]:
    return {
        "name": reviewed.dataset.name,
        "file": str(reviewed.dataset.file),
        "folds": reviewed.folds,
        "photos": len(reviewed.annotations),
        "labelled": reviewed.labelled,
        "tiles": [(kind, KINDS[kind], count) for kind, count in reviewed.counts.items()],
        "agreement": f"{reviewed.agreement:.0%}",
        "count": len(reviewed.suspects),
        "cards": list(_cards(reviewed)),
        "hidden": max(0, len(reviewed.suspects) - MOST),
        "pairs": [_pair(pair) for pair in reviewed.pairs[:_MOST_PAIRS]],
        "notes": reviewed.notes,
        "command": command(reviewed),
    }


def _cards(reviewed: Reviewed) -> Iterator[dict[str, Any]]:
    worst = reviewed.suspects[:MOST]
    mistakes = {one: _as_mistake(one) for one in worst}
    thumbnails = _cut(mistakes, reviewed.margin)
    base = reviewed.dataset.file.resolve().parent
    for number, one in enumerate(worst, start=1):
        size = reviewed.annotations[one.photo].size
        picture = thumbnails.get(mistakes[one])
        yield {
            "number": number,
            "kind": one.kind,
            "title": KINDS[one.kind],
            "label": one.label,
            "given": one.given,
            "confidence": f"{one.confidence:.0%}",
            "photo": _short(one.photo, base),
            "place": _short(one.file, base) + ("" if one.line is None else f", line {one.line}"),
            "reason": one.reason,
            "advice": advise(one, reviewed),
            "source": "" if picture is None else "data:image/jpeg;base64," + base64.b64encode(picture).decode("ascii"),
            "frame": None if one.seen is None else _frame(one.seen, one.box, size),
        }


def _cut(mistakes: Mapping[Suspect, Mistake], margin: float) -> dict[Mistake, bytes]:
    """Crops of which the class is in doubt as the classifier sees them; boxes in doubt with a frame and more around."""
    crops = tuple(mistake for one, mistake in mistakes.items() if one.kind == "swapped")
    framed = tuple(mistake for one, mistake in mistakes.items() if one.kind != "swapped")
    return cut_thumbnails((Mistakes("wrong", len(crops), crops), Mistakes("missed", len(framed), framed)), margin)


def _as_mistake(one: Suspect) -> Mistake:
    return Mistake(one.photo, one.box, one.label, one.given, one.confidence)


def _frame(seen: Box, label: Box, size: tuple[int, int]) -> _Frame:
    """The detector's box on the thumbnail of the label's."""
    view, inside = label.grown(_AROUND).clipped(*size), seen.clipped(*size)
    corners = (
        round(100 * max(0.0, min(1.0, (edge - start) / side)), 1)
        for edge, start, side in zip(
            inside.edges, (view.left, view.top) * 2, (view.width, view.height) * 2, strict=True
        )
    )
    left, top, right, bottom = corners
    return _Frame(left, top, round(right - left, 1), round(bottom - top, 1))


def _pair(pair: MixedPair) -> dict[str, Any]:
    return {
        "names": pair.names,
        "verdict": pair.verdict,
        "mixed": pair.mixed,
        "counts": pair.counts,
        "rate": f"{pair.rate:.0%}",
        "interval": " to ".join(f"{edge:.0%}" for edge in pair.interval),
        "even": "" if pair.even is None else f"{pair.even:.0%}",
        "guessing": f"{pair.guessing:.0%}",
        "words": str(pair),
        "advice": advise_pair(pair),
    }


def _short(path: Path, base: Path) -> str:
    """From the data set's folder where it lies in it."""
    return str(path.relative_to(base)) if path.is_relative_to(base) else str(path).replace(f"{Path.cwd()}{os.sep}", "")
