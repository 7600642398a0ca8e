"""The classifier learns, keeps its best epoch, and comes out the same from the same seed, stopped or not."""

from __future__ import annotations

import os
import pickle
import random
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.boxes import Box
from pipeline.classifier import ClassifierJob, train_classifier, train_classifier_apart
from pipeline.classifying import Classifier
from pipeline.crops import cut_crop
from pipeline.environment import ROOT
from pipeline.errors import ConfigError, CropsortError, DataError, WeightsError
from pipeline.images import read_photo, write_jpeg
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings

NAMES = ("파랑", "red")


def draw_colours(folder: Path, count: int) -> tuple[CropSource, ...]:
    rng = np.random.default_rng(count)
    sources = []
    for index in range(count):
        pixels = rng.integers(0, 80, (40, 40, 3), np.uint8)
        pixels[..., 2 if index % 2 == 0 else 0] += 150
        write_jpeg(folder / f"{index}.jpg", pixels)
        sources.append(CropSource(folder / f"{index}.jpg", Box(4, 4, 36, 36), NAMES[index % 2]))
    return tuple(sources)


def make_job(
    folder: Path, *, count: int = 24, seed: int = 0, most: int = 2, batch: int = 4, **settings: Any
) -> ClassifierJob:
    return ClassifierJob(
        model_name="yolo11n-cls",
        start=None,
        class_names=NAMES,
        train=draw_colours(folder / "train", count),
        val=draw_colours(folder / "val", 8),
        settings=ClassifierSettings.model_validate(
            {"imgsz": 32, "batch": batch, "epochs": most, "patience": 100, **settings}
        ),
        folder=folder / "run",
        seed=seed,
        device="cpu",
    )


def with_batch(job: ClassifierJob, batch: int, accumulate: int) -> ClassifierJob:
    return replace(job, settings=job.settings.model_copy(update={"batch": batch}), accumulate=accumulate)


def run(job: ClassifierJob, weights: Path, *, until: float = 2.0) -> list[int]:
    """Train until more than this part is done; the epochs that were done."""
    epochs: list[int] = []

    def on_step(done: float) -> None:
        if done > until:
            raise KeyboardInterrupt

    train_classifier(job, weights, on_step=on_step, on_epoch=lambda epoch: epochs.append(epoch.number))
    return epochs


def same(one: Path, other: Path) -> bool:
    tensors, others = (yolo.read_checkpoint(path).tensors for path in (one, other))
    return tensors.keys() == others.keys() and all(
        torch.equal(tensor, others[name]) for name, tensor in tensors.items()
    )


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClassifierJob, list[yolo.Epoch], Path]:
    folder = tmp_path_factory.mktemp("colours")
    epochs: list[yolo.Epoch] = []
    job = make_job(folder, most=20)
    train_classifier(job, folder / "classifier.pt", on_step=lambda _: None, on_epoch=epochs.append)
    return job, epochs, folder / "classifier.pt"


Learnt = tuple[ClassifierJob, list[yolo.Epoch], Path]


def test_two_colours_are_learnt_in_seconds(learnt: Learnt) -> None:
    job, _, weights = learnt
    crops = [cut_crop(read_photo(source.file).pixels, source.box, side=32, margin=0.05) for source in job.val]
    rows = Classifier(weights, NAMES, device="cpu", imgsz=32).classify(crops)
    assert [max(row, key=row.__getitem__) for row in rows] == [source.class_name for source in job.val]
    assert all(sum(row.values()) == pytest.approx(1) for row in rows)


def test_epochs_are_told_one_after_the_other(learnt: Learnt) -> None:
    _, epochs, _ = learnt
    assert [epoch.number for epoch in epochs] == list(range(1, 21))
    assert {epoch.epochs for epoch in epochs} == {20}


def test_best_epoch_is_kept_and_not_the_last(learnt: Learnt) -> None:
    job, epochs, weights = learnt
    losses = [epoch.losses["val"] for epoch in epochs]
    assert min(losses) < losses[-1] - 0.01
    crops = [cut_crop(read_photo(source.file).pixels, source.box, side=32, margin=0.05) for source in job.val]
    rows = Classifier(weights, NAMES, device="cpu", imgsz=32).classify(crops)
    table = torch.tensor([[row[name] for name in NAMES] for row in rows]).log()
    targets = torch.tensor([NAMES.index(source.class_name) for source in job.val])
    assert float(functional.nll_loss(table, targets)) == pytest.approx(min(losses), rel=0.02)


def test_same_seed_gives_the_same_weights_and_another_gives_others(tmp_path: Path) -> None:
    for name, seed, disturbance in (("one", 3, 1), ("same", 3, 2), ("other", 4, 1)):
        torch.manual_seed(disturbance)
        np.random.seed(disturbance)  # what other code did with it must not matter
        run(make_job(tmp_path / name, seed=seed, count=8), tmp_path / f"{name}.pt")
    assert same(tmp_path / "one.pt", tmp_path / "same.pt")
    assert not same(tmp_path / "one.pt", tmp_path / "other.pt")


def test_patience_ends_the_training(tmp_path: Path) -> None:
    assert len(run(make_job(tmp_path, count=8, most=50, patience=1), tmp_path / "classifier.pt")) < 50


@pytest.mark.slow
def test_stopped_training_comes_out_bit_by_bit_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole = make_job(tmp_path / "whole", count=8, most=3)
    run(whole, tmp_path / "whole.pt")
    for until, left in ((0.34, [2, 3]), (0.67, [3]), (0.9, [3])):  # two ends of epochs, and in the middle of one
        stopped = replace(whole, folder=tmp_path / f"stopped {until}")
        weights = tmp_path / f"{until}.pt"
        with pytest.raises(KeyboardInterrupt):
            run(stopped, weights, until=until)
        assert not weights.exists()
        assert run(stopped, weights) == left
        assert same(weights, tmp_path / "whole.pt")


@pytest.mark.slow
def test_stopped_training_goes_on_with_a_smaller_batch(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=16, batch=8)
    with pytest.raises(KeyboardInterrupt):
        run(job, tmp_path / "classifier.pt", until=0.6)
    assert run(with_batch(job, 2, 4), tmp_path / "classifier.pt") == [2]


def test_finished_training_is_not_done_again(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=8)
    assert run(job, tmp_path / "one.pt") == [1, 2]
    assert run(job, tmp_path / "again.pt") == []
    assert (tmp_path / "one.pt").read_bytes() == (tmp_path / "again.pt").read_bytes()


def test_finished_training_keeps_nothing_that_was_only_for_going_on(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=8)
    run(job, tmp_path / "classifier.pt")
    assert sorted(path.name for path in job.folder.iterdir()) == ["best.pt", "last.ckpt"]
    assert (job.folder / "last.ckpt").stat().st_size < 5000


def test_training_of_other_crops_in_the_same_folder_begins_anew(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=8)
    run(job, tmp_path / "classifier.pt")
    assert run(replace(job, train=job.train[1:]), tmp_path / "classifier.pt") == [1, 2]


def test_training_starts_from_a_file(tmp_path: Path, learnt: Learnt) -> None:
    job = replace(make_job(tmp_path, count=8, most=1), start=learnt[2])
    epochs: list[yolo.Epoch] = []
    train_classifier(job, tmp_path / "classifier.pt", on_step=lambda _: None, on_epoch=epochs.append)
    assert epochs[0].scores["top-1"] == 1.0


def test_start_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"none\.pt - no such file"):
        run(replace(make_job(tmp_path), start=tmp_path / "none.pt"), tmp_path / "classifier.pt")


def test_batch_of_one_is_refused_in_a_line(tmp_path: Path) -> None:
    message = "classifier - a batch of 1 - expected at least 2, as batch normalisation .* - a smaller imgsz or model"
    with pytest.raises(ConfigError, match=message):
        with_batch(make_job(tmp_path), 1, 4)


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_crops_are_enough_in_the_smallest_batches(tmp_path: Path, count: int) -> None:
    job = make_job(tmp_path, count=count, most=1)
    assert run(with_batch(job, 2, 8), tmp_path / "classifier.pt") == [1]


def test_job_passes_between_processes(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=2)
    assert pickle.loads(pickle.dumps(job)) == job


def test_apart_tells_steps_and_epochs(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=8, most=1)
    told: list[object] = []
    train_classifier_apart(job, tmp_path / "classifier.pt", told.append)
    assert told[:2] == [0.5, 1.0]
    assert [type(message) for message in told[2:]] == [yolo.Epoch]
    assert (tmp_path / "classifier.pt").is_file()


CHILD = """
import pickle, sys
from pathlib import Path
from pipeline.classifier import train_classifier
job = pickle.loads(Path(sys.argv[1]).read_bytes())
train_classifier(job, Path(sys.argv[2]), on_step=lambda done: print("step", flush=True), on_epoch=lambda epoch: None)
"""


def start_child(job: Path, weights: Path) -> subprocess.Popen[str]:
    """Train in a process of its own, which says each step."""
    command = [sys.executable, "-c", CHILD, str(job), str(weights)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_killed_training_goes_on_whenever_it_was_killed(tmp_path: Path) -> None:
    whole, job = (make_job(tmp_path / name, count=8, most=8) for name in ("whole", "killed"))
    (tmp_path / "job").write_bytes(pickle.dumps(job))
    rng = random.Random(os.getpid())  # anywhere: between the files of an epoch's end, too
    for steps in (4, 4, 2):
        with start_child(tmp_path / "job", tmp_path / "killed.pt") as child:
            assert child.stdout is not None
            for _ in range(steps):
                child.stdout.readline()
            time.sleep(rng.uniform(0, 0.2))
            child.kill()
    with start_child(tmp_path / "job", tmp_path / "killed.pt") as child:
        told, _ = child.communicate()
    assert told.count("step") < 16
    run(whole, tmp_path / "whole.pt")
    assert same(tmp_path / "killed.pt", tmp_path / "whole.pt")


def test_weights_are_tensors_and_texts_alone(learnt: Learnt) -> None:
    _, _, weights = learnt
    record = torch.load(weights, weights_only=True)
    assert (record["model_name"], record["task"]) == ("yolo11n-cls", "classify")


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_crops_are_an_error(tmp_path: Path, count: int) -> None:
    with pytest.raises(DataError, match=f"{count} crop to learn from - expected at least two - label more photos"):
        run(make_job(tmp_path, count=count), tmp_path / "classifier.pt")


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_crops_are_enough(tmp_path: Path, count: int) -> None:
    run(make_job(tmp_path, count=count, most=1), tmp_path / "classifier.pt")
    assert Classifier(tmp_path / "classifier.pt", NAMES, device="cpu", imgsz=32).classify([]) == []


EVERYTHING: dict[str, Any] = {
    "layers": "head-first",
    "schedule": "plateau",
    "patience": 2,
    "balance": "weights",
    "mixup": 1.0,
}


@pytest.mark.parametrize("model_name", ["mobilenetv3_small_050", pytest.param("yolo11n-cls", marks=pytest.mark.slow)])
def test_all_settings_at_once_come_out_bit_by_bit_the_same_after_a_stop(tmp_path: Path, model_name: str) -> None:
    whole = replace(make_job(tmp_path, count=8, most=3, **EVERYTHING), model_name=model_name)
    run(whole, tmp_path / "whole.pt")
    stopped = replace(whole, folder=tmp_path / "stopped")
    for until in (0.34, 0.9):
        with pytest.raises(KeyboardInterrupt):
            run(stopped, tmp_path / "stopped.pt", until=until)
    assert run(stopped, tmp_path / "stopped.pt") == [3]
    assert same(tmp_path / "stopped.pt", tmp_path / "whole.pt")


@pytest.mark.parametrize("model_name", ["yolo11n-cls", "mobilenetv3_small_050"])
def test_head_alone_is_all_that_moves(tmp_path: Path, model_name: str) -> None:
    torch.manual_seed(7)
    begun = build_backbone(model_name, class_count=2).state_dict()
    yolo.write_checkpoint(tmp_path / "start.pt", yolo.Checkpoint(model_name, yolo.CLASSIFY, begun))
    job = replace(make_job(tmp_path, count=8, most=1, layers="head", lr0=0.1), model_name=model_name)
    run(replace(job, start=tmp_path / "start.pt"), tmp_path / "classifier.pt")
    tensors = yolo.read_checkpoint(tmp_path / "classifier.pt").tensors
    moved = [tensor.shape for name, tensor in tensors.items() if not torch.equal(tensor, begun[name])]
    assert [(len(shape), shape[0]) for shape in moved] == [(2, 2), (1, 2)]


def test_rate_is_that_of_the_settings(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=8, most=1, lr0=1e-4, schedule="plateau")
    epochs: list[yolo.Epoch] = []
    train_classifier(job, tmp_path / "classifier.pt", on_step=lambda _: None, on_epoch=epochs.append)
    assert epochs[0].rate == 1e-4


def test_loss_that_is_no_number_is_one_line(tmp_path: Path) -> None:
    """A rate that no data.yaml can say: a network of this size bears any that it can."""
    job = make_job(tmp_path, count=8, most=3, layers="head-first")
    wild = replace(job, settings=job.settings.model_copy(update={"lr0": 1e30}))
    with pytest.raises(
        CropsortError, match=r"classifier - the (training loss|loss on val) is .* at a learning rate of"
    ):
        run(wild, tmp_path / "classifier.pt")
    assert not (tmp_path / "classifier.pt").exists()


def test_one_class_alone_takes_one_epoch_and_a_note(tmp_path: Path) -> None:
    job = make_job(tmp_path, count=8, most=30)
    sources = tuple(replace(source, class_name="red") for source in job.train)
    told: list[object] = []
    train_classifier_apart(
        replace(job, class_names=("red",), train=sources, val=sources), tmp_path / "c.pt", told.append
    )
    assert told[0] == "'red' is the only class: nothing to tell apart, one epoch is enough"
    (epoch,) = (message for message in told if isinstance(message, yolo.Epoch))
    assert (epoch.number, epoch.epochs, epoch.scores) == (1, 1, {"top-1": 1.0})


@pytest.mark.parametrize(("balance", "shown"), [("weights", 0), ("oversample", 1), ("undersample", 1)])
def test_class_of_one_sample_or_none_is_trained_with(tmp_path: Path, balance: str, shown: int) -> None:
    job = make_job(tmp_path, count=8, most=1, balance=balance)
    common = tuple(replace(source, class_name="red") for source in job.train)
    rare = tuple(replace(source, class_name=NAMES[0]) for source in job.train[:shown])
    assert run(replace(job, train=common + rare), tmp_path / "classifier.pt") == [1]
