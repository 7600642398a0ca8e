"""What networks make of photos that they have not seen: detector and classifier trained once for each fold."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Console

from pipeline import training
from pipeline.boxes import Box
from pipeline.config import Config
from pipeline.console import counting
from pipeline.dataset import VAL_FRACTION, DataSet
from pipeline.ensemble import Material, read_starts, train_members
from pipeline.evaluate import judge
from pipeline.files import write_text
from pipeline.finder import Cropper
from pipeline.folds import group_near, make_folds, note_rare
from pipeline.labels import Annotation
from pipeline.outcome import NewPair, score_on_val
from pipeline.plan import Plan
from pipeline.planning import plan_training
from pipeline.prepare import prepare
from pipeline.results import Detection, Prediction
from pipeline.runs import Run
from pipeline.scores import JudgedPhoto
from pipeline.sorter import Sorter
from pipeline.splitting import split_annotations
from pipeline.stages import Spot, StageRoom, train_detector_stage
from pipeline.starts import Start, read_stage_start
from pipeline.weights import STAGES, weights_file

_RECORD = "out-of-fold.jsonl"


@dataclass(frozen=True, slots=True)
class Review:
    """What it takes to predict photos by networks that have not seen them.

    Args:
        config: data.yaml's settings, with one backbone and without folds of its own; see ``one_network``.
        dataset: the photos; those of train and val are reviewed. Sorted ones already have the detector's boxes.
        folds: parts that they are shared out to.
        run: where trainings and predictions are kept; the same review goes on there.
        device: ``cpu``, ``mps`` or the number of a GPU.
        console: told of the progress.
        cropper: the detector from before that crops sorted photos, where data.yaml names one.
    """

    config: Config
    dataset: DataSet
    folds: int
    run: Run
    device: str
    console: Console
    cropper: Cropper | None

    @property
    def annotations(self) -> tuple[Annotation, ...]:
        """The photos, each once."""
        return list_reviewed(self.dataset)

    @property
    def trained(self) -> tuple[str, ...]:
        """The stages that are trained for each fold."""
        return STAGES if self.config.classes_from == "labels" else ("classifier",)


@dataclass(frozen=True, slots=True)
class _Fold:
    """One of the trainings: the photos that are learnt from, those for its epochs, and those it is not shown."""

    number: int
    train: tuple[Annotation, ...]
    val: tuple[Annotation, ...]
    held: tuple[Annotation, ...]


def list_reviewed(dataset: DataSet) -> tuple[Annotation, ...]:
    """The photos of train and val, each once."""
    return tuple({annotation.photo: annotation for annotation in (*dataset.train, *dataset.val)}.values())


def one_network(config: Config) -> Config:
    """The settings with the first backbone alone: networks of several would multiply with the folds."""
    return config.model_copy(update={"classifier": config.classifier.model_copy(update={"ensemble": (), "folds": 1})})


def take_fingerprint(config: Config, dataset: DataSet, cropper: Cropper | None, folds: int) -> str:
    """Of all that the predictions depend on: what a training does, where the photos lie, and the number of folds."""
    places = [_key(annotation, dataset) for annotation in list_reviewed(dataset)]
    said = [training.take_fingerprint(config, dataset, cropper), places, folds]
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()


def predict_out_of_fold(review: Review) -> list[JudgedPhoto]:
    """Train once for each fold on the other ones, and judge its photos; what was done before a stop is not done again.

    The epoch, the detector's threshold and the temperature are chosen on a fifth of the other folds, so that nothing of
    a fold has been seen by what judges it.

    Returns:
        All photos that can be read; of the detections those from the lowest threshold on.

    Raises:
        DataError: there are too few photos for so many folds.
        OutOfMemoryError: not even the smallest batch fits.
        CropsortError: something could not be trained, or nothing can be written there.
    """
    folds = _make_folds(review)
    if not all(_file(review, fold).is_file() for fold in folds):
        plan = _plan(review, folds[0])
        _foretell(review, plan)
        review = replace(review, config=plan.config)
        detector = read_stage_start("detector", plan.config.detector) if "detector" in review.trained else None
        starts = read_starts(plan.config.classifier)
        for fold in folds:
            if not _file(review, fold).is_file():
                plan = _work_on(review, plan, fold, detector, starts)
    return [judged for fold in folds for judged in _read(_file(review, fold), fold, review.dataset)]


def _make_folds(review: Review) -> list[_Fold]:
    annotations, seed = review.annotations, review.config.seed
    groups = group_near((annotation.photo for annotation in annotations), review.console)
    shown = [
        (annotation.photo, name)
        for annotation in annotations
        for name in [subject.class_name for subject in annotation.subjects] or [""]
    ]
    photos, classes = [photo for photo, _ in shown], [name for _, name in shown]
    for note in note_rare(photos, classes, count=review.folds, groups=groups):
        review.console.print(f"note: {note}")
    held = [
        {photos[place] for place in places}
        for places in make_folds(photos, classes, count=review.folds, seed=seed, groups=groups)
    ]
    return [_part(number, photos, annotations, groups, seed) for number, photos in enumerate(held, start=1)]


def _part(number: int, held: set[Path], annotations: Iterable[Annotation], groups: dict[Path, int], seed: int) -> _Fold:
    annotations = tuple(annotations)
    others = [annotation for annotation in annotations if annotation.photo not in held]
    if len({groups.get(one.photo, one.photo) for one in others}) < 2:
        groups = {}  # near duplicates all: a val that flatters is better than none
    train, val = split_annotations(others, fraction=VAL_FRACTION, seed=seed, groups=groups)
    return _Fold(number, train, val, tuple(one for one in annotations if one.photo in held))


def _plan(review: Review, first: _Fold) -> Plan:
    """What was chosen before a stop, else what is chosen now; on another device or limit, the batch once more."""
    state, machine = review.run.state, [review.device, review.config.memory]
    before = Plan.from_record(review.config, state["plan"]) if "plan" in state else None
    if before is not None and state.get("machine") == machine:
        return before
    dataset = replace(review.dataset, train=first.train, val=first.val)
    plan = plan_training(review.config, dataset, review.device, review.console, before=before)
    review.run.note(plan=plan.as_record(), machine=machine)
    return plan


def _foretell(review: Review, plan: Plan) -> None:
    """Say how much is going to be trained, before it takes its time."""
    what = " and ".join(f"{review.folds} {stage}s" for stage in review.trained)
    seconds = sum(plan.fits[stage].epoch_seconds * getattr(plan.config, stage).epochs for stage in review.trained)
    time = f", about {max(1, round(review.folds * seconds / 60))} min if none stops early" if seconds else ""
    review.console.print(
        f"to be trained: {what}, each on {review.folds - 1} of {review.folds} parts of the "
        f"{len(review.annotations)} photos of train and val{time}; {review.run.folder} keeps them; "
        "the pair in use stays"
    )
    if review.run.continued:
        review.console.print(f"going on with {review.run.folder}, which was stopped")


def _work_on(review: Review, plan: Plan, fold: _Fold, detector: Start | None, starts: Mapping[str, Start]) -> Plan:
    """Train what judges a fold, and keep what it says; the plan with the batch that did fit."""
    console, folder = review.console, _file(review, fold).parent
    console.print(f"fold {fold.number} of {review.folds}: {len(fold.held)} photos that are not learnt from")
    dataset = replace(review.dataset, train=fold.train, val=fold.val, test=(), notes=(), problems=())
    room = StageRoom(plan, review.device, plan.config.memory is not None, console, review.run.note)
    with counting(console, "preparing photos", len(fold.train) + len(fold.val)) as advance:
        prepared = prepare(dataset, plan.config, folder / "prepared", on_photo=advance)
    pair = folder / "weights"
    if detector is not None and prepared.detector is not None:
        spot = Spot("detector", folder / "detector", weights_file(pair, "detector"), "detector")
        room = room.with_plan(train_detector_stage(room, detector, prepared.detector, spot).plan)
    elif review.cropper is not None:
        pair.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(review.cropper.weights, weights_file(pair, "detector"))
    material = Material(prepared.train, prepared.val, dataset.class_names)
    plan = train_members(room, starts, material, folder, pair)[-1].plan
    _judge(review, fold, dataset, pair, detector)
    shutil.rmtree(folder / "prepared", ignore_errors=True)
    return plan


def _judge(review: Review, fold: _Fold, dataset: DataSet, pair: Path, detector: Start | None) -> None:
    config, console = review.config, review.console
    assert config.classifier.model is not None  # a plan has chosen it
    made = NewPair(
        folder=pair,
        config=config,
        dataset=dataset,
        detector=None if detector is None else detector.model_name,
        classifier=config.classifier.model,
        cropper=review.cropper,
        device=review.device,
        console=console,
    )
    score_on_val(made)
    with counting(console, "judging", len(fold.held)) as advance:
        judged = judge(
            Sorter(pair, device=review.device),
            fold.held,
            on_photo=advance,
            on_unreadable=lambda error: console.print(f"note: left out: {error}"),
        )
    held = {annotation.photo: annotation for annotation in fold.held}
    records = (_as_record(photo, _key(held[photo.photo], dataset)) for photo in judged if photo.photo is not None)
    write_text(_file(review, fold), "".join(f"{json.dumps(one, ensure_ascii=False)}\n" for one in records))


def _file(review: Review, fold: _Fold) -> Path:
    return review.run.folder / f"fold-{fold.number}" / _RECORD


def _key(annotation: Annotation, dataset: DataSet) -> str:
    """The photo's path from data.yaml's folder, so that the data set may be moved."""
    return Path(os.path.relpath(annotation.photo, dataset.file.resolve().parent)).as_posix()


def _as_record(judged: JudgedPhoto, key: str) -> dict[str, Any]:
    return {
        "photo": key,
        "predictions": [_prediction_record(one) for one in judged.predictions],
        "on_truth": [_prediction_record(one) for one in judged.on_truth],
    }


def _prediction_record(one: Prediction) -> dict[str, Any]:
    return {
        "box_px": one.detection.box.edges,
        "confidence": one.detection.confidence,
        "probabilities": dict(one.probabilities),
        "sure": one.sure,
    }


def _read(file: Path, fold: _Fold, dataset: DataSet) -> Iterable[JudgedPhoto]:
    annotations = {_key(annotation, dataset): annotation for annotation in fold.held}
    for line in file.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        annotation = annotations[record["photo"]]
        made, on_truth = (tuple(_prediction(one) for one in record[name]) for name in ("predictions", "on_truth"))
        yield JudgedPhoto(annotation.subjects, tuple(one.detection for one in made), made, on_truth, annotation.photo)


def _prediction(record: dict[str, Any]) -> Prediction:
    detection = Detection(Box(*record["box_px"]), record["confidence"])
    return Prediction(detection, record["probabilities"], record["sure"])
