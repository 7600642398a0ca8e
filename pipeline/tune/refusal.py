"""What would fit, where nothing does."""

from __future__ import annotations

import math

from pipeline.errors import OutOfMemoryError
from pipeline.memory import GB, format_bytes
from pipeline.tune.batches import LEAST, Evidence
from pipeline.tune.lines import Line, fit_line
from pipeline.tune.sizes import STRIDE, family
from pipeline.tune.trials import Stage

_UNKNOWN_PEAK = 1.25
"""Part of the limit that is assumed where all that is known is that it was not enough."""


def refuse(stage: Stage, model: str, known: Evidence, *, pinned: int | None) -> OutOfMemoryError:
    """The one line that says what does not fit and what would: a batch, an image size, an amount of memory.

    Args:
        stage: what was to run.
        model: the smallest that may be chosen.
        known: of it.
        pinned: the batch that the user decided on.
    """
    fitting = 0 if pinned is None else known.most_that_fits(pinned, LEAST[stage])
    batch = pinned if pinned is not None and fitting else LEAST[stage]
    remedies = [_batch_remedy(fitting), "" if fitting else _size_remedy(stage, model, known, batch)]
    remedies.append(_memory_remedy(known, batch))
    what = f"{model} at {known.imgsz} pixels with {_count(stage, batch)} at a time"
    remedy = ", or ".join(remedy for remedy in remedies if remedy)
    return OutOfMemoryError(
        f"{what} takes {_amount(known, batch)}",
        where=stage,
        remedy=f"set {remedy}" if remedy else "free some memory, or use another device",
    )


def largest_imgsz(memory: Line, batch: int, imgsz: int, room_bytes: float) -> int:
    """The largest image size, a multiple of 32 below ``imgsz``, at which a batch fits by the line; 0 for none."""
    if memory.start >= room_bytes or not memory.slope:
        return 0
    side = math.sqrt((room_bytes - memory.start) / (memory.slope * batch))
    return int(min(side, imgsz - 1) // STRIDE * STRIDE)


def _batch_remedy(fitting: int) -> str:
    return f"batch: {fitting}" if fitting else ""


def _size_remedy(stage: Stage, model: str, known: Evidence, batch: int) -> str:
    if stage == "prediction":  # its weights were trained at a size, and see nothing at another
        return ""
    if stage == "jigsaw":  # which sizes there are is a matter of the grid
        return "a smaller imgsz"
    assumed = fit_line([(batch * known.imgsz**2, _UNKNOWN_PEAK * known.limit_bytes)])
    room = known.limit_bytes * (1 - known.margin)
    size = largest_imgsz(known.memory or assumed, batch, known.imgsz, room)
    smallest = family(model)[0]
    smaller = f", model: {smallest}" if smallest != model else ""
    return (f"imgsz: {size}" if size else "") + (smaller if size else smaller.removeprefix(", "))


def _memory_remedy(known: Evidence, batch: int) -> str:
    peak = known.peak(batch)
    return "" if peak is None else f"memory: {math.ceil(peak / (1 - known.margin) / GB * 10) / 10:.1f}GB"


def _amount(known: Evidence, batch: int) -> str:
    peak, limit = known.peak(batch), format_bytes(known.limit_bytes)
    if peak is not None:
        return f"{format_bytes(round(peak))}, {limit} may be used"
    said = next((f" ({reading.said})" for reading in known.failed if reading.said), "")
    return f"more than the {limit} that may be used{said}"


def _count(stage: Stage, batch: int) -> str:
    thing = {"classifier": "crop", "jigsaw": "picture"}.get(stage, "photo")
    return f"{batch} {thing}{'' if batch == 1 else 's'}"
