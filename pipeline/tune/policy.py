"""Which model, image size and batch: pure data in, pure data out.

1. The image size comes first, from the data. For the detector the smallest boxes (5 % quantile of the shorter side)
   keep 24 pixels; no less than 320 and no more than 1280, and photos are not enlarged. For the classifier it is the
   median longer side of the subjects with their margin, 96 to 224. Always a multiple of 32.
2. Then the largest model of the family that leaves a healthy batch (8 photos for the detector, 16 crops for the
   classifier, or what the data can use if that is less) within the memory, and trains within the time. The family is
   gone through from small to large and left at the first that does not; without a time it is the smallest. The
   smallest is taken even where its batch is less or its training longer, and the reason says so.
3. Then the batch: doubled while photos per second rise by 3 %, but never held below the healthy one for that; no more
   than the data can use (20 steps an epoch, 64 at most; the classifier 32 where there are as many); no more than fits
   with a margin left free (6 % on a CPU, 4 % on a GPU). A multiple of 8 above 16 and of 4 above 8, where that costs no
   more than 10 % and leaves 85 % of the memory used. Gradients are gathered over several batches, so that the
   effective batch stays the same whatever fits.
4. Memory is a line over pixels (``a + b * batch * imgsz ** 2``), the seconds of a step one over the batch, fitted to
   readings of two or three small batches of a model. A reading of the choice itself beats the line, and has half the
   margin to keep free. What did not fit, died or hung bounds the batch: none as large, and none over four fifths of
   it. The choice is measured before it is used, unless one that is 15 % smaller at most is known
   to fit and to use 85 % of the memory.
5. Where not even the smallest fits, or a pinned batch does not, the error says what would.

What the user pinned stays; where nothing is left to choose nothing is measured.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.tune.batches import (
    LEAST,
    Evidence,
    choose_batch,
    effective_batch,
    margin,
    probe_batches,
    still_counts,
    usable_batch,
)
from pipeline.tune.case import Case
from pipeline.tune.lines import Line, fit_memory, fit_speed
from pipeline.tune.refusal import refuse
from pipeline.tune.sizes import choose_imgsz, family, nearest_sizes
from pipeline.tune.trials import Facts, Fit, Pins, Reading, Stage, Trial

__all__ = [
    "Evidence",
    "Facts",
    "Fit",
    "Line",
    "Pins",
    "Reading",
    "Stage",
    "Trial",
    "choose",
    "choose_batch",
    "choose_imgsz",
    "effective_batch",
    "family",
    "fit_memory",
    "fit_speed",
    "nearest_sizes",
    "next_trial",
    "usable_batch",
]

_DOUBTFUL = 1.25
"""A pinned batch that is predicted to take up to this part of the limit is measured before it is refused."""

_FEW = 8
"""Photos predicted at a time where there is nothing to measure: every core has one to work on, and little waits."""


def choose(
    stage: Stage,
    facts: Facts,
    pins: Pins,
    readings: Iterable[Reading],
    *,
    candidates: tuple[str, ...],
    limit_bytes: int,
    seconds: float | None,
    epochs: int,
    device: str,
) -> Fit:
    """Choose image size, model and batch by the rules above.

    Args:
        stage: what for.
        facts: what the data asks for.
        pins: what the user decided.
        readings: everything that was measured; what is of other stages, sizes, data or devices is passed over, and of
            two readings of a trial the later one counts.
        candidates: models of a family, small to large; not looked at where the model is pinned.
        limit_bytes: memory that may be used.
        seconds: that the training may take; None for the smallest model, however long it takes.
        epochs: how many are trained.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Raises:
        OutOfMemoryError: nothing fits, or the pinned batch does not.
        ValueError: there is no candidate, or no reading of the smallest where there should be.
    """
    case = Case(stage, facts, pins, candidates, limit_bytes, seconds, epochs, device)
    imgsz, size_reason = choose_imgsz(stage, facts, pins.imgsz)
    if not case.is_open:
        return _as_decided(case, imgsz, size_reason)
    options = [_weigh(case, model, imgsz, readings) for model in case.models]
    model, model_reason = _choose_model(case, options)
    if not model.batch:
        raise refuse(stage, model.name, model.known, pinned=pins.batch)
    return Fit(
        stage,
        model.name,
        imgsz,
        model.batch,
        case.accumulate(model.batch),
        round(model.known.peak(model.batch) or 0),
        limit_bytes,
        case.epoch_seconds(model.known.seconds(model.batch) / model.batch),
        device,
        (size_reason, model_reason, f"batch {model.batch}: {model.why_batch}"),
    )


def next_trial(
    stage: Stage,
    facts: Facts,
    pins: Pins,
    readings: Iterable[Reading],
    *,
    candidates: tuple[str, ...],
    limit_bytes: int,
    seconds: float | None,
    epochs: int,
    device: str,
) -> Trial | None:
    """What to measure before ``choose`` is asked, which takes the same; None when nothing is left to.

    Small batches of each model in rising order, until one that rule 2 leaves out; then the choice itself, and where it
    does not fit the next choice, three times at most.
    """
    case = Case(stage, facts, pins, candidates, limit_bytes, seconds, epochs, device)
    imgsz, _ = choose_imgsz(stage, facts, pins.imgsz)
    if not case.is_open:
        return None
    readings, options = tuple(readings), []
    for model in case.models:
        options.append(_weigh(case, model, imgsz, readings))
        batch = _next_probe(case, options[-1])
        if batch:
            return case.trial(model, imgsz, batch)
        if _why_not(case, options[-1]):
            break
    chosen, _ = _choose_model(case, options)
    batch = chosen.batch or _doubted_pin(case, chosen)
    return case.trial(chosen.name, imgsz, batch) if batch and not chosen.known.reading_at(batch) else None


@dataclass(frozen=True, slots=True)
class _Option:
    """A model with the batch that it leaves room for; 0 for none."""

    name: str
    known: Evidence
    batch: int
    why_batch: str
    training_seconds: float


def _weigh(case: Case, model: str, imgsz: int, readings: Iterable[Reading]) -> _Option:
    known = _gather(case, model, imgsz, readings)
    if case.pins.batch is None:
        batch, why = choose_batch(known, healthy=case.healthy, most=case.most, least=case.least)
    else:
        batch, why = known.most_that_fits(case.most, case.least), "as pinned"
    # By the line even where there is a reading: a larger batch never counts as slower, so more memory never as a loss.
    seconds = known.speed.at(batch) / batch if batch and known.speed else 0.0
    return _Option(model, known, batch, why, case.epochs * case.epoch_seconds(seconds))


def _gather(case: Case, model: str, imgsz: int, readings: Iterable[Reading]) -> Evidence:
    """The readings of a model in this case, the latest of each batch."""
    own = (reading for reading in readings if reading.trial == case.trial(model, imgsz, reading.trial.batch))
    latest = {reading.trial.batch: reading for reading in own}
    ordered = tuple(latest[batch] for batch in sorted(latest) if still_counts(latest[batch], case.limit_bytes))
    return Evidence(ordered, imgsz, case.limit_bytes, margin(case.device))


def _choose_model(case: Case, options: list[_Option]) -> tuple[_Option, str]:
    """The model by rule 2, and why: the last before the first that is left out, but always one."""
    chosen = options[0]
    if not chosen.known.readings:
        raise ValueError(f"no reading of {chosen.name} at {chosen.known.imgsz} pixels")
    flaw, why_no_larger = _why_not(case, chosen), ""
    for option in options[1:] if not flaw else ():
        why_not = _why_not(case, option)
        if why_not:
            why_no_larger = f"{option.name} {why_not}"
            break
        chosen = option
    return chosen, _why_model(case, chosen.name, flaw, why_no_larger)


def _why_not(case: Case, option: _Option) -> str:
    """What speaks against a model; empty where nothing does."""
    if not option.known.readings:
        return "was not measured"
    fitting = option.known.most_that_fits(case.most, LEAST[case.stage])
    if fitting < case.healthy:
        return f"leaves room for a batch of {fitting}, not {case.healthy}"
    if case.seconds is not None and option.training_seconds > case.seconds and case.stage != "prediction":
        return f"would train {_in_words(option.training_seconds)}, not {_in_words(case.seconds)}"
    return ""


def _why_model(case: Case, model: str, flaw: str = "", why_no_larger: str = "") -> str:
    if case.pins.model is not None:
        why = "that of the weights" if case.stage == "prediction" else "as pinned"
    elif len(case.candidates) == 1:
        why = "the only one with weights to start from"
    elif case.seconds is None:
        why = f"without {'a GPU' if case.device == 'cpu' else 'a time'} the smallest model"
    elif flaw:
        why = "the smallest model"
    else:
        why = why_no_larger or "the largest of its family"
    return f"{model}: {why}{f'; it {flaw}' if flaw else ''}"


def _as_decided(case: Case, imgsz: int, size_reason: str) -> Fit:
    """Where there is nothing to measure."""
    unmeasured = min(_FEW, case.facts.photos) if case.stage == "prediction" else 1
    model, batch = case.models[0], case.pins.batch or unmeasured
    few = f"{case.facts.photos} photos are done before measuring would pay"
    reasons = size_reason, _why_model(case, model), f"batch {batch}: {few if case.pins.batch is None else 'as pinned'}"
    gathered = case.accumulate(batch)
    return Fit(case.stage, model, imgsz, batch, gathered, 0, case.limit_bytes, 0.0, case.device, reasons)


def _next_probe(case: Case, option: _Option) -> int:
    """The next small batch to measure a model at; 0 for none."""
    known = option.known
    for batch in probe_batches(case.stage, case.most, case.device):
        if any(batch >= failed.trial.batch for failed in known.failed):
            break
        if not known.reading_at(batch):
            return batch
    least = LEAST[case.stage]
    nothing = not known.verified and known.reading_at(least) is None
    return least if nothing and option.name == case.models[0] else 0


def _doubted_pin(case: Case, option: _Option) -> int:
    """The pinned batch, where it is predicted not to fit but might."""
    peak = None if case.pins.batch is None else option.known.peak(case.pins.batch)
    return (case.pins.batch or 0) if peak is not None and peak <= _DOUBTFUL * case.limit_bytes else 0


def _in_words(seconds: float) -> str:
    """``2 h``, ``3.2 h``, ``25 min``."""
    return f"{seconds / 3600:.2g} h" if seconds >= 3600 else f"{seconds / 60:.2g} min"
