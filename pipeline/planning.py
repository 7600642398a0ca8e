"""What a training leaves to the machine: limit, models, image sizes and batches, chosen before it begins."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline.config import Config, read_config
from pipeline.dataset import DataSet, load_dataset
from pipeline.device import pick_device
from pipeline.finder import crop_sorted, read_cropper
from pipeline.memory import Room, choose_limit, format_bytes, measure_room
from pipeline.settings import ClassifierSettings, DetectorSettings
from pipeline.starts import list_candidates
from pipeline.tune.facts import read_facts
from pipeline.tune.trials import Facts, Fit, Pins, Stage
from pipeline.tune.tuning import Request, Tuned, tune
from pipeline.weights import default_weights, has_pair, read_cards

_GPU_SECONDS = 2 * 3600.0
_MANY = 1000
"""Photos that prediction is tuned for where nobody knows yet how many there will be."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What was chosen for a training.

    Args:
        config: data.yaml's settings, with what was chosen in the place of what it leaves open.
        fits: each stage's choice.
    """

    config: Config
    fits: Mapping[str, Fit]

    def as_record(self) -> dict[str, Any]:
        """For ``run.json``."""
        return {stage: asdict(fit) for stage, fit in self.fits.items()}

    @classmethod
    def from_record(cls, config: Config, record: Mapping[str, Any]) -> Plan:
        """What ``as_record`` gave, for the same data.yaml."""
        fits = {stage: Fit(**{**fit, "reasons": tuple(fit["reasons"])}) for stage, fit in record.items()}
        return cls(_resolve(config, fits), fits)

    def with_batch(self, stage: str, batch: int) -> Plan:
        """The same in smaller steps, as many photos gathered before the weights move as before."""
        fit = self.fits[stage]
        gathered = math.ceil(fit.batch * fit.accumulate / batch)
        fits = {**self.fits, stage: replace(fit, batch=batch, accumulate=gathered)}
        return Plan(_resolve(self.config, fits), fits)


@dataclass(frozen=True, slots=True)
class Advice:
    """What ``cropsort tune`` says.

    Args:
        room: the device, as it is now.
        limit_bytes: memory that may be taken of it.
        stages: what was measured and chosen for each.
    """

    room: Room
    limit_bytes: int
    stages: Mapping[str, Tuned]


def advise(data_file: Path, *, memory: str | None, console: Console, retune: bool) -> Advice:
    """Measure and choose for all that a data set is trained and, where there is a pair, predicted with.

    Args:
        data_file: the data.yaml.
        memory: limit in the place of data.yaml's.
        console: told what is measured.
        retune: measure anew what was measured before.

    Raises:
        OutOfMemoryError: not even the smallest fits; says what would.
        CropsortError: data.yaml, photos, labels or weights cannot be worked with.
        ExceptionGroup: of ``CropsortError``, where there is more than one reason.
    """
    config = read_config(data_file)
    if memory is not None:
        config = config.model_copy(update={"memory": memory})
    device = pick_device(config.device)
    room = measure_room(device)
    limit, _ = choose_limit(config.memory, room)
    dataset = crop_sorted(load_dataset(data_file, config), read_cropper(config), device, console)
    stages = tune_training(config, dataset, device, console, retune=retune)
    weights = default_weights(data_file)
    if has_pair(weights):
        stages["prediction"] = tune_prediction(
            weights, photos=_MANY, memory=config.memory, device=device, console=console, retune=retune
        )
    return Advice(room, limit, stages)


def plan_training(
    config: Config,
    dataset: DataSet,
    device: str,
    console: Console,
    *,
    before: Plan | None = None,
    retune: bool = False,
) -> Plan:
    """Choose what data.yaml leaves open, with a line for each stage.

    Args:
        config: data.yaml's settings.
        dataset: what is trained on.
        device: ``cpu``, ``mps`` or the number of a GPU.
        console: told of the choice.
        before: what a training that goes on was begun with: its models and image sizes stay.
        retune: measure anew what was measured before.

    Raises:
        OutOfMemoryError: not even the smallest fits; says what would.
        ConfigError: the limit is more than the device has.
    """
    fits = {}
    for stage, tuned in tune_training(config, dataset, device, console, before=before, retune=retune).items():
        fits[stage] = tuned.fit
        console.print(f"{stage}: {describe_fit(tuned.fit)}")
    return Plan(_resolve(config, fits), fits)


def tune_training(
    config: Config,
    dataset: DataSet,
    device: str,
    console: Console,
    *,
    before: Plan | None = None,
    retune: bool = False,
) -> dict[str, Tuned]:
    """What was measured and chosen for each stage that is trained; for the arguments see ``plan_training``."""
    room = measure_room(device)
    limit, note = choose_limit(config.memory, room)
    if note:
        console.print(f"note: {note}")
    stages: tuple[Stage, ...] = ("detector", "classifier") if config.classes_from == "labels" else ("classifier",)
    requests = [_ask(stage, config, dataset, device, before) for stage in stages]
    return {one.stage: tune(one, room=room, limit_bytes=limit, console=console, retune=retune) for one in requests}


def tune_prediction(
    weights: Path, *, photos: int, memory: str | None, device: str, console: Console, retune: bool = False
) -> Tuned:
    """What was measured and chosen for sorting photos with a trained pair.

    Args:
        weights: its folder.
        photos: how many there are.
        memory: limit, as data.yaml says it; None for what is free.
        device: ``cpu``, ``mps`` or the number of a GPU.
        console: told what is measured.
        retune: measure anew what was measured before.

    Raises:
        OutOfMemoryError: not even one photo at a time fits.
        ConfigError: the limit is more than the device has.
        WeightsError: there is no trained pair.
    """
    cards = read_cards(weights)
    shown = cards.detector or cards.classifier
    names = [card.model_name for card in (cards.detector, cards.classifier) if card is not None]
    room = measure_room(device)
    limit, note = choose_limit(memory, room)
    if note:
        console.print(f"note: {note}")
    request = Request(
        stage="prediction",
        facts=Facts(photos=max(1, photos), side=shown.imgsz, smallest=1.0, boxes=1),
        pins=Pins(model="+".join(names), imgsz=shown.imgsz, batch=None),
        candidates=("+".join(names),),
        epochs=1,
        seconds=None,
        class_count=len(cards.classifier.class_names),
        device=device,
        weights=weights,
    )
    return tune(request, room=room, limit_bytes=limit, console=console, retune=retune)


def describe_fit(fit: Fit) -> str:
    """A choice in a line."""
    what = f"{fit.model} at {fit.imgsz} px, batch {fit.batch}"
    if fit.accumulate > 1:
        what += f", {fit.accumulate} of them a step"
    if not fit.peak_bytes:
        return f"{what}, as data.yaml says"
    used = f"{format_bytes(fit.peak_bytes)} of {format_bytes(fit.limit_bytes)}"
    return f"{what}: {used}, about {fit.epoch_seconds:.0f} s an epoch (cropsort tune says why)"


def _ask(stage: Stage, config: Config, dataset: DataSet, device: str, before: Plan | None) -> Request:
    settings: DetectorSettings | ClassifierSettings = config.detector if stage == "detector" else config.classifier
    known = None if before is None else before.fits[stage]
    imgsz = settings.imgsz if settings.is_pinned("imgsz") else None
    seconds = config.seconds
    if seconds is None and device != "cpu":
        seconds = _GPU_SECONDS
    return Request(
        stage=stage,
        facts=read_facts(stage, dataset.train, margin=config.classifier.margin),
        pins=Pins(
            model=known.model if known else settings.model,
            imgsz=known.imgsz if known else imgsz,
            batch=settings.batch if settings.is_pinned("batch") else None,
        ),
        candidates=list_candidates(stage, settings),
        epochs=settings.epochs,
        seconds=seconds,
        class_count=1 if stage == "detector" and config.detector.single_cls else len(dataset.class_names),
        device=device,
    )


def _resolve(config: Config, fits: Mapping[str, Fit]) -> Config:
    chosen = {
        stage: getattr(config, stage).model_copy(update={"model": fit.model, "imgsz": fit.imgsz, "batch": fit.batch})
        for stage, fit in fits.items()
    }
    return config.model_copy(update=chosen)
