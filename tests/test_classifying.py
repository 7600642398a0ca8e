"""The classifier at work: probabilities of crops by one network or several, and weights that are none of its."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.calibration import apply_temperature
from pipeline.classifying import Classifier
from pipeline.errors import WeightsError
from pipeline.images import Pixels
from pipeline.members import write_members
from pipeline.yolo import Checkpoint

NAMES = ("파랑", "red", "green")
SIDE = 64
MODELS = ("yolo11n-cls", "mobilenetv3_small_050")
CROPS: list[Pixels] = list(np.random.default_rng(0).integers(0, 256, (5, SIDE, SIDE, 3), np.uint8))


def make_member(model_name: str, class_count: int = len(NAMES), seed: int = 0) -> Checkpoint:
    """A network that was never trained, but whose outputs differ from crop to crop."""
    torch.manual_seed(seed)
    network = build_backbone(model_name, class_count=class_count, imgsz=SIDE).train()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = None  # statistics are those of the one batch below, and not a hundredth of them
    with torch.no_grad():
        network(torch.rand(16, 3, SIDE, SIDE))
    return Checkpoint(model_name, yolo.CLASSIFY, network.state_dict())


@pytest.fixture(scope="module")
def members() -> tuple[Checkpoint, ...]:
    return tuple(make_member(name, seed=seed) for seed, name in enumerate(MODELS))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, members: tuple[Checkpoint, ...]) -> Path:
    path = tmp_path_factory.mktemp("weights") / "classifier.pt"
    write_members(path, members[:1])
    return path


@pytest.fixture(scope="module")
def joined(tmp_path_factory: pytest.TempPathFactory, members: tuple[Checkpoint, ...]) -> Path:
    path = tmp_path_factory.mktemp("joined") / "classifier.pt"
    write_members(path, members)
    return path


def load(weights: Path, *, temperature: float = 1.0, test_flips: bool = False) -> Classifier:
    return Classifier(weights, NAMES, device="cpu", imgsz=SIDE, temperature=temperature, test_flips=test_flips)


def tabulate(
    classifier: Classifier, crops: Sequence[Pixels] = CROPS
) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([list(row.values()) for row in classifier.classify(crops)])


def mirror(crops: Sequence[Pixels]) -> list[Pixels]:
    return [np.ascontiguousarray(crop[:, ::-1]) for crop in crops]


def test_probabilities_of_each_crop_sum_up_to_one(weights: Path, joined: Path) -> None:
    for path in (weights, joined):
        rows = load(path, temperature=1.3, test_flips=True).classify(CROPS)
        assert [tuple(row) for row in rows] == [NAMES] * len(CROPS)
        assert [sum(row.values()) for row in rows] == pytest.approx([1.0] * len(CROPS))


def test_no_crops_are_no_rows(weights: Path, joined: Path) -> None:
    assert load(weights).classify([]) == load(joined, test_flips=True).classify([]) == []


def test_crops_differ(weights: Path) -> None:
    assert tabulate(load(weights)).std(0).min() > 1e-4  # or the tests below would show nothing


def test_several_networks_decide_by_the_mean_of_their_probabilities(
    joined: Path, members: tuple[Checkpoint, ...], tmp_path: Path
) -> None:
    tables = []
    for member in members:
        write_members(tmp_path / "one.pt", [member])
        tables.append(tabulate(load(tmp_path / "one.pt")))
    assert not np.allclose(tables[0], tables[1], atol=1e-3)
    assert tabulate(load(joined)) == pytest.approx(np.mean(tables, axis=0), abs=1e-6)


def test_with_flips_the_mean_of_crop_and_mirror_image_decides(joined: Path) -> None:
    plain = load(joined)
    one, other = tabulate(plain), tabulate(plain, mirror(CROPS))
    assert not np.allclose(one, other, atol=1e-4)
    flipping = load(joined, test_flips=True)
    assert tabulate(flipping) == pytest.approx((one + other) / 2, abs=1e-6)
    assert tabulate(flipping, mirror(CROPS)) == pytest.approx(tabulate(flipping), abs=1e-6)


def test_temperature_comes_after_the_mean_and_changes_no_order(joined: Path) -> None:
    before = tabulate(load(joined, test_flips=True))
    after = tabulate(load(joined, test_flips=True, temperature=2.5))
    assert after == pytest.approx(apply_temperature(before, 2.5), abs=1e-6)
    assert (after.argmax(1) == before.argmax(1)).all()
    assert after.max() < before.max()


def test_batch_says_of_each_crop_what_it_says_of_it_alone(joined: Path) -> None:
    classifier = load(joined, test_flips=True)
    alone = [classifier.classify([crop])[0] for crop in CROPS]
    for row, other in zip(classifier.classify(CROPS), alone, strict=True):
        assert row == pytest.approx(other, abs=1e-5)  # another size of batch, another order of adding in 32 bits


@pytest.mark.parametrize("names", [("one",), ("one", "two"), ("one", "two", "three", "four")])
def test_another_number_of_classes_is_refused_with_both(weights: Path, joined: Path, names: tuple[str, ...]) -> None:
    for path in (weights, joined):
        with pytest.raises(WeightsError) as told:
            Classifier(path, names, device="cpu", imgsz=SIDE)
        assert (
            str(told.value)
            == f"{path} - a classifier of 3 classes - expected one of {len(names)} - train again: make train"
        )


def test_member_of_another_number_of_classes_is_refused(tmp_path: Path, members: tuple[Checkpoint, ...]) -> None:
    write_members(tmp_path / "classifier.pt", [members[0], make_member(MODELS[1], class_count=7)])
    with pytest.raises(WeightsError, match="a classifier of 7 classes - expected one of 3"):
        load(tmp_path / "classifier.pt")


def test_weights_of_another_network_are_refused(tmp_path: Path, members: tuple[Checkpoint, ...]) -> None:
    for tensors in ({}, members[1].tensors, dict(list(members[0].tensors.items())[:9])):
        yolo.write_checkpoint(tmp_path / "classifier.pt", Checkpoint(MODELS[0], yolo.CLASSIFY, tensors))
        with pytest.raises(WeightsError, match=r"classifier\.pt - not the weights of yolo11n-cls - expected one of 3"):
            load(tmp_path / "classifier.pt")


def test_detector_is_no_classifier(tmp_path: Path, members: tuple[Checkpoint, ...]) -> None:
    detector = Checkpoint("yolov5n", yolo.DETECT, {})
    for several in ([detector], [members[0], detector]):
        write_members(tmp_path / "detector.pt", several)
        with pytest.raises(WeightsError, match="not a classifier - train one: make train"):
            load(tmp_path / "detector.pt")


def test_views_of_a_subject_decide_by_the_mean_of_their_probabilities(weights: Path) -> None:
    classifier = load(weights)
    table = tabulate(classifier, CROPS[:2])
    (row,) = classifier.classify(CROPS[:2], views=2)
    assert [*row.values()] == pytest.approx(table.mean(0), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("test_flips", [False, True])
def test_openvino_says_what_torch_says(joined: Path, test_flips: bool) -> None:
    compiled, plain = (
        Classifier(joined, NAMES, device="cpu", imgsz=SIDE, temperature=1.3, test_flips=test_flips, engine=engine)
        for engine in ("openvino", "torch")
    )
    assert tabulate(compiled) == pytest.approx(tabulate(plain), abs=1e-4)
    assert compiled.classify([]) == []
    assert [compiled.classify([crop])[0] for crop in CROPS] == compiled.classify(CROPS)


def test_openvino_refuses_what_torch_refuses(weights: Path) -> None:
    with pytest.raises(WeightsError, match="a classifier of 3 classes - expected one of 2"):
        Classifier(weights, NAMES[:2], device="cpu", imgsz=SIDE, engine="openvino")


def test_classifier_of_8_bits_that_was_never_made_says_how(weights: Path) -> None:
    with pytest.raises(WeightsError, match="make it once: cropsort export --int8"):
        Classifier(weights, NAMES, device="cpu", imgsz=SIDE, engine="int8")
