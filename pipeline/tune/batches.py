"""Batches: what the data can use, what fits into memory, and what pays."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.memory import format_bytes
from pipeline.tune.lines import Line, fit_memory, fit_speed
from pipeline.tune.trials import Reading, Stage

LEAST = {"detector": 1, "classifier": 2, "jigsaw": 2, "prediction": 1}
"""The classifier's normalisation needs two crops to compare; what learns puzzles is loaded as it is."""

HEALTHY = {"detector": 8, "classifier": 16, "jigsaw": 16, "prediction": 1}
"""Batch below which normalisation and speed suffer."""

MOST = 64
USUAL_BATCH = 32
"""What the learning rate of the classifier, and of puzzles, is made for."""

_OF_OURS = ("classifier", "jigsaw")
"""Stages that are trained in our own loop, which gathers gradients up to the usual batch."""

USED = 0.85
"""Part of the limit that a choice stopped by memory uses, and part of a batch that is as good as all of it."""

PAYS = 1.03
"""Photos per second that twice the batch must gain."""

TRIES = 3
_STEPS = 20
_MARGINS = {"cpu": 0.06, "mps": 0.06}
_GPU_MARGIN = 0.04
_BACK_OFF = 0.8
_STALE = 1.1


def usable_batch(photos: int, stage: Stage = "detector") -> int:
    """Largest batch that so many photos gain from.

    What leaves 20 steps an epoch, a multiple of 4 above 8 and of 8 above 16, at most 64, but no less than 8 where there
    are as many photos: 8 for 30 and for 200, 12 for 240, 64 from 1,280 on. For the classifier, and for puzzles, no less
    than the 32 whose gradients are gathered anyway.
    """
    least = min(photos, USUAL_BATCH if stage in _OF_OURS else HEALTHY["detector"])
    return max(LEAST[stage], least, min(MOST, _round_down(photos // _STEPS)))


def effective_batch(stage: Stage, photos: int, batch: int) -> int:
    """Photos that one step of the weights learns from, never fewer than ``batch``.

    For the classifier and for puzzles 32. For the detector as many as leave about 20 steps an epoch, at most 64: 8 at
    batch 8 for 80 photos, 20 for 400, 64 from 1,280 on. Ultralytics gathers 64, which leaves 80 photos one step an
    epoch, and a dozen epochs of fine-tuning next to nothing.
    """
    if stage == "prediction":
        return batch
    wanted = min(photos, USUAL_BATCH) if stage in _OF_OURS else min(MOST, photos // _STEPS)
    return max(batch, wanted)


def count_accumulated(stage: Stage, photos: int, batch: int) -> int:
    """Batches that one step of the weights gathers, at least 1, so that the effective batch stays what it is."""
    return max(1, round(effective_batch(stage, photos, batch) / batch))


def probe_batches(stage: Stage, most: int, device: str) -> tuple[int, ...]:
    """Batches to measure a model at: small, at most ``most``, and a third one on a GPU, which is slow to get going."""
    if most < 4:
        ladder: tuple[int, ...] = (2, 3) if stage in _OF_OURS else (1, 2)
    else:
        ladder = (2, 4, 8) if device.isdigit() else (2, 4)
    return tuple(batch for batch in ladder if batch <= max(most, LEAST[stage]))


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a model at an image size, under a limit.

    Args:
        readings: at different batches; failures under limits much smaller than this one left out.
        imgsz: image size in pixels.
        limit_bytes: memory that may be used.
        margin: part of it that a prediction leaves free; a reading half of it.
    """

    readings: tuple[Reading, ...]
    imgsz: int
    limit_bytes: int
    margin: float

    @property
    def memory(self) -> Line | None:
        """Bytes over pixels; None where no peak is known."""
        return fit_memory(self.readings)

    @property
    def speed(self) -> Line | None:
        """Seconds over photos; None where no reading went well."""
        return fit_speed(self.readings)

    @property
    def failed(self) -> tuple[Reading, ...]:
        """Readings that were over the limit, or did not end."""
        return tuple(reading for reading in self.readings if not self._is_well(reading))

    @property
    def verified(self) -> tuple[int, ...]:
        """Batches that were measured to fit."""
        return tuple(reading.trial.batch for reading in self.readings if self._is_well(reading))

    def reading_at(self, batch: int) -> Reading | None:
        """The reading at this very batch, if there is one."""
        return next((reading for reading in self.readings if reading.trial.batch == batch), None)

    def peak(self, batch: int) -> float | None:
        """Bytes that a batch takes, by its reading or else by the line; None where neither says."""
        reading, memory = self.reading_at(batch), self.memory
        if reading is not None and reading.peak_bytes is not None:
            return float(reading.peak_bytes)
        return None if memory is None else memory.at(batch * self.imgsz**2)

    def seconds(self, batch: int) -> float:
        """Seconds that a batch takes, by its reading or else by the line; 0 where neither says."""
        reading, speed = self.reading_at(batch), self.speed
        if reading is not None and reading.peak_bytes is not None:
            return reading.seconds
        return 0.0 if speed is None else speed.at(batch)

    def fits(self, batch: int) -> bool:
        """Whether a batch was measured to fit, or is predicted to with the margin left free."""
        if any(batch >= reading.trial.batch for reading in self.failed):
            return False
        if batch in self.verified:
            return True
        unknown = [reading.trial.batch for reading in self.failed if reading.peak_bytes is None]
        if self.memory is None or any(batch > _BACK_OFF * failed for failed in unknown):
            return False
        return self.memory.at(batch * self.imgsz**2) <= self.limit_bytes * (1 - self.margin)

    def most_that_fits(self, most: int, least: int) -> int:
        """The largest batch from ``least`` to ``most`` that fits; 0 where none does."""
        return next((batch for batch in range(most, least - 1, -1) if self.fits(batch)), 0)

    def _is_well(self, reading: Reading) -> bool:
        return reading.peak_bytes is not None and reading.peak_bytes <= self.limit_bytes * (1 - self.margin / 2)


def margin(device: str) -> float:
    """Part of the limit that is left free: training moves a little, most where processes share pages."""
    return _MARGINS.get(device, _GPU_MARGIN)


def still_counts(reading: Reading, limit_bytes: int) -> bool:
    """Whether a reading says something under this limit: what did not fit may fit where there is a tenth more."""
    return reading.peak_bytes is not None or not reading.limit_bytes or limit_bytes < _STALE * reading.limit_bytes


def choose_batch(known: Evidence, *, healthy: int, most: int, least: int) -> tuple[int, str]:
    """The batch by rule 3, and why; 0 where none fits.

    Args:
        known: of the model.
        healthy: batch up to which speed does not matter.
        most: that the data can use.
        least: that can be trained with.
    """
    fitting = known.most_that_fits(most, least)
    paying = paying_batch(known.speed, healthy, most)
    if not fitting:
        return 0, "nothing fits"
    if fitting <= paying and fitting < most:
        batch = _settle(known, round_batch(known, fitting), by_memory=True)
        return batch, _why_no_more(known, fitting + 1)
    batch = _settle(known, min(paying, fitting), by_memory=False)
    if paying < fitting:
        return batch, f"{2 * paying} would not be {100 * (PAYS - 1):.0f} % faster"
    return batch, "the data gains nothing from more"


def paying_batch(speed: Line | None, healthy: int, most: int) -> int:
    """Double the batch, from the healthy one on, while photos per second rise by 3 %; at most ``most``."""
    if speed is None:
        return healthy
    batch = healthy
    while batch < most and 2 * speed.at(batch) >= PAYS * speed.at(2 * batch):
        batch *= 2
    return min(batch, most)


def round_batch(known: Evidence, batch: int) -> int:
    """A multiple of 8 above 16, of 4 above 8, where it costs no more than 10 % and still uses the memory."""
    rounded = _round_down(batch)
    peak = known.peak(rounded) or 0.0
    return rounded if rounded >= 0.9 * batch and peak >= USED * known.limit_bytes else batch


def _round_down(batch: int) -> int:
    step = 8 if batch > 16 else 4 if batch > 8 else 1
    return batch // step * step


def _settle(known: Evidence, wanted: int, *, by_memory: bool) -> int:
    """A slightly smaller batch that was measured to fit and uses the memory, rather than one that was not measured."""
    proven = max((batch for batch in known.verified if batch <= wanted), default=0)
    full = (known.peak(proven) or 0.0) >= USED * known.limit_bytes
    tired = sum(reading.trial.batch > proven for reading in known.failed) >= TRIES
    return proven if proven and (tired or (by_memory and full and proven >= USED * wanted)) else wanted


def _why_no_more(known: Evidence, batch: int) -> str:
    limit = format_bytes(known.limit_bytes)
    free = f"{limit}, of which {100 * known.margin:.0f} % stay free"
    failed = min(known.failed, key=lambda reading: reading.trial.batch, default=None)
    if failed is None:
        return f"{batch} would take {format_bytes(round(known.peak(batch) or 0))} of {free}"
    if failed.peak_bytes is None:
        return f"{failed.trial.batch} did not fit into {limit}{f' ({failed.said})' if failed.said else ''}"
    return f"{failed.trial.batch} takes {format_bytes(failed.peak_bytes)} of {free}"
