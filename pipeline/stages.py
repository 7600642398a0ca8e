"""Training a network in a process of its own: out of memory, it goes on from its last checkpoint, batch halved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rich.console import Console

from pipeline import yolo
from pipeline.apart import run_apart
from pipeline.classifier import ClassifierJob, train_classifier_apart
from pipeline.console import TrainingLog
from pipeline.detector import make_detector_job
from pipeline.errors import OutOfMemoryError, ProcessDiedError
from pipeline.gpu import run_held
from pipeline.plan import Plan
from pipeline.prepare import CropSource, DetectorData
from pipeline.runs import keep_epoch, read_epochs
from pipeline.starts import TASKS, Start
from pipeline.tune.batches import LEAST
from pipeline.tune.trials import Fit
from pipeline.yolo import DetectorJob, Epoch

_SMALLER = {
    **{
        stage: f"a smaller model or imgsz under {stage}: in data.yaml; cropsort tune says what would fit"
        for stage in ("detector", "classifier")
    },
    "jigsaw": "a smaller imgsz or model takes less memory",
}


def _forget(**_: object) -> None:
    """For trainings that nobody keeps a record of."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a network is trained, and who hears of it.

    Args:
        device: ``cpu``, ``mps`` or the number of a GPU.
        is_limited: whether the user sets a limit, that training is held to; else the system decides.
        console: told of the progress.
        note: told what there is to write down, by name: the most memory that was taken.
        on_smaller: called with the choice that training goes on with where memory ran out.
    """

    device: str
    is_limited: bool
    console: Console
    note: Callable[..., None]
    on_smaller: Callable[[Fit], None]


@dataclass(frozen=True, slots=True)
class StageRoom:
    """What the training of any network needs.

    Args:
        plan: what was chosen for each of them.
        device: ``cpu``, ``mps`` or the number of a GPU.
        is_limited: whether data.yaml sets a limit, that training is held to; else the system decides.
        console: told of the progress.
        note: told what there is to write down, by name: the plan when it changes, and the most memory that was taken.
    """

    plan: Plan
    device: str
    is_limited: bool
    console: Console
    note: Callable[..., None] = _forget

    def with_plan(self, plan: Plan) -> StageRoom:
        """The same with another plan."""
        return replace(self, plan=plan)


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a network is trained; where ``weights`` is there already nothing is done.

    Args:
        name: what its memory is noted under.
        folder: of its checkpoints and curves, from which a training that was stopped goes on.
        weights: file to write at the end.
        title: what the user is told is trained.
    """

    name: str
    folder: Path
    weights: Path
    title: str


@dataclass(frozen=True, slots=True)
class Lesson:
    """What a classifier is taught.

    Args:
        start: its backbone, and weights to start from.
        train: subjects to learn from.
        val: subjects to choose the epoch on.
        class_names: in the order of the output.
        seed: of its training.
        key: where the plan has what was chosen for its backbone.
    """

    start: Start
    train: tuple[CropSource, ...]
    val: tuple[CropSource, ...]
    class_names: tuple[str, ...]
    seed: int
    key: str = "classifier"


@dataclass(frozen=True, slots=True)
class Trained:
    """What came of it.

    Args:
        epochs: all of them, those before a stop included.
        plan: with the batch that did fit.
    """

    epochs: list[Epoch]
    plan: Plan


def train_detector_stage(room: StageRoom, start: Start, data: DetectorData, spot: Spot) -> Trained:
    """Train a detector to its end, unless that was done before a stop.

    Raises:
        OutOfMemoryError: not even one photo a step fits.
        CropsortError: it could not be trained.
    """

    def make_job(plan: Plan) -> DetectorJob:
        return make_detector_job(
            start_file,
            complete=start.complete,
            model_name=start.model_name,
            data=data,
            settings=plan.config.detector,
            accumulate=plan.fits["detector"].accumulate,
            folder=spot.folder,
            seed=plan.config.seed,
            device=room.device,
        )

    start_file = _write_start("detector", start, spot)
    return _train(room, "detector", spot, make_job, yolo.train_detector_apart)


def train_classifier_stage(room: StageRoom, lesson: Lesson, spot: Spot) -> Trained:
    """Train a classifier to its end, unless that was done before a stop. Raises what the detector's does."""

    def make_job(plan: Plan) -> ClassifierJob:
        return ClassifierJob(
            model_name=lesson.start.model_name,
            start=start_file,
            class_names=lesson.class_names,
            train=lesson.train,
            val=lesson.val,
            settings=plan.classifier(lesson.key),
            accumulate=plan.fits[lesson.key].accumulate,
            folder=spot.folder,
            seed=lesson.seed,
            device=room.device,
        )

    start_file = _write_start("classifier", lesson.start, spot)
    return _train(room, lesson.key, spot, make_job, train_classifier_apart)


def _write_start(stage: str, start: Start, spot: Spot) -> Path | None:
    """The weights to start from, for the process that trains; None for random ones."""
    if not start.tensors or spot.weights.is_file():
        return None
    path = spot.folder / "start.pt"
    yolo.write_checkpoint(path, yolo.Checkpoint(start.model_name, TASKS[stage], start.tensors))
    return path


def train_network(
    site: Site, fit: Fit, spot: Spot, make_job: Callable[[Fit], object], work: Callable[..., None]
) -> tuple[list[Epoch], Fit]:
    """Train a network to its end, in as many processes as it takes, unless that was done before a stop.

    Args:
        site: where it is trained, and who hears of it.
        fit: the batch to begin with, and the memory that it may take.
        spot: where its files are.
        make_job: what to do with such a batch, as data that can be handed to another process.
        work: does it, in the process apart: called with the job, the file to write, and a function that is told of
            each step, each epoch, and each line for the user.

    Returns:
        All epochs, those before a stop included, and the choice with the batch that did fit.

    Raises:
        OutOfMemoryError: not even the smallest batch fits.
        CropsortError: it could not be trained.
    """

    def hear(message: object) -> None:
        if isinstance(message, Epoch):
            keep_epoch(spot.folder, message)
            log.on_epoch(message)
        elif isinstance(message, float):
            log.on_step(message)
        elif isinstance(message, str):
            log.say(message)

    with TrainingLog(site.console, spot.title) as log:
        log.resume(read_epochs(spot.folder))
        while not spot.weights.is_file():
            try:
                _train_apart(site, fit, spot, make_job(fit), work, hear)
            except OutOfMemoryError as error:
                fit = _shrink(fit, spot, error, log)
                site.on_smaller(fit)
            except ProcessDiedError as error:
                remedy = "the same command goes on where it was"
                raise ProcessDiedError(error.found, where=error.where, remedy=remedy) from error
    (spot.folder / "start.pt").unlink(missing_ok=True)
    return read_epochs(spot.folder), fit


def _train(
    room: StageRoom, key: str, spot: Spot, make_job: Callable[[Plan], object], work: Callable[..., None]
) -> Trained:
    def plan(fit: Fit) -> Plan:
        return room.plan.with_fit(key, fit)

    site = Site(
        room.device,
        room.is_limited,
        room.console,
        room.note,
        on_smaller=lambda fit: room.note(plan=plan(fit).as_record()),
    )
    epochs, chosen = train_network(site, room.plan.fits[key], spot, lambda fit: make_job(plan(fit)), work)
    return Trained(epochs, plan(chosen))


def _train_apart(
    site: Site, fit: Fit, spot: Spot, job: object, work: Callable[..., None], hear: Callable[[object], None]
) -> None:
    on_gpu = site.device.isdigit()
    limit = fit.limit_bytes if site.is_limited else None
    outcome = run_apart(
        run_held,  # of a module that loads nothing of the other stage: both would count
        *(site.device, limit, work, job, spot.weights),
        on_message=hear,
        limit_bytes=None if on_gpu else limit,
        name=f"the training of the {spot.title}",
    )
    peak = outcome.result if on_gpu else max(outcome.result, outcome.peak_bytes)
    site.note(**{f"{spot.name}_peak_bytes": peak})


def _shrink(fit: Fit, spot: Spot, error: OutOfMemoryError, log: TrainingLog) -> Fit:
    """The choice with half the batch; what is gathered before the weights move stays as large."""
    batch, least = fit.batch, LEAST[fit.stage]
    if batch <= least:
        found = f"{error.found} with batch {batch}, the smallest there is"
        raise OutOfMemoryError(found, where=spot.title, remedy=_SMALLER[fit.stage]) from error
    smaller = fit.with_batch(max(least, batch // 2))
    done = len(read_epochs(spot.folder))
    where = f"going on after epoch {done}" if done else "beginning again"
    log.say(f"memory ran out with batch {batch} ({error.found}): {where} with batch {smaller.batch}")
    return smaller
