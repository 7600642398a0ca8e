"""Training a stage in a process of its own: out of memory, it goes on from its last checkpoint with a smaller batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from pipeline import yolo
from pipeline.apart import run_apart
from pipeline.classifier import ClassifierJob, train_classifier_apart
from pipeline.console import TrainingLog
from pipeline.detector import make_detector_job
from pipeline.errors import OutOfMemoryError, ProcessDiedError
from pipeline.gpu import run_held
from pipeline.planning import Plan
from pipeline.prepare import DetectorData, Prepared
from pipeline.runs import Run, keep_epoch, read_epochs
from pipeline.starts import TASKS, Start
from pipeline.tune.batches import LEAST
from pipeline.weights import weights_file
from pipeline.yolo import DetectorJob, Epoch

Job = DetectorJob | ClassifierJob


@dataclass(frozen=True, slots=True)
class StageRoom:
    """What the training of either stage needs.

    Args:
        run: where it is written, and noted how far it is.
        plan: what was chosen for each stage.
        device: ``cpu``, ``mps`` or the number of a GPU.
        is_limited: whether data.yaml sets a limit, that training is held to; else the system decides.
        console: told of the progress.
    """

    run: Run
    plan: Plan
    device: str
    is_limited: bool
    console: Console

    @property
    def pair(self) -> Path:
        """Folder of the trained weights."""
        return self.run.folder / "weights"

    def folder(self, stage: str) -> Path:
        """Where a stage's checkpoints and curves go."""
        return self.run.folder / stage


def train_detector_stage(room: StageRoom, start: Start, data: DetectorData) -> list[Epoch]:
    """Train the detector, unless that was done before a stop; all its epochs.

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
            folder=room.folder("detector"),
            seed=plan.config.seed,
            device=room.device,
        )

    start_file = _write_start(room, "detector", start)
    return _train(room, "detector", make_job, yolo.train_detector_apart)


def train_classifier_stage(
    room: StageRoom, start: Start, prepared: Prepared, class_names: tuple[str, ...]
) -> list[Epoch]:
    """Train the classifier, unless that was done before a stop; all its epochs. Raises what the detector's does."""

    def make_job(plan: Plan) -> ClassifierJob:
        return ClassifierJob(
            model_name=start.model_name,
            start=start_file,
            class_names=class_names,
            train=prepared.train,
            val=prepared.val,
            settings=plan.config.classifier,
            accumulate=plan.fits["classifier"].accumulate,
            folder=room.folder("classifier"),
            seed=plan.config.seed,
            device=room.device,
        )

    start_file = _write_start(room, "classifier", start)
    return _train(room, "classifier", make_job, train_classifier_apart)


def _write_start(room: StageRoom, stage: str, start: Start) -> Path | None:
    """The weights to start from, for the process that trains; None for random ones."""
    if not start.tensors or weights_file(room.pair, stage).is_file():
        return None
    path = room.folder(stage) / "start.pt"
    yolo.write_checkpoint(path, yolo.Checkpoint(start.model_name, TASKS[stage], start.tensors))
    return path


def _train(room: StageRoom, stage: str, make_job: Callable[[Plan], Job], work: Callable[..., None]) -> list[Epoch]:
    """Train a stage to its end, in as many processes as it takes, and put its weights into the pair."""
    folder, weights = room.folder(stage), weights_file(room.pair, stage)
    plan = room.plan

    def hear(message: object) -> None:
        if isinstance(message, Epoch):
            keep_epoch(folder, message)
            log.on_epoch(message)
        elif isinstance(message, float):
            log.on_step(message)

    with TrainingLog(room.console, stage) as log:
        log.resume(read_epochs(folder))
        while not weights.is_file():
            try:
                _train_apart(room, stage, make_job(plan), work, hear)
            except OutOfMemoryError as error:
                plan = _shrink(room, stage, plan, error, log)
            except ProcessDiedError as error:
                remedy = "the same command goes on where it was"
                raise ProcessDiedError(error.found, where=error.where, remedy=remedy) from error
    (folder / "start.pt").unlink(missing_ok=True)
    return read_epochs(folder)


def _train_apart(
    room: StageRoom, stage: str, job: Job, work: Callable[..., None], hear: Callable[[object], None]
) -> None:
    on_gpu = room.device.isdigit()
    limit = room.plan.fits[stage].limit_bytes if room.is_limited else None
    outcome = run_apart(
        run_held,  # of a module that loads nothing of the other stage: both would count
        *(room.device, limit, work, job, weights_file(room.pair, stage)),
        on_message=hear,
        limit_bytes=None if on_gpu else limit,
        name=f"the training of the {stage}",
    )
    peak = outcome.result if on_gpu else max(outcome.result, outcome.peak_bytes)
    room.run.note(**{f"{stage}_peak_bytes": peak})


def _shrink(room: StageRoom, stage: str, plan: Plan, error: OutOfMemoryError, log: TrainingLog) -> Plan:
    """The plan with half the batch; what is gathered before the weights move stays as large."""
    batch, least = plan.fits[stage].batch, LEAST[stage]
    if batch <= least:
        found = f"{error.found} with batch {batch}, the smallest there is"
        remedy = f"a smaller model or imgsz under {stage}: in data.yaml; cropsort tune says what would fit"
        raise OutOfMemoryError(found, where=stage, remedy=remedy) from error
    smaller = plan.with_batch(stage, max(least, batch // 2))
    room.run.note(plan=smaller.as_record())
    done = len(read_epochs(room.folder(stage)))
    where = f"going on after epoch {done}" if done else "beginning again"
    log.say(f"memory ran out with batch {batch} ({error.found}): {where} with batch {smaller.fits[stage].batch}")
    return smaller
