"""What was chosen for a training: a fit for each network that there is, and the settings that follow from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.config import Config
from pipeline.settings import ClassifierSettings
from pipeline.tune.trials import Fit


@dataclass(frozen=True, slots=True)
class Plan:
    """What was chosen for a training.

    Args:
        config: data.yaml's settings, with what was chosen in the place of what it leaves open.
        fits: the choices by key: ``detector``, ``classifier`` for its first backbone, and what ``backbone_key`` says
            for each other one.
    """

    config: Config
    fits: Mapping[str, Fit]

    @classmethod
    def from_fits(cls, config: Config, fits: Mapping[str, Fit]) -> Plan:
        """The plan that follows from the choices for a data.yaml."""
        chosen = {
            stage: getattr(config, stage).model_copy(update=_settings(fits[stage]))
            for stage in ("detector", "classifier")
            if stage in fits
        }
        return cls(config.model_copy(update=chosen), fits)

    @classmethod
    def from_record(cls, config: Config, record: Mapping[str, Any]) -> Plan:
        """What ``as_record`` gave, for the same data.yaml."""
        return cls.from_fits(config, {key: Fit.from_record(fit) for key, fit in record.items()})

    def as_record(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {key: fit.as_record() for key, fit in self.fits.items()}

    def key(self, model_name: str) -> str:
        """Where ``fits`` has a backbone of the classifier."""
        return "classifier" if model_name == self.fits["classifier"].model else backbone_key(model_name)

    def classifier(self, key: str) -> ClassifierSettings:
        """The classifier's settings for the backbone with a key of ``fits``."""
        return self.config.classifier.model_copy(update=_settings(self.fits[key]))

    def with_fit(self, key: str, fit: Fit) -> Plan:
        """The same with another choice for one network."""
        return Plan.from_fits(self.config, {**self.fits, key: fit})


def backbone_key(model_name: str) -> str:
    """What ``Plan.fits`` calls a backbone that is not the first."""
    return f"classifier:{model_name}"


def _settings(fit: Fit) -> dict[str, object]:
    return {"model": fit.model, "imgsz": fit.imgsz, "batch": fit.batch}
