"""What is asked of the policy, and what follows from it before anything is measured."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.tune.batches import HEALTHY, LEAST, count_accumulated, usable_batch
from pipeline.tune.trials import Facts, Pins, Stage, Trial

WORTH_MEASURING, WORTH_MEASURING_ON_CPU = 64, 1000
"""Photos to predict from which on a larger batch saves more than measuring takes; a CPU gains little from one."""

VALIDATION = 1.15
"""Time of an epoch over that of its training steps."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is asked; see ``choose``."""

    stage: Stage
    facts: Facts
    pins: Pins
    candidates: tuple[str, ...]
    limit_bytes: int
    seconds: float | None
    epochs: int
    device: str

    def __post_init__(self) -> None:
        if not self.models or self.limit_bytes < 1 or self.epochs < 1:
            raise ValueError(f"a model, a limit and an epoch are needed, got {self}")

    @property
    def models(self) -> tuple[str, ...]:
        """What may be chosen, small to large."""
        if self.pins.model is not None:
            return (self.pins.model,)
        return self.candidates[:1] if self.seconds is None else self.candidates

    @property
    def most(self) -> int:
        """The largest batch to think of."""
        return self.pins.batch or usable_batch(self.facts.photos, self.stage)

    @property
    def least(self) -> int:
        """The smallest batch to think of."""
        return self.pins.batch or LEAST[self.stage]

    @property
    def healthy(self) -> int:
        """The batch that a model must leave room for."""
        return self.pins.batch or min(HEALTHY[self.stage], self.most)

    @property
    def is_open(self) -> bool:
        """Whether measuring could change anything."""
        if self.pins.batch is None:
            worth = WORTH_MEASURING_ON_CPU if self.device == "cpu" else WORTH_MEASURING
            return self.stage != "prediction" or self.facts.photos >= worth
        return len(self.models) > 1 or self.pins.imgsz is None

    def accumulate(self, batch: int) -> int:
        """A batch that the user pinned is what one step learns from, but for the detector."""
        if self.stage != "detector" and self.pins.batch is not None:
            return 1
        return count_accumulated(self.stage, self.facts.photos, batch)

    def epoch_seconds(self, seconds_a_photo: float) -> float:
        """Time of an epoch, validation included, or of predicting all photos."""
        return self.facts.photos * seconds_a_photo * (1.0 if self.stage == "prediction" else VALIDATION)

    def trial(self, model: str, imgsz: int, batch: int) -> Trial:
        """What to measure."""
        return Trial(self.stage, model, imgsz, batch, self.facts.boxes, self.device)
