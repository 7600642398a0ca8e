"""Crops come in an order and a shape that depend on seed, epoch and number alone, in batches that make whole steps."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from pipeline.boxes import Box
from pipeline.crop_batches import CropBatches
from pipeline.crops import cut_crop
from pipeline.environment import ROOT
from pipeline.errors import DataError
from pipeline.images import GREY, read_photo, write_jpeg
from pipeline.loading import CropLoader, EpochSampler, StepBatches, count_workers, make_train_loader, make_val_loader
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings

NAMES = ("파랑", "red")
SMALL = ClassifierSettings(imgsz=32, batch=4)


def draw_crops(folder: Path, count: int) -> tuple[CropSource, ...]:
    rng = np.random.default_rng(count)
    for index in range(count):
        write_jpeg(folder / f"{index}.jpg", rng.integers(0, 255, (40, 40, 3), np.uint8))
    return tuple(CropSource(folder / f"{index}.jpg", Box(4, 4, 36, 36), NAMES[index % 2]) for index in range(count))


def load_train(
    sources: tuple[CropSource, ...], settings: ClassifierSettings = SMALL, seed: int = 1
) -> CropLoader[CropBatches]:
    return make_train_loader(sources, NAMES, settings, seed=seed, accumulate=1, device="cpu")


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a process cannot be copied."""
    monkeypatch.setattr(sys, "platform", "win32")
    assert count_workers("cpu") == 0
    assert 1 <= count_workers("0") <= 2


def test_crop_of_training_depends_on_seed_epoch_and_number_alone(tmp_path: Path) -> None:
    sources = draw_crops(tmp_path, 4)
    one, same, other = (CropBatches(sources, NAMES, SMALL, seed) for seed in (1, 1, 2))
    first, target = one.draw((0, 2))
    one.draw((5, 1))
    torch.manual_seed(9)
    again, _ = same.draw((0, 2))
    assert (first.shape, target) == ((32, 32, 3), 0)
    assert np.array_equal(first, again)
    elsewhere = (other.draw((0, 2))[0], one.draw((1, 2))[0], one.draw((0, 3))[0], one.draw((0, 6))[0])
    assert not any(np.array_equal(first, crop) for crop in elsewhere)
    assert one.draw((0, 6))[1] == target  # the same subject, shown once more


def test_crop_to_score_on_is_the_crop_of_prediction(tmp_path: Path) -> None:
    source = draw_crops(tmp_path, 1)[0]
    crop, _ = CropBatches((source,), NAMES, SMALL, None).draw((0, 0))
    wanted = cut_crop(read_photo(source.file).pixels, source.box, side=32, margin=0.05)
    assert np.array_equal(crop, wanted)


def test_padding_of_training_is_as_grey_as_that_of_prediction(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "long.jpg", np.full((20, 80, 3), 250, np.uint8))
    source = CropSource(tmp_path / "long.jpg", Box(0, 0, 80, 20), "red")
    settings = ClassifierSettings(imgsz=32, margin=0.0, degrees=0.0, shear=0.0, brightness=0.4)
    for epoch in range(5):
        crop, _ = CropBatches((source,), NAMES, settings, 1).draw((epoch, 0))
        assert (crop[:4] == GREY).all()
        assert (crop[-4:] == GREY).all()


@pytest.mark.parametrize("damage", [b"", b"\xff\xd8\xff\xe0no photo", None])
def test_kept_crop_that_is_gone_or_damaged_is_one_line(tmp_path: Path, damage: bytes | None) -> None:
    sources = draw_crops(tmp_path, 4)
    for source in sources:
        source.file.unlink()
        if damage is not None:
            source.file.write_bytes(damage)
    with pytest.raises(DataError) as caught:
        next(iter(load_train(sources)))
    assert caught.value.where in [source.file for source in sources]
    assert "\n" not in str(caught.value)


@pytest.mark.slow
def test_batches_are_floats_of_the_crops_and_numbers_of_their_classes(tmp_path: Path) -> None:
    sources = draw_crops(tmp_path, 10)
    loader = load_train(sources)
    made = list(loader)
    keys = list(loader.batches)
    assert len(made) == len(loader) == 2
    for (images, targets), batch in zip(made, keys, strict=True):
        assert (images.shape, images.dtype) == ((4, 3, 32, 32), torch.float32)
        assert images.is_contiguous(memory_format=torch.channels_last)
        for image, target, key in zip(images, targets, batch, strict=True):
            crop, number = loader.crops.draw(key)
            assert np.array_equal((image * 255).round().permute(1, 2, 0).numpy(), crop)
            assert int(target) == number


@pytest.mark.slow
def test_workers_make_the_same_batches_as_no_workers(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    sources, settings = draw_crops(tmp_path, 12), ClassifierSettings(imgsz=32, batch=4, cutmix=0.5, mixup=0.3)
    loader = load_train(sources, settings)
    made = []
    for epoch in range(2):
        loader.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        made += list(loader)
    request.getfixturevalue("alone")
    single = load_train(sources, settings)
    assert single.num_workers == 0
    again = []
    for epoch in range(2):
        single.batch_sampler.sampler.set_epoch(epoch)  # type: ignore[union-attr]
        again += list(single)
    for (images, targets), (same, equal) in zip(made, again, strict=True):
        assert torch.equal(images, same)
        assert torch.equal(targets, equal)
    assert not torch.equal(made[0][0], made[3][0])


@pytest.mark.slow
@pytest.mark.usefixtures("alone")
@pytest.mark.parametrize("mixing", ["cutmix", "mixup"])
def test_targets_are_shares_wherever_batches_may_be_mixed(tmp_path: Path, mixing: str) -> None:
    sources = draw_crops(tmp_path, 12)
    for images, targets in load_train(sources, SMALL.model_copy(update={mixing: 0.01})):
        assert images.shape == (4, 3, 32, 32)
        assert (targets.shape, targets.dtype) == ((4, 2), torch.float32)
        assert set(targets.unique().tolist()) == {0.0, 1.0}


@pytest.mark.usefixtures("alone")
def test_crops_to_score_on_come_in_order_all_of_them_and_unmixed(tmp_path: Path) -> None:
    sources, settings = draw_crops(tmp_path, 9), ClassifierSettings(imgsz=32, batch=4, cutmix=1.0)
    made = list(make_val_loader(sources, NAMES, settings, device="cpu"))
    assert [len(images) for images, _ in made] == [4, 4, 1]
    assert torch.cat([targets for _, targets in made]).tolist() == [index % 2 for index in range(9)]


@pytest.mark.usefixtures("alone")
def test_uneven_classes_are_evened_out_and_repeated_crops_differ(tmp_path: Path) -> None:
    sources = draw_crops(tmp_path, 10)[:7:2] + draw_crops(tmp_path, 10)[1:2]  # four of one class, one of the other
    settings = ClassifierSettings(imgsz=32, batch=8, balance="oversample")
    ((images, targets),) = load_train(sources, settings)
    assert torch.bincount(targets).tolist() == [4, 4]
    repeated = images[targets == 1]
    assert all(not torch.equal(repeated[0], image) for image in repeated[1:])


def test_every_crop_comes_once_an_epoch_in_another_order() -> None:
    sampler = EpochSampler(30, seed=1)
    orders = []
    for epoch in range(3):
        sampler.set_epoch(epoch)
        pairs = list(sampler)
        assert {number for number, _ in pairs} == {epoch}
        orders.append([index for _, index in pairs])
    assert all(sorted(order) == list(range(30)) for order in orders)
    assert orders[0] != orders[1] != orders[2]
    assert [index for _, index in EpochSampler(5, seed=None)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(("balance", "count"), [("none", 12), ("weights", 12), ("undersample", 4), ("oversample", 20)])
def test_length_of_an_epoch_is_known_beforehand(balance: str, count: int) -> None:
    sampler = EpochSampler(12, 1, targets=[0] * 10 + [1] * 2, balance=balance)
    keys = list(sampler)
    assert len(keys) == len(sampler) == count
    assert len(set(keys)) == count
    shown = sorted(number for _, number in keys)
    if balance == "oversample":  # the two small ones five times each, under numbers of their own
        assert shown == sorted(
            [*range(10), *(10 + 12 * time for time in range(5)), *(11 + 12 * time for time in range(5))]
        )
    batches = StepBatches(sampler, batch=4)
    assert len(list(batches)) == len(batches) == count // 4


@pytest.mark.parametrize(
    ("count", "batch", "accumulate", "steps", "sizes"),
    [
        (10, 4, 1, 2, (4,)),
        (10, 2, 2, 2, (2, 2)),
        (100, 16, 2, 3, (16, 16)),
        (100, 8, 4, 3, (8, 8, 8, 8)),
        (120, 32, 1, 3, (32,)),
        (120, 16, 2, 3, (16, 16)),  # a step more if the batches were counted first
        (24, 32, 1, 1, (24,)),
        (24, 16, 2, 1, (12, 12)),
        (5, 4, 4, 1, (3, 2)),
        (5, 2, 4, 1, (2, 2)),  # no batch of one
        (3, 2, 1, 1, (2,)),
        (2, 32, 8, 1, (2,)),  # fewer batches than are gathered: still a step
    ],
)
def test_batches_make_whole_steps(count: int, batch: int, accumulate: int, steps: int, sizes: tuple[int, ...]) -> None:
    batches = StepBatches(EpochSampler(count, 1), batch=batch, accumulate=accumulate)
    made = list(batches)
    assert (batches.steps, batches.sizes) == (steps, sizes)
    assert [len(keys) for keys in made] == list(sizes) * steps
    assert len(batches) == len(made)
    assert len({key for keys in made for key in keys}) == sum(sizes) * steps


def test_smaller_batches_leave_the_crops_of_a_step_as_they_are() -> None:
    whole, halves = (list(StepBatches(EpochSampler(50, 3), batch=16 // part, accumulate=part)) for part in (1, 2))
    assert [first + second for first, second in zip(halves[::2], halves[1::2], strict=True)] == whole


def test_batches_follow_the_epoch() -> None:
    batches = StepBatches(EpochSampler(8, 3), batch=4)
    first = list(batches)
    batches.sampler.set_epoch(5)
    assert {epoch for keys in batches for epoch, _ in keys} == {5}
    assert [index for keys in batches for _, index in keys] != [index for keys in first for _, index in keys]


TRAIN = """
import sys, time
from pathlib import Path
from pipeline.boxes import Box
from pipeline.loading import make_train_loader
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings
files = [Path(sys.argv[1], f"{index}.jpg") for index in range(8)]
sources = tuple(CropSource(file, Box(4, 4, 36, 36), "a") for file in files)
settings = ClassifierSettings(imgsz=32, batch=4)
for images, _ in make_train_loader(sources, ("a", "b"), settings, seed=1, accumulate=1, device="cpu"):
    print(len(images), flush=True)
    time.sleep(60)
"""


@pytest.fixture
def training(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that has got its first batch, made by a worker, and thinks about it."""
    draw_crops(tmp_path, 8)
    process = subprocess.Popen(
        [sys.executable, "-c", TRAIN, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "4\n"
    yield process
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a CPU has no workers")
def test_no_worker_outlives_the_process_that_is_killed(training: subprocess.Popen[str]) -> None:
    workers = workers_of(training)
    assert workers
    training.kill()
    gone, left = psutil.wait_procs(workers, timeout=30)
    assert gone
    assert not left


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a CPU has no workers")
def test_ctrl_c_ends_workers_without_a_word_of_theirs(training: subprocess.Popen[str]) -> None:
    workers = workers_of(training)
    assert workers
    os.killpg(training.pid, signal.SIGINT)  # as a terminal does: to all of them
    _, said = training.communicate(timeout=30)
    assert said.rstrip().endswith("KeyboardInterrupt")
    assert said.count("Traceback") == 1
    assert not psutil.wait_procs(workers, timeout=30)[1]
