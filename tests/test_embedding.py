"""What a classifier decides by: the input of its last layer, in whatever network, in torch and in OpenVINO."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from networks import settle
from torch import nn

from pipeline import yolo
from pipeline.backbones import build_backbone, head_layers
from pipeline.classifying import Classifier
from pipeline.embedding import Embedder
from pipeline.engine import Engine
from pipeline.images import Pixels
from pipeline.members import write_members
from pipeline.yolo import Checkpoint

NAMES = ("파랑", "red", "green")
SIDE = 64
MODELS = ("yolo11n-cls", "mobilenetv3_small_050")
CROPS: list[Pixels] = list(np.random.default_rng(0).integers(0, 256, (6, SIDE, SIDE, 3), np.uint8))
IMAGES = torch.from_numpy(np.stack(CROPS)).permute(0, 3, 1, 2) / 255


def build(model_name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    network = build_backbone(model_name, class_count=len(NAMES), imgsz=SIDE)
    settle(network, SIDE)
    return network.eval()


@pytest.fixture(scope="module")
def networks() -> tuple[nn.Module, ...]:
    return tuple(build(name, seed) for seed, name in enumerate(MODELS))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory, networks: tuple[nn.Module, ...]) -> Path:
    path = tmp_path_factory.mktemp("분류기") / "classifier.pt"
    members = zip(MODELS, networks, strict=True)
    write_members(path, [Checkpoint(name, yolo.CLASSIFY, network.state_dict()) for name, network in members])
    return path


def load(weights: Path, *, engine: Engine = "torch", test_flips: bool = False) -> Classifier:
    options = {"device": "cpu", "imgsz": SIDE, "temperature": 1.4}
    return Classifier(weights, NAMES, engine=engine, test_flips=test_flips, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("model_name", MODELS)
def test_last_layer_makes_of_it_what_the_network_says(model_name: str) -> None:
    network = build(model_name)
    with torch.no_grad():
        row, (head,) = Embedder([network], test_flips=False)(IMAGES), head_layers(network)
        logits = yolo.logits(network(IMAGES))
        probabilities, embedding = row[:, : len(NAMES)], row[:, len(NAMES) :]
        assert torch.allclose(probabilities, logits.softmax(1), atol=1e-6)
        assert torch.allclose(embedding.norm(dim=1), torch.ones(len(CROPS)), atol=1e-5)
        assert isinstance(head, nn.Linear)
        # It is known but for its length, by which the logits differ from these.
        shares = (logits - head.bias) / (embedding @ head.weight.T)
    assert torch.allclose(shares, shares[:, :1].expand_as(shares), rtol=1e-3)
    assert embedding.std(0).max() > 1e-4  # crops differ


class InEachPlace(nn.Module):
    """Decides in each place of an image, and lets the mean count."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(3, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = self.head(images.permute(0, 2, 3, 1))
        return made.mean((1, 2))


def test_what_is_decided_in_each_place_counts_by_its_mean() -> None:
    with torch.no_grad():
        embedding = Embedder([InEachPlace()], test_flips=False)(IMAGES)[:, 2:]
    assert torch.allclose(embedding, nn.functional.normalize(IMAGES.mean((2, 3))), atol=1e-5)


def test_nothing_stays_on_the_network() -> None:
    network = build(MODELS[0])
    with torch.no_grad():
        Embedder([network], test_flips=False)(IMAGES)
    assert not any(layer._forward_pre_hooks for layer in network.modules())


def test_probabilities_beside_it_are_those_of_classifying(weights: Path) -> None:
    for flips in (False, True):
        classifier = load(weights, test_flips=flips)
        rows, embeddings = classifier.look(CROPS)
        for row, wanted in zip(rows, classifier.classify(CROPS), strict=True):
            assert row == pytest.approx(wanted, abs=1e-6)
        assert embeddings.shape[0] == len(CROPS) and embeddings.dtype == np.float32
        assert np.array_equal(classifier.embed(CROPS), embeddings)


def test_networks_stand_side_by_side_as_long_as_each_other(weights: Path, networks: tuple[nn.Module, ...]) -> None:
    together = load(weights).embed(CROPS)
    with torch.no_grad():
        parts = [Embedder([network], test_flips=False)(IMAGES)[:, len(NAMES) :].numpy() for network in networks]
    assert together == pytest.approx(np.concatenate(parts, axis=1), abs=1e-5)


def test_views_of_a_subject_and_mirror_images_count_by_their_mean(weights: Path) -> None:
    classifier = load(weights)
    mean = classifier.embed(CROPS).reshape(2, 3, -1).mean(1)
    assert classifier.embed(CROPS, views=3) == pytest.approx(mean, abs=1e-6)
    flipping = load(weights, test_flips=True)
    mirrored = [np.ascontiguousarray(crop[:, ::-1]) for crop in CROPS]
    assert flipping.embed(mirrored) == pytest.approx(flipping.embed(CROPS), abs=1e-5)
    assert not np.allclose(classifier.embed(mirrored), classifier.embed(CROPS), atol=1e-3)


@pytest.mark.slow
def test_openvino_says_what_torch_says(tmp_path: Path, networks: tuple[nn.Module, ...]) -> None:
    weights = tmp_path / "classifier.pt"
    write_members(weights, [Checkpoint(MODELS[0], yolo.CLASSIFY, networks[0].state_dict())])
    rows, embeddings = load(weights).look(CROPS, views=2)
    compiled_rows, compiled_embeddings = load(weights, engine="openvino").look(CROPS, views=2)
    assert compiled_embeddings == pytest.approx(embeddings, abs=1e-4)
    for row, wanted in zip(compiled_rows, rows, strict=True):
        assert row == pytest.approx(wanted, abs=1e-4)
    kept = {path.name.rpartition("-")[0] for path in (weights.parent / "openvino").iterdir()}
    assert kept == {"classifier-fp32", "embedder-fp32"}  # the one does not drive the other out
