"""The classifier learns, keeps its best epoch, and comes out the same from the same seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

from pipeline import yolo
from pipeline.boxes import Box
from pipeline.classifier import Classifier, ClassifierJob, train_classifier
from pipeline.config import ClassifierSettings
from pipeline.crops import cut_crop
from pipeline.errors import DataError, WeightsError
from pipeline.images import read_photo, write_jpeg
from pipeline.loading import CropDataset, EpochSampler
from pipeline.prepare import CropSource
from pipeline.training import Training

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


def make_job(folder: Path, epochs: list[yolo.Epoch], *, count: int = 24, seed: int = 0, most: int = 2) -> ClassifierJob:
    steps: list[float] = []
    return ClassifierJob(
        model_name="yolo11n-cls",
        tensors={},
        class_names=NAMES,
        train=draw_colours(folder / "train", count),
        val=draw_colours(folder / "val", 8),
        settings=ClassifierSettings(imgsz=32, batch=4, epochs=most, patience=100),
        folder=folder / "run",
        seed=seed,
        device="cpu",
        on_step=steps.append,
        on_epoch=epochs.append,
    )


@pytest.fixture(scope="module")
def learnt(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClassifierJob, list[yolo.Epoch], Path]:
    folder = tmp_path_factory.mktemp("colours")
    epochs: list[yolo.Epoch] = []
    job = make_job(folder, epochs, most=20)
    train_classifier(job, folder / "classifier.pt")
    return job, epochs, folder / "classifier.pt"


Learnt = tuple[ClassifierJob, list[yolo.Epoch], Path]


def test_two_colours_are_learnt_in_seconds(learnt: Learnt) -> None:
    job, _, weights = learnt
    crops = [cut_crop(read_photo(source.file).pixels, source.box, side=32, margin=0.05) for source in job.val]
    rows = Classifier(weights, NAMES, device="cpu").classify(crops)
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
    rows = Classifier(weights, NAMES, device="cpu").classify(crops)
    table = torch.tensor([[row[name] for name in NAMES] for row in rows]).log()
    targets = torch.tensor([NAMES.index(source.class_name) for source in job.val])
    assert float(functional.nll_loss(table, targets)) == pytest.approx(min(losses), rel=0.02)


def test_same_seed_gives_the_same_weights_and_another_gives_others(tmp_path: Path) -> None:
    kept = {}
    for name, seed, disturbance in (("one", 3, 1), ("same", 3, 2), ("other", 4, 1)):
        torch.manual_seed(disturbance)
        np.random.seed(disturbance)  # what other code did with it must not matter
        train_classifier(make_job(tmp_path / name, [], seed=seed, count=8), tmp_path / f"{name}.pt")
        kept[name] = yolo.read_checkpoint(tmp_path / f"{name}.pt").tensors
    assert all(torch.equal(tensor, kept["same"][name]) for name, tensor in kept["one"].items())
    assert any(not torch.equal(tensor, kept["other"][name]) for name, tensor in kept["one"].items())


def test_patience_ends_the_training(tmp_path: Path) -> None:
    epochs: list[yolo.Epoch] = []
    job = make_job(tmp_path, epochs, count=8, most=50)
    hurried = ClassifierJob(
        **{name: getattr(job, name) for name in job.__slots__ if name != "settings"},
        settings=ClassifierSettings(imgsz=32, batch=4, epochs=50, patience=1),
    )
    train_classifier(hurried, tmp_path / "classifier.pt")
    assert len(epochs) < 50


def test_weights_are_tensors_and_texts_alone(learnt: Learnt) -> None:
    _, _, weights = learnt
    record = torch.load(weights, weights_only=True)
    assert (record["model_name"], record["task"]) == ("yolo11n-cls", "classify")


@pytest.mark.parametrize("count", [0, 1])
def test_fewer_than_two_crops_are_an_error(tmp_path: Path, count: int) -> None:
    with pytest.raises(DataError, match=f"{count} crop to learn from - expected at least two - label more photos"):
        train_classifier(make_job(tmp_path, [], count=count), tmp_path / "classifier.pt")


@pytest.mark.parametrize("count", [2, 3, 5])
def test_few_crops_are_enough(tmp_path: Path, count: int) -> None:
    train_classifier(make_job(tmp_path, [], count=count, most=1), tmp_path / "classifier.pt")
    assert Classifier(tmp_path / "classifier.pt", NAMES, device="cpu").classify([]) == []


def test_another_number_of_classes_is_refused(learnt: Learnt) -> None:
    for names in (("one",), ("one", "two", "three")):
        with pytest.raises(WeightsError, match=f"not a classifier of {len(names)} classes - train again"):
            Classifier(learnt[2], names, device="cpu")


def test_detector_is_no_classifier(trained: Training) -> None:
    with pytest.raises(WeightsError, match="not a classifier - train one: make train"):
        Classifier(trained.weights / "detector.pt", NAMES, device="cpu")


def test_crop_of_training_depends_on_seed_epoch_and_number_alone(tmp_path: Path) -> None:
    sources = draw_colours(tmp_path, 4)
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
    source = draw_colours(tmp_path, 1)[0]
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
