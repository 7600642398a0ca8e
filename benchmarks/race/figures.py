"""Figures of probabilities, and what pairs of them differ by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, median, stdev

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from pipeline.calibration import log_loss
from race.material import Answer, Material, Probabilities

Targets = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Difference:
    """A mean difference of pairs, and half its 95 % interval by Student's t; None where there is but one pair."""

    mean: float
    half: float | None

    def say(self, digits: int, *, factor: float = 1.0) -> str:
        """Such as ``+2.1 (+0.4 to +3.8)``."""
        mean = f"{self.mean * factor:+.{digits}f}"
        if self.half is None:
            return mean
        low, high = (f"{value * factor:+.{digits}f}" for value in (self.mean - self.half, self.mean + self.half))
        return f"{mean} ({low} to {high})"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left of a training: see ``Answer``; and the classes of the crops of val and test."""

    seconds: float
    preparing: float
    val: Probabilities
    val_targets: Targets
    test: Probabilities
    test_targets: Targets


def write_kept(path: Path, answer: Answer, material: Material) -> None:
    """Write what is left of a training, whole or not at all."""
    part = path.with_suffix(".part.npz")
    val, test = material.targets("val"), material.targets("test")
    times = np.array([answer.seconds, answer.preparing])
    np.savez(part, times=times, val=answer.val, val_targets=val, test=answer.test, test_targets=test)
    part.replace(path)


def read_kept(path: Path) -> Kept:
    """What ``write_kept`` wrote."""
    with np.load(path) as table:
        return Kept(*table["times"].tolist(), *(table[key] for key in ("val", "val_targets", "test", "test_targets")))


def top1(probabilities: Probabilities, targets: Targets) -> float:
    """Part of the crops that get the right class."""
    return float((probabilities.argmax(1) == targets).mean())


def mean_recall(probabilities: Probabilities, targets: Targets) -> float:
    """Mean, over the classes that are there, of the part of a class's crops that get it."""
    right = probabilities.argmax(1) == targets
    return fmean(float(right[targets == target].mean()) for target in np.unique(targets))


def score(probabilities: Probabilities, targets: Targets) -> dict[str, float]:
    """All figures of a table of probabilities."""
    return {
        "top1": top1(probabilities, targets),
        "recall": mean_recall(probabilities, targets),
        "log_loss": log_loss(probabilities, targets),
    }


def compare(ours: Sequence[float], plain: Sequence[float]) -> Difference:
    """Ours less theirs, pair by pair."""
    differences = [one - other for one, other in zip(ours, plain, strict=True)]
    mean, count = fmean(differences), len(differences)
    if count < 2:
        return Difference(mean, None)
    return Difference(mean, float(stats.t.ppf(0.975, count - 1)) * stdev(differences) / count**0.5)


def say_ratio(ours: Sequence[float], plain: Sequence[float]) -> str:
    """The median of the ratios of pairs, and their spread."""
    ratios = [one / other for one, other in zip(ours, plain, strict=True)]
    return f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def print_table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """A table in Markdown."""
    print(f"| {' | '.join(heading)} |")
    print("|" + "---|" * len(heading))
    for row in rows:
        print(f"| {' | '.join(row)} |", flush=True)
