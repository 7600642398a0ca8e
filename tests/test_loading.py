"""Crops come in an order and a shape that depend on seed, epoch and number alone, in batches that make whole steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from pipeline.boxes import Box
from pipeline.crops import cut_crop
from pipeline.images import read_photo, write_jpeg
from pipeline.loading import CropDataset, EpochSampler, StepBatches
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings

NAMES = ("파랑", "red")


def draw_crops(folder: Path, count: int) -> tuple[CropSource, ...]:
    rng = np.random.default_rng(count)
    for index in range(count):
        write_jpeg(folder / f"{index}.jpg", rng.integers(0, 255, (40, 40, 3), np.uint8))
    return tuple(CropSource(folder / f"{index}.jpg", Box(4, 4, 36, 36), NAMES[index % 2]) for index in range(count))


def test_crop_of_training_depends_on_seed_epoch_and_number_alone(tmp_path: Path) -> None:
    sources = draw_crops(tmp_path, 4)
    settings = ClassifierSettings(imgsz=32)
    one, same, other = (CropDataset(sources, NAMES, settings, seed) for seed in (1, 1, 2))
    first, target = one[0, 2]
    one[5, 1]
    torch.manual_seed(9)
    again, _ = same[0, 2]
    assert (first.shape, target) == ((3, 32, 32), 0)
    assert torch.equal(first, again)
    assert not any(torch.equal(first, crop) for crop in (other[0, 2][0], one[1, 2][0], one[0, 3][0]))


def test_crop_to_score_on_is_the_crop_of_prediction(tmp_path: Path) -> None:
    source = draw_crops(tmp_path, 1)[0]
    crop, _ = CropDataset((source,), NAMES, ClassifierSettings(imgsz=32), None)[0, 0]
    wanted = cut_crop(read_photo(source.file).pixels, source.box, side=32, margin=0.05)
    assert np.array_equal((crop * 255).round().permute(1, 2, 0).numpy().astype(np.uint8), wanted)


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
