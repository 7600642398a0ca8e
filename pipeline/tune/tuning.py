"""Measure and choose: what ``policy`` wants to know is measured in processes of its own, until it is content."""

from __future__ import annotations

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.apart import Apart, run_apart
from pipeline.console import counting
from pipeline.errors import CropsortError, OutOfMemoryError, ProcessDiedError
from pipeline.memory import Room
from pipeline.tune.policy import choose, next_trial
from pipeline.tune.probe import measure, unseen_bytes
from pipeline.tune.readings import open_readings
from pipeline.tune.trials import Facts, Fit, Pins, Reading, Stage, TrainedPairs, Trial

_PATIENCE_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Request:
    """What to choose for.

    Args:
        stage: what is run.
        facts: of the data.
        pins: what data.yaml says already.
        candidates: architectures to choose from, small to large.
        epochs: most passes over the data.
        seconds: most time that training may take; None for the smallest model, whatever it takes.
        class_count: classes that are told apart.
        device: ``cpu``, ``mps`` or the number of a GPU.
        pairs: prediction only: what it is done with.
    """

    stage: Stage
    facts: Facts
    pins: Pins
    candidates: tuple[str, ...]
    epochs: int
    seconds: float | None
    class_count: int
    device: str
    pairs: TrainedPairs | None = None

    @property
    def asked(self) -> dict[str, Any]:
        """What the policy's functions take, but for the readings and the limit."""
        names = ("stage", "facts", "pins", "candidates", "seconds", "epochs", "device")
        return {name: getattr(self, name) for name in names}


@dataclass(frozen=True, slots=True)
class Tuned:
    """What was measured and chosen.

    Args:
        fit: the choice.
        readings: what was measured, in earlier runs too.
        seconds: that measuring took now.
    """

    fit: Fit
    readings: tuple[Reading, ...]
    seconds: float


def tune(request: Request, *, room: Room, limit_bytes: int, console: Console, retune: bool = False) -> Tuned:
    """Choose model, image size and batch of a stage; what was measured before is not measured again.

    Args:
        request: what to choose for.
        room: the device, as it is now.
        limit_bytes: memory that may be taken.
        console: told what is measured.
        retune: forget what was measured before.

    Raises:
        OutOfMemoryError: not even the smallest fits; says what would.
    """
    begin = time.monotonic()
    cache = open_readings(request.stage, room, request.class_count, request.pairs, forget=retune)
    readings = list(cache.readings)
    known = len(readings)
    with Apart("the measurement") as process:
        while (trial := next_trial(readings=readings, limit_bytes=limit_bytes, **request.asked)) is not None:
            if len(readings) == known:
                console.print(f"measuring what fits for the {trial.stage}, once on this machine ...")
            what = f"{trial.model} at {trial.imgsz} px, batch {trial.batch}"
            with counting(console, what, 1):
                reading = _measure(process, request, trial, limit_bytes)
            readings.append(reading)
            if reading.peak_bytes is not None or reading.limit_bytes:
                cache.keep(reading)
    if cache.note:
        console.print(f"note: {cache.note}")
    fit = choose(readings=readings, limit_bytes=limit_bytes, **request.asked)
    return Tuned(fit, tuple(readings), time.monotonic() - begin)


def _measure(process: Apart, request: Request, trial: Trial, limit_bytes: int) -> Reading:
    """A process that dies or hangs is a reading too, of what cannot be done.

    What is kept on disk has a limit: what hung once need not hang for ever.
    """
    on_gpu = trial.device.isdigit()
    with tempfile.TemporaryDirectory(prefix="cropsort-") as folder:
        try:
            # On a CPU what an earlier trial has left behind would count as this one's.
            call = process.call if on_gpu else run_apart
            outcome = call(
                measure,
                *(trial, request.class_count, request.pairs, limit_bytes, Path(folder)),
                limit_bytes=None if on_gpu else limit_bytes,
                timeout=_PATIENCE_SECONDS,
            )
        except CropsortError as error:
            if not isinstance(error, OutOfMemoryError | ProcessDiedError):
                raise
            process.end()  # what is left of it would count as the next trial's
            kept = limit_bytes if isinstance(error, OutOfMemoryError) else 0
            return Reading(trial, None, 0.0, error.found, kept)
        except RuntimeError as error:  # torch's; the same holds
            process.end()
            return Reading(trial, None, 0.0, str(error).splitlines()[0][:100])
    peak = outcome.result.gpu_bytes
    if not on_gpu:
        peak = max(peak, outcome.peak_bytes) + unseen_bytes(trial, request.facts.photos)
    return Reading(trial, peak, outcome.result.seconds, "", limit_bytes)
