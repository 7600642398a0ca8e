"""What ways to sort photos are compared on, and what those beside two stages are trained with."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console

from pipeline.briefing import say_notes
from pipeline.config import Config
from pipeline.console import counting
from pipeline.dataset import DataSet, digest
from pipeline.device import pick_device
from pipeline.errors import WeightsError
from pipeline.evaluation import Trial
from pipeline.plan import Plan
from pipeline.planning import plan_training
from pipeline.prepare import Prepared, prepare
from pipeline.runs import Run, open_run, read_epochs
from pipeline.scores import JudgedPhoto
from pipeline.settings import ClassifierSettings, DetectorSettings
from pipeline.stages import StageRoom
from pipeline.weights import TRAIN_FIRST, Cards, installed_versions


@dataclass(frozen=True, slots=True)
class Contest:
    """What the ways are compared on.

    Args:
        trial: the pair, and what it was scored on.
        judged: what it made of these photos, each with its file.
        dataset: what there is to learn from.
        config: data.yaml's settings.
        runs: ``runs/<data set>``, where the others are trained, in ``worth``.
        run: folder of the pair's own training; None where it is not known.
        console: told of the progress.
    """

    trial: Trial
    judged: Sequence[JudgedPhoto]
    dataset: DataSet
    config: Config
    runs: Path
    run: Path | None
    console: Console


@dataclass(frozen=True, slots=True)
class Room:
    """What a rival is trained with.

    Args:
        config: data.yaml's settings, in their place what the pair was trained with, and what the rival does otherwise.
        dataset: what it learns from.
        run: its folder.
        device: ``cpu``, ``mps`` or the number of a GPU.
        console: told of the progress.
    """

    config: Config
    dataset: DataSet
    run: Run
    device: str
    console: Console


def count_seconds(run: Path | None) -> float | None:
    """What the trainings in a folder took; None where there is no record of that."""
    records = [] if run is None else run.rglob("epochs.jsonl")
    return sum(epoch.seconds for record in records for epoch in read_epochs(record.parent)) or None


def as_trained(config: Config, cards: Cards) -> Config:
    """data.yaml's settings, and in their place what the pair was trained with.

    Raises:
        WeightsError: a card holds settings that there are none of.
    """
    chosen = {}
    for stage, card in (("detector", cards.detector), ("classifier", cards.classifier)):
        settings: type[DetectorSettings | ClassifierSettings] = type(getattr(config, stage))
        if card is not None:
            said = card.settings or getattr(config, stage).model_dump(mode="json", exclude_unset=True)
            try:
                chosen[stage] = settings.model_validate({"model": card.model_name, "imgsz": card.imgsz} | said)
            except ValidationError as error:
                found = f"settings of the {stage} that this version does not know"
                raise WeightsError(found, where=f"{stage}.json", remedy=TRAIN_FIRST) from error
    return config.model_copy(update={**chosen, "seed": cards.classifier.seed})


def open_room(
    contest: Contest, kind: str, config: Config, dataset: DataSet, settings: DetectorSettings | ClassifierSettings
) -> Room:
    """The folder of a rival: the last one, as long as all that the outcome depends on is the same."""
    data = digest(dataset.train), digest(dataset.val), dataset.class_names
    said = json.dumps([settings.model_dump(mode="json"), config.seed, data, installed_versions()], sort_keys=True)
    run = open_run(contest.runs / "worth" / kind, hashlib.sha256(said.encode()).hexdigest())
    return Room(config, dataset, run, pick_device(config.device), contest.console)


def train_in(room: Room, work: Callable[[Room, StageRoom, Prepared], None]) -> None:
    """Plan and prepare as for any training, and do ``work``; what was planned before a stop stays.

    Raises:
        DataError: no photo that can be decoded is left.
        CropsortError: it could not be trained, or nothing can be written there.
    """
    run, console = room.run, room.console
    if "plan" in run.state:
        plan = Plan.from_record(room.config, run.state["plan"])
    else:
        plan = plan_training(room.config, room.dataset, room.device, console)
        run.note(plan=plan.as_record())
    with counting(console, "preparing photos", len(room.dataset.train) + len(room.dataset.val)) as advance:
        prepared = prepare(room.dataset, plan.config, run.folder / "prepared", on_photo=advance)
    say_notes(console, prepared.notes)
    work(room, StageRoom(plan, room.device, room.config.memory is not None, console, run.note), prepared)
    shutil.rmtree(run.folder / "prepared", ignore_errors=True)
