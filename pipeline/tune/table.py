"""What was tried, measured and chosen, for people and for programs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from pipeline.memory import Room, format_bytes
from pipeline.tune.trials import Fit, Reading
from pipeline.tune.tuning import Tuned

_CHOSEN = "chosen"


def print_tuned(tuned: Mapping[str, Tuned], room: Room, limit_bytes: int, console: Console) -> None:
    """Print each stage's readings, its choice and the reasons."""
    free, total = format_bytes(room.free_bytes), format_bytes(room.total_bytes)
    console.print(f"{room.name}: {total}, {free} free; limit {format_bytes(limit_bytes)}")
    for one in tuned.values():
        console.print(_show(one))


def as_record(tuned: Mapping[str, Tuned], room: Room, limit_bytes: int) -> dict[str, Any]:
    """The same for ``--json``: bytes, seconds."""
    stages = {
        stage: {
            "fit": asdict(one.fit),
            "readings": [asdict(reading) for reading in one.readings],
            "seconds": round(one.seconds, 1),
        }
        for stage, one in tuned.items()
    }
    return {"device": asdict(room), "limit_bytes": limit_bytes, "stages": stages}


def _show(tuned: Tuned) -> RenderableType:
    fit = tuned.fit
    lines = [Text(f"\n{fit.stage}: {fit.model} at {fit.imgsz} px, batch {fit.batch}{_gathered(fit)}", style="bold")]
    lines += [Text(f"  {reason}") for reason in fit.reasons]
    if fit.peak_bytes:
        seconds = f"{fit.epoch_seconds:.0f} s " + ("for all photos" if fit.stage == "prediction" else "an epoch")
        lines.append(Text(f"  {format_bytes(fit.peak_bytes)} of {format_bytes(fit.limit_bytes)}, {seconds}"))
    lines.append(Text(f"  measured in {tuned.seconds:.0f} s" if tuned.seconds >= 1 else "  nothing had to be measured"))
    return Group(*lines, _table(tuned)) if tuned.readings else Group(*lines)


def _gathered(fit: Fit) -> str:
    return f", {fit.accumulate} gathered" if fit.accumulate > 1 else ""


def _table(tuned: Tuned) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 2))
    for name in ("model", "px", "batch", "memory", "photos/s", ""):
        table.add_column(name, justify="left" if name in ("model", "") else "right")
    for reading in sorted(tuned.readings, key=_order):
        trial = reading.trial
        memory = "-" if reading.peak_bytes is None else format_bytes(reading.peak_bytes)
        speed = f"{trial.batch / reading.seconds:.1f}" if reading.seconds else "-"
        said = _CHOSEN if _is_chosen(reading, tuned.fit) else reading.said
        table.add_row(trial.model, str(trial.imgsz), str(trial.batch), memory, speed, said)
    return table


def _order(reading: Reading) -> tuple[str, int, int]:
    return reading.trial.model, reading.trial.imgsz, reading.trial.batch


def _is_chosen(reading: Reading, fit: Fit) -> bool:
    trial = reading.trial
    return (trial.model, trial.imgsz, trial.batch) == (fit.model, fit.imgsz, fit.batch)
