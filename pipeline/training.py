"""``make train``: from data.yaml to a trained pair, its figures and its pictures."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.check import check_before_training
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.dataset import DataSet, digest
from pipeline.device import pick_device
from pipeline.evaluate import Scores
from pipeline.files import write_text
from pipeline.finder import Cropper, crop_sorted, read_cropper
from pipeline.outcome import NewPair, draw_outcome, install_if_better, score_on_val
from pipeline.planning import Plan, plan_training
from pipeline.prepare import Prepared, prepare
from pipeline.runs import Run, claimed, open_run
from pipeline.stages import StageRoom, train_classifier_stage, train_detector_stage
from pipeline.starts import Start, read_stage_start
from pipeline.weights import STAGES, check_owner, default_weights, installed_versions, weights_file
from pipeline.yolo import Epoch


@dataclass(frozen=True, slots=True)
class Training:
    """What a training made.

    Args:
        run: folder with checkpoints, figures and pictures.
        weights: folder with the pair in use.
        scores: of the new pair on val.
        replaced: whether the new pair is now the one in use.
    """

    run: Path
    weights: Path
    scores: Scores
    replaced: bool


@dataclass(frozen=True, slots=True)
class _Room:
    """What every step of a training needs."""

    config: Config
    dataset: DataSet
    run: Run
    device: str
    console: Console
    cropper: Cropper | None


@dataclass(frozen=True, slots=True)
class _Starts:
    """What the stages start from; sorted photos train no detector."""

    detector: Start | None
    classifier: Start


def train(data_file: Path, console: Console, *, retune: bool = False) -> Training:
    """Train both stages; the pair in use is replaced only by one that is better on the same val photos.

    A training that was stopped goes on where it was, as long as data and settings are the same.

    Args:
        data_file: the data.yaml.
        console: told of the progress.
        retune: measure anew what fits into memory, and begin anew.

    Raises:
        CropsortError: data.yaml, photos, labels or weights cannot be worked with, or nothing can be written.
        ExceptionGroup: of ``CropsortError``, where there is more than one reason.
    """
    config = read_config(data_file)
    weights = default_weights(data_file)
    check_owner(weights, data_file)
    dataset = check_before_training(data_file, config, console)
    device, cropper = pick_device(config.device), read_cropper(config)
    runs = Path("runs") / dataset.name
    with claimed(runs):
        run = open_run(runs, _fingerprint(config, dataset), fresh=retune)
        room = _Room(config, dataset, run, device, console, cropper)
        _introduce(room)
        located = crop_sorted(dataset, cropper, device, console)
        return _train_in(replace(room, dataset=located), weights, retune=retune)


def _train_in(room: _Room, weights: Path, *, retune: bool) -> Training:
    run, console = room.run, room.console
    plan = _plan(room, retune=retune)
    room = replace(room, config=plan.config)
    starts = _read_starts(room)
    with counting(console, "preparing photos", len(room.dataset.train) + len(room.dataset.val)) as advance:
        prepared = prepare(room.dataset, room.config, run.folder / "prepared", on_photo=advance)
    _say(console, prepared.notes)
    epochs = _train_stages(room, plan, prepared, starts)
    pair = _new_pair(room, starts)
    judged, scores = score_on_val(pair)
    draw_outcome(pair, run.folder, epochs, judged, scores)
    write_text(run.folder / "scores.json", json.dumps(scores.as_dict(), indent=2) + "\n")
    replaced = install_if_better(pair, weights, scores)
    run.note(finished=True)
    shutil.rmtree(run.folder / "prepared", ignore_errors=True)
    return Training(run.folder, weights, scores, replaced)


def _fingerprint(config: Config, dataset: DataSet) -> str:
    """Of all that the outcome depends on; where it runs, and in how much memory, may change on the way."""
    settings = config.model_dump(exclude={"memory", "time", "device", "ignore", "label_format"})
    pins = {stage: sorted(getattr(config, stage).model_fields_set) for stage in STAGES}
    data = digest(dataset.train), digest(dataset.val), dataset.class_names
    said = json.dumps([settings, pins, data, installed_versions()], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _plan(room: _Room, *, retune: bool) -> Plan:
    """What was chosen before the stop, else what is chosen now; for another device or limit, the batch once more."""
    state, machine = room.run.state, [room.device, room.config.memory]
    before = Plan.from_record(room.config, state["plan"]) if "plan" in state else None
    if before is not None and state.get("machine") == machine:
        return before
    plan = plan_training(room.config, room.dataset, room.device, room.console, before=before, retune=retune)
    room.run.note(plan=plan.as_record(), machine=machine)
    return plan


def _read_starts(room: _Room) -> _Starts:
    config = room.config
    detector = read_stage_start("detector", config.detector) if config.classes_from == "labels" else None
    starts = _Starts(detector, read_stage_start("classifier", config.classifier))
    told = "no detector is trained: " + _crop_words(room) if detector is None else f"detector starts as {detector.told}"
    room.console.print(told)
    room.console.print(f"classifier starts as {starts.classifier.told}")
    return starts


def _introduce(room: _Room) -> None:
    dataset, console = room.dataset, room.console
    parts = {"train": dataset.train, "val": dataset.val, "test": dataset.test}
    sizes = ", ".join(f"{len(photos)} {part}" for part, photos in parts.items() if photos)
    boxes = sum(len(annotation.subjects) for annotation in dataset.train)
    unit = "boxes" if room.config.classes_from == "labels" else "sorted photos"
    console.print(f"data set {dataset.name}: {sizes} photos, {len(dataset.class_names)} classes")
    console.print(f"{boxes} {unit} to learn from, on {_device_words(room.device)}")
    if room.run.continued:
        console.print(f"going on with {room.run.folder}, which was stopped")
    _say(console, dataset.notes)


def _crop_words(room: _Room) -> str:
    if room.cropper is not None:
        return f"{room.cropper.weights} crops the subject out"
    return "every photo is one subject, background and all (detector: weights: names a trained one to crop with)"


def _device_words(device: str) -> str:
    return f"GPU {device}" if device.isdigit() else {"cpu": "the CPU", "mps": "the Mac's GPU"}[device]


def _train_stages(room: _Room, plan: Plan, prepared: Prepared, starts: _Starts) -> tuple[list[Epoch], list[Epoch]]:
    """Train what there is to train; the epochs of each stage."""
    stages = StageRoom(room.run, plan, room.device, room.config.memory is not None, room.console)
    detector_epochs: list[Epoch] = []
    if starts.detector is not None and prepared.detector is not None:
        detector_epochs = train_detector_stage(stages, starts.detector, prepared.detector)
    elif room.cropper is not None:
        target = weights_file(stages.pair, "detector")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(room.cropper.weights, target)
    names = room.dataset.class_names
    return detector_epochs, train_classifier_stage(stages, starts.classifier, prepared, names)


def _new_pair(room: _Room, starts: _Starts) -> NewPair:
    return NewPair(
        folder=room.run.folder / "weights",
        config=room.config,
        dataset=room.dataset,
        detector=None if starts.detector is None else starts.detector.model_name,
        classifier=starts.classifier.model_name,
        cropper=room.cropper,
        device=room.device,
        console=room.console,
    )


def _say(console: Console, notes: tuple[str, ...]) -> None:
    for note in notes:
        console.print(f"note: {note}")
