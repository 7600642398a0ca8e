"""Straight lines through readings: memory over pixels, seconds over photos."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean

from pipeline.tune.trials import Reading

FIXED_SHARE = 0.5
"""Part of a single reading that is taken for fixed: small models have more (on a CPU 0.65 of yolov5n at batch 2), so
that the line is rather too steep than too flat."""


@dataclass(frozen=True, slots=True)
class Line:
    """``start + slope * x``; neither is negative.

    Args:
        start: the value at 0.
        slope: what each unit adds.
    """

    start: float
    slope: float

    def __post_init__(self) -> None:
        if not (self.start >= 0 and self.slope >= 0):
            raise ValueError(f"a line neither starts below 0 nor falls, got {self}")

    def at(self, x: float) -> float:
        """The value at ``x``."""
        return self.start + self.slope * x


def fit_line(points: Sequence[tuple[float, float]]) -> Line:
    """Least squares through points (x > 0, y >= 0), at least one.

    Where they would have the line fall, or there is only one, it goes through the last, half of whose value is taken
    for fixed; where they would have it start below 0 it starts at 0.
    """
    middle = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - middle[0]) ** 2 for x, _ in points)
    common = sum((x - middle[0]) * (y - middle[1]) for x, y in points)
    if common <= 0 or spread <= 0:
        x, y = max(points)
        return Line(FIXED_SHARE * y, (1 - FIXED_SHARE) * y / x)
    slope = common / spread
    start = middle[1] - slope * middle[0]
    if start >= 0:
        return Line(start, slope)
    return Line(0.0, sum(x * y for x, y in points) / sum(x * x for x, _ in points))


def fit_memory(readings: Iterable[Reading]) -> Line | None:
    """Bytes over pixels of a batch (``batch * imgsz ** 2``) of one model; None where no reading knows its peak."""
    points = [
        (float(reading.trial.batch * reading.trial.imgsz**2), float(reading.peak_bytes))
        for reading in readings
        if reading.peak_bytes is not None
    ]
    return fit_line(points) if points else None


def fit_speed(readings: Iterable[Reading]) -> Line | None:
    """Seconds of a step over photos in it, of one model at one image size; None where no reading went well."""
    points = [(float(reading.trial.batch), reading.seconds) for reading in readings if reading.peak_bytes is not None]
    return fit_line(points) if points else None
