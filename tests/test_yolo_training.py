"""Training the detector goes on where it was stopped, whatever stopped it."""

from __future__ import annotations

import csv
import pickle
import shutil
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import torch
from conftest import Run
from torch import Tensor, nn

from pipeline import yolo
from pipeline.environment import ROOT
from pipeline.errors import OutputError
from pipeline.sample import KINDS, draw_photos
from pipeline.yolo import DetectorJob, Epoch
from pipeline.yolo.resuming import read_progress

DIE = """
import os, pickle, signal, sys
from pathlib import Path
from pipeline.yolo import train_detector
def step(done):
    if done > float(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
train_detector(pickle.loads(Path(sys.argv[1]).read_bytes()), on_step=step, on_epoch=print)
"""


class Stopped(Exception):  # noqa: N818 - nothing went wrong
    """What a test stops a training with."""


@dataclass
class Told:
    """What a training said; it stops it after an epoch, or raises an error at a step."""

    stop_after: int | None = None
    error: BaseException | None = None
    error_after: float = 1.0

    def __post_init__(self) -> None:
        self.epochs: list[Epoch] = []
        self.steps: list[float] = []

    def on_step(self, done: float) -> None:
        self.steps.append(done)
        if self.error is not None and done > self.error_after:
            raise self.error

    def on_epoch(self, epoch: Epoch) -> None:
        self.epochs.append(epoch)
        if epoch.number == self.stop_after:
            raise Stopped

    def train(self, job: DetectorJob) -> Path:
        return yolo.train_detector(job, on_step=self.on_step, on_epoch=self.on_epoch)

    def stop(self, job: DetectorJob) -> None:
        with pytest.raises(Stopped):
            self.train(job)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data.yaml of Ultralytics' own with eight photos."""
    return draw_data(tmp_path_factory.mktemp("data"))


@pytest.fixture
def job(data: Path, tmp_path: Path) -> DetectorJob:
    return describe(data, tmp_path / "run" / "detector")


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[DetectorJob, Told]:
    """A training that nothing stopped."""
    job = describe(data, tmp_path_factory.mktemp("whole") / "detector")
    told = Told()
    told.train(job)
    return job, told


def draw_data(folder: Path) -> Path:
    for part, first, count in (("train", 0, 6), ("val", 6, 2)):
        places = folder / "images" / part, folder / "labels" / part
        draw_photos(*places, count=count, seed=3, size=(160, 128), first=first)
    return write_data(folder)


def write_data(folder: Path) -> Path:
    names = ", ".join(KINDS)
    text = f"path: {folder.as_posix()}\ntrain: images/train\nval: images/val\nnames: [{names}]\n"
    (folder / "data.yaml").write_text(text, encoding="utf-8")
    return folder / "data.yaml"


def describe(data: Path, folder: Path) -> DetectorJob:
    """Six epochs of three steps, the last two without mosaics."""
    return DetectorJob(
        model_name="yolov5n",
        start=None,
        data=data,
        folder=folder,
        imgsz=64,
        batch=2,
        nbs=2,
        epochs=6,
        patience=9,
        seed=3,
        lr0=None,
        device="cpu",
        plots=False,
    )


def best_tensors(job: DetectorJob) -> dict[str, Tensor]:
    return dict(yolo.read_checkpoint(job.folder / "weights" / "best.pt").tensors)


def same(job: DetectorJob, other: DetectorJob) -> bool:
    mine, others = best_tensors(job), best_tensors(other)
    return mine.keys() == others.keys() and all(torch.equal(tensor, others[name]) for name, tensor in mine.items())


def read_results(job: DetectorJob) -> list[dict[str, str]]:
    """Lines of results.csv, without the times."""
    with (job.folder / "results.csv").open(encoding="utf-8", newline="") as file:
        return [{name: value for name, value in row.items() if name != "time"} for row in csv.DictReader(file)]


def numbers(told: Told) -> list[int]:
    return [epoch.number for epoch in told.epochs]


def untimed(told: Told) -> list[Epoch]:
    assert all(epoch.seconds > 0 for epoch in told.epochs)
    return [replace(epoch, seconds=0.0) for epoch in told.epochs]


@contextmanager
def failing_forward(calls: int) -> Iterator[list[int]]:
    """Have the card run out of memory in the forward pass of training, from the given one on."""
    seen: list[int] = []

    def fail(module: nn.Module, _: object) -> None:
        if module.training and type(module).__name__ == "DetectionModel":
            seen.append(len(seen))
            if len(seen) >= calls:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB")

    hook = nn.modules.module.register_module_forward_pre_hook(fail)
    try:
        yield seen
    finally:
        hook.remove()


@pytest.mark.slow
def test_stopped_training_goes_on_and_a_finished_one_is_left_alone(job: DetectorJob) -> None:
    """With what a process that was killed in writing leaves: half of each of Ultralytics' files, and a part of ours."""
    job = replace(job, epochs=3)
    first, second, third = Told(stop_after=2), Told(), Told()
    first.stop(job)
    for name in ("best.pt", "last.pt"):
        path = job.folder / "weights" / name
        path.write_bytes(path.read_bytes()[:1000])
    with (job.folder / "results.csv").open("a", encoding="utf-8") as file:
        file.write("3,0.1,0.2")
    (job.folder / "checkpoint" / ".state.77.part.pt").write_bytes(b"PK")
    progress = read_progress(job.folder, job.model_name)
    assert progress is not None
    assert progress.epoch == 1
    assert sorted(path.name for path in job.folder.rglob("*.pt")) == ["best.pt", "best.pt", "state.pt"]
    best = second.train(job)
    assert numbers(first) + numbers(second) == [1, 2, 3]
    assert first.steps + second.steps == pytest.approx([step / 9 for step in range(1, 10)])
    assert [row["epoch"] for row in read_results(job)] == ["1", "2", "3"]
    assert sorted(path.name for path in job.folder.iterdir()) == ["args.yaml", "finished.txt", "results.csv", "weights"]
    written = best.stat().st_mtime_ns
    assert third.train(job) == best
    assert best.stat().st_mtime_ns == written
    assert not third.epochs
    assert not third.steps
    assert yolo.read_checkpoint(best).model_name == "yolov5n"


def test_out_of_memory_is_not_tried_again(job: DetectorJob) -> None:
    """Ultralytics would halve the batch three times in its first epoch, and train on with what is left of it."""
    with failing_forward(2) as calls, pytest.raises(torch.OutOfMemoryError):
        Told().train(job)
    assert len(calls) == 2
    assert not (job.folder / "checkpoint").exists()


def test_what_a_callback_raises_ends_the_training(job: DetectorJob) -> None:
    told = Told(error=MemoryError("no more"), error_after=0.0)
    with pytest.raises(MemoryError, match="no more"):
        told.train(job)
    assert len(told.steps) == 1


def test_checkpoint_that_cannot_be_written_is_one_line(job: DetectorJob) -> None:
    job.folder.mkdir(parents=True)
    (job.folder / "checkpoint").touch()
    with pytest.raises(OutputError, match=r"best\.pt - cannot be written"):
        Told().train(job)


def test_job_can_be_handed_to_another_process(job: DetectorJob) -> None:
    assert pickle.loads(pickle.dumps(job)) == job


@pytest.mark.parametrize("content", [b"", b"PK", b"no checkpoint", pickle.dumps({"model_name": "yolov5n"}, 2)])
def test_damaged_checkpoint_is_as_none(tmp_path: Path, content: bytes) -> None:
    for name in ("checkpoint/state.pt", "checkpoint/best.pt", "weights/best.pt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    assert read_progress(tmp_path, "yolov5n") is None
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize("epoch", [1, 4, 5, 6])
def test_stopping_changes_no_bit(whole: tuple[DetectorJob, Told], job: DetectorJob, epoch: int) -> None:
    """Before and after mosaics end, and where only the last scoring was left to do."""
    unstopped, told = whole
    first, second = Told(stop_after=epoch), Told()
    first.stop(job)
    second.train(job)
    assert untimed(first) + untimed(second) == untimed(told)
    assert first.steps + second.steps == pytest.approx(told.steps)
    assert same(job, unstopped)
    assert read_results(job) == read_results(unstopped)


@pytest.mark.slow
@pytest.mark.parametrize("model_name", ["yolo26n", "yolov8n"])
def test_stopping_other_models_changes_no_bit_either(data: Path, tmp_path: Path, model_name: str) -> None:
    """YOLO26 has two losses, whose weights change from epoch to epoch."""
    unstopped, job = (
        replace(describe(data, tmp_path / name), model_name=model_name, epochs=3, lr0=1e-3) for name in ("whole", "cut")
    )
    Told().train(unstopped)
    Told(stop_after=1).stop(job)
    Told(stop_after=2).stop(job)
    Told().train(job)
    assert same(job, unstopped)


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no kill -9 here")
@pytest.mark.parametrize("share", [0.1, 0.6])
def test_killed_training_goes_on(
    whole: tuple[DetectorJob, Told], job: DetectorJob, cropsort: Run, tmp_path: Path, share: float
) -> None:
    """In the first epoch, which is lost, and in the fourth."""
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    threads = str(torch.get_num_threads())
    answer = cropsort(tmp_path / "job", str(share), code=DIE, cwd=ROOT, OMP_NUM_THREADS=threads)
    assert answer.returncode == -signal.SIGKILL, answer.stderr
    told = Told()
    told.train(job)
    assert numbers(told) == list(range(int(share * 6) + 1, 7))
    assert same(job, whole[0])


@pytest.mark.slow
def test_smaller_batch_goes_on(job: DetectorJob) -> None:
    """After memory ran out in an epoch that is not the first."""
    with failing_forward(8) as calls, pytest.raises(torch.OutOfMemoryError):
        Told().train(job)
    assert len(calls) == 8
    told = Told()
    told.train(replace(job, batch=1))
    assert numbers(told) == [3, 4, 5, 6]
    assert told.steps == pytest.approx([step / 36 for step in range(13, 37)])
    assert [row["epoch"] for row in read_results(job)] == ["1", "2", "3", "4", "5", "6"]


@pytest.mark.slow
def test_folders_may_move_while_training_is_stopped(whole: tuple[DetectorJob, Told], tmp_path: Path) -> None:
    before, after = tmp_path / "before", tmp_path / "그 뒤"
    job = describe(draw_data(before / "data"), before / "detector")
    Told(stop_after=3).stop(job)
    before.rename(after)
    job = replace(job, data=write_data(after / "data"), folder=after / "detector")
    told = Told()
    assert told.train(job).is_relative_to(after)
    assert numbers(told) == [4, 5, 6]
    assert same(job, whole[0])
    assert not before.exists()


@pytest.mark.slow
def test_training_that_had_stopped_early_only_ends(data: Path, tmp_path: Path) -> None:
    """And the last scoring is not told as another epoch."""
    start = ROOT / "weights" / "start" / "yolov5n-drawn.pt"
    unstopped, job = (
        replace(describe(data, tmp_path / name), start=start, imgsz=128, epochs=20, patience=1, lr0=1e-3, plots=True)
        for name in ("whole", "cut")
    )
    told = Told()
    told.train(unstopped)
    last = told.epochs[-1].number
    assert 1 < last < 20
    assert numbers(told) == list(range(1, last + 1))
    assert len(read_results(unstopped)) == last
    Told(stop_after=last).stop(job)
    again = Told()
    again.train(job)
    assert not again.epochs
    assert not again.steps
    assert same(job, unstopped)
    for name in ("results.png", "BoxPR_curve.png", "confusion_matrix.png"):
        assert (job.folder / name).exists()


@pytest.mark.slow
def test_damaged_checkpoint_and_another_model_begin_anew(job: DetectorJob) -> None:
    def damage(path: Path) -> None:
        path.write_bytes(path.read_bytes()[:-1000])

    def keep(_: Path) -> None:
        pass

    cases: list[tuple[Callable[[Path], None], str]] = [(damage, "yolov5n"), (keep, "yolov8n")]
    for change, model_name in cases:
        Told(stop_after=1).stop(replace(job, epochs=2))
        change(job.folder / "checkpoint" / "state.pt")
        told = Told(stop_after=1)
        told.stop(replace(job, epochs=2, model_name=model_name))
        assert numbers(told) == [1]
        assert yolo.read_checkpoint(job.folder / "weights" / "best.pt").model_name == model_name
        shutil.rmtree(job.folder)
