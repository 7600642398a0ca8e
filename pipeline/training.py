"""``make train``: from data.yaml to a trained pair, its figures and its pictures."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline.augmenting import suit_photos
from pipeline.briefing import brief_classifier, introduce, say_notes, tell_starts
from pipeline.check import check_before_training
from pipeline.config import Config, read_config
from pipeline.console import counting
from pipeline.dataset import DataSet, digest
from pipeline.device import pick_device
from pipeline.ensemble import Material, describe_members, make_material, read_starts, train_members
from pipeline.files import write_text
from pipeline.finder import Cropper, crop_sorted, read_cropper, takes_whole_photos
from pipeline.jigsaw.starting import settle_start
from pipeline.outcome import NewPair, draw_outcome, install_if_better, score_on_val
from pipeline.plan import Plan
from pipeline.planning import plan_training
from pipeline.prepare import DetectorData, prepare
from pipeline.runs import Run, claimed, open_run
from pipeline.scores import Scores
from pipeline.stages import Spot, StageRoom, train_detector_stage
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
    backbones: dict[str, Start]


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
    config = settle_start(read_config(data_file), data_file)
    weights = default_weights(data_file)
    check_owner(weights, data_file)
    dataset = check_before_training(data_file, config, console)
    device, cropper = pick_device(config.device), read_cropper(config)
    config = suit_photos(config, whole=takes_whole_photos(config, cropper))
    runs = Path("runs") / dataset.name
    with claimed(runs):
        run = open_run(runs, take_fingerprint(config, dataset, cropper), fresh=retune)
        room = _Room(config, dataset, run, device, console, cropper)
        introduce(dataset, config, run, device, console)
        located = crop_sorted(dataset, cropper, device, console)
        return _train_in(replace(room, dataset=located), weights, retune=retune)


def _train_in(room: _Room, weights: Path, *, retune: bool) -> Training:
    run, console = room.run, room.console
    plan = _plan(room, retune=retune)
    room = replace(room, config=plan.config)
    starts = _read_starts(room)
    with counting(console, "preparing photos", len(room.dataset.learnt) + len(room.dataset.val)) as advance:
        prepared = prepare(room.dataset, room.config, run.folder / "prepared", on_photo=advance)
    say_notes(console, prepared.notes)
    material = make_material(prepared, room.dataset.class_names, room.config.classifier, room.config.seed, console)
    brief_classifier(room.config, material, run.folder, console)
    epochs, plan = _train_stages(room, plan, prepared.detector, material, starts)
    pair = _new_pair(replace(room, config=plan.config), starts)
    judged, scores = score_on_val(pair)
    draw_outcome(pair, run.folder, epochs, judged, scores)
    write_text(run.folder / "scores.json", json.dumps(scores.as_dict(), indent=2) + "\n")
    replaced = install_if_better(pair, weights, scores)
    run.note(finished=True)
    shutil.rmtree(run.folder / "prepared", ignore_errors=True)
    return Training(run.folder, weights, scores, replaced)


def take_fingerprint(config: Config, dataset: DataSet, cropper: Cropper | None) -> str:
    """Of all that the outcome depends on; where it runs, in how much memory, and the report may change on the way.

    Args:
        config: data.yaml's settings.
        dataset: what is trained on.
        cropper: the detector that crops sorted photos, where data.yaml names one.
    """
    settings = config.model_dump(exclude={"memory", "time", "device", "ignore", "label_format", "report"})
    pins = {stage: sorted(getattr(config, stage).model_fields_set) for stage in STAGES}
    data: list[object] = [digest(dataset.train), digest(dataset.val), dataset.class_names]
    if dataset.corrected:  # a training that was stopped goes on though this version knows of corrections
        data.append(digest(dataset.corrected))
    starts = [Path(getattr(config, stage).start).expanduser() for stage in STAGES]
    named = [_hash_file(file) for file in starts if file.is_file()]
    cropping = None if cropper is None else (_hash_file(cropper.weights), asdict(cropper.card))
    said = json.dumps([settings, pins, data, named, cropping, installed_versions()], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _hash_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


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
    starts = _Starts(detector, read_starts(config.classifier))
    tell_starts(starts.detector, starts.backbones.values(), room.cropper, room.console)
    return starts


def _train_stages(
    room: _Room, plan: Plan, data: DetectorData | None, material: Material, starts: _Starts
) -> tuple[tuple[list[Epoch], list[Epoch]], Plan]:
    """Train what there is to train.

    Returns:
        The epochs of the detector and of the classifier's first network, and the plan with the batches that did fit.
    """
    folder, pair = room.run.folder, room.run.folder / "weights"
    stages = StageRoom(plan, room.device, room.config.memory is not None, room.console, room.run.note)
    detector_epochs: list[Epoch] = []
    if starts.detector is not None and data is not None:
        spot = Spot("detector", folder / "detector", weights_file(pair, "detector"), "detector")
        trained = train_detector_stage(stages, starts.detector, data, spot)
        detector_epochs, stages = trained.epochs, stages.with_plan(trained.plan)
    elif room.cropper is not None:
        target = weights_file(pair, "detector")
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(room.cropper.weights, target)
    members = train_members(stages, starts.backbones, material, folder, pair)
    return (detector_epochs, members[0].epochs), members[-1].plan


def _new_pair(room: _Room, starts: _Starts) -> NewPair:
    return NewPair(
        folder=room.run.folder / "weights",
        config=room.config,
        dataset=room.dataset,
        detector=None if starts.detector is None else starts.detector.model_name,
        classifier=describe_members(room.config.classifier),
        cropper=room.cropper,
        device=room.device,
        console=room.console,
    )
