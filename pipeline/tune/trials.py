"""What passes between measuring and choosing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pipeline.engine import Engine

Stage = Literal["detector", "classifier", "jigsaw", "prediction"]


@dataclass(frozen=True, slots=True)
class Facts:
    """What a data set asks for.

    Args:
        photos: how many there are to learn from (for the classifier: subjects), or to predict; at least 1.
        side: median longer side of what the network is shown, pixels: of photos for the detector, of subjects with
            their margin for the classifier.
        smallest: 5 % quantile of the boxes' shorter sides, as parts of their photo's longer side, over 0 to 1; 1 for
            the classifier and for puzzles.
        boxes: most in one photo; 1 for the classifier; of a puzzle its tiles.
    """

    photos: int
    side: int
    smallest: float
    boxes: int

    def __post_init__(self) -> None:
        if self.photos < 1 or self.side < 1 or self.boxes < 0 or not 0 < self.smallest <= 1:
            raise ValueError(f"facts out of range: {self}")


@dataclass(frozen=True, slots=True)
class Pins:
    """What the user decided; None for what is to be chosen."""

    model: str | None = None
    imgsz: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        if any(value is not None and value < 1 for value in (self.imgsz, self.batch)):
            raise ValueError(f"an image size and a batch are at least 1, got {self}")


@dataclass(frozen=True, slots=True)
class TrainedPairs:
    """What photos are predicted with.

    Args:
        folders: of the pairs that decide together, at least one.
        engine: what their networks run in.
    """

    folders: tuple[Path, ...]
    engine: Engine


@dataclass(frozen=True, slots=True)
class Trial:
    """Something to measure.

    Args:
        stage: what is run.
        model: the network's name.
        imgsz: image size in pixels.
        batch: photos (crops for the classifier) at a time.
        boxes: most in one photo; of a puzzle its tiles.
        device: ``cpu``, ``mps`` or the number of a GPU.
    """

    stage: Stage
    model: str
    imgsz: int
    batch: int
    boxes: int
    device: str

    def __post_init__(self) -> None:
        if self.imgsz < 1 or self.batch < 1 or self.boxes < 0:
            raise ValueError(f"trial out of range: {self}")


@dataclass(frozen=True, slots=True)
class Reading:
    """What a trial came to.

    Args:
        trial: what was measured.
        peak_bytes: most memory it took; None where it did not fit, died or hung.
        seconds: of a training step, or of a batch predicted; 0 where it was not measured.
        said: why it ended; empty where all went well.
        limit_bytes: the limit it ran under. A trial that did not fit says nothing of a limit a tenth larger; 0 says
            that it would fit into none.
    """

    trial: Trial
    peak_bytes: int | None
    seconds: float
    said: str = ""
    limit_bytes: int = 0

    def __post_init__(self) -> None:
        if (self.peak_bytes is not None and self.peak_bytes < 1) or not 0 <= self.seconds < float("inf"):
            raise ValueError(f"reading out of range: {self}")


@dataclass(frozen=True, slots=True)
class Fit:
    """What was chosen.

    Args:
        stage: what it is for.
        model: the network's name.
        imgsz: image size in pixels.
        batch: photos (crops for the classifier, pictures for puzzles) at a time.
        accumulate: batches whose gradients one step of the weights gathers, at least 1.
        peak_bytes: memory that it takes, measured or by the fitted line; 0 where nothing was measured.
        limit_bytes: memory that it may take.
        epoch_seconds: time an epoch takes, validation included, or all photos to be predicted; 0 where nothing was
            measured.
        device: ``cpu``, ``mps`` or the number of a GPU.
        reasons: why, a sentence each for image size, model and batch.
    """

    stage: Stage
    model: str
    imgsz: int
    batch: int
    accumulate: int
    peak_bytes: int
    limit_bytes: int
    epoch_seconds: float
    device: str
    reasons: tuple[str, ...]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Fit:
        """What ``as_record`` gave, from JSON."""
        return cls(**{**record, "reasons": tuple(record["reasons"])})

    def as_record(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    def with_batch(self, batch: int) -> Fit:
        """The same in other steps, as many photos gathered before the weights move as before."""
        return replace(self, batch=batch, accumulate=math.ceil(self.batch * self.accumulate / batch))
