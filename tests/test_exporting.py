"""``cropsort export``: files that other programs read, and networks of 8 bits with what they cost."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Run
from numpy.typing import NDArray

from pipeline.classifying import Classifier
from pipeline.engine.quiet import import_openvino
from pipeline.errors import CropsortError
from pipeline.exporting import export_pair
from pipeline.images import Pixels
from pipeline.sorter import Sorter
from pipeline.training import Training
from pipeline.weights import read_card, weights_file

SIDE = 32
CROPS: list[Pixels] = list(np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE, 3), np.uint8))


@pytest.fixture
def pair(trained: Training, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.weights, tmp_path / "가중치"))


def expected_table(pair: Path) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """What predictions show of the crops."""
    card = read_card(pair / "classifier.json", "classifier")
    classifier = Classifier(
        weights_file(pair, "classifier"),
        card.class_names,
        device="cpu",
        imgsz=card.imgsz,
        temperature=card.temperature,
        test_flips=card.test_flips,
    )
    return np.array([list(row.values()) for row in classifier.classify(CROPS)])


def as_images() -> NDArray[np.float32]:
    return (np.stack(CROPS).transpose(0, 3, 1, 2) / np.float32(255)).astype(np.float32)


@pytest.mark.slow
def test_torchscript_gives_what_predictions_show(pair: Path) -> None:
    made = export_pair(pair, "torchscript", device="cpu")
    assert [path.name for path in made.files] == ["detector.torchscript", "classifier.torchscript"]
    loaded = torch.jit.load(made.folder / "classifier.torchscript")  # type: ignore[no-untyped-call]
    assert loaded(torch.from_numpy(as_images())).detach().numpy() == pytest.approx(expected_table(pair), abs=1e-5)
    assert read_card(made.folder / "classifier.json", "classifier") == read_card(pair / "classifier.json", "classifier")
    assert sorted(path.name for path in made.folder.iterdir()) == [
        "classifier.json",
        "classifier.torchscript",
        "detector.json",
        "detector.torchscript",
    ]


@pytest.mark.slow
def test_onnx_and_openvino_give_what_predictions_show(pair: Path) -> None:
    openvino = import_openvino()
    made = export_pair(pair, "onnx", device="cpu")
    model = openvino.Core().compile_model(openvino.Core().read_model(made.folder / "classifier.onnx"), "CPU")
    assert model(as_images())[0] == pytest.approx(expected_table(pair), abs=1e-2)  # it may compute in 16 bits
    made = export_pair(pair, "openvino", device="cpu")
    assert (made.folder / "detector.xml").is_file()
    compiled = openvino.Core().compile_model(openvino.Core().read_model(made.folder / "classifier.xml"), "CPU")
    assert compiled(CROPS[0][None])[0].argmax() == expected_table(pair)[0].argmax()


@pytest.mark.skipif(find_spec("coremltools") is not None, reason="coremltools is installed")
def test_format_whose_package_is_missing_is_a_line_with_the_command(pair: Path) -> None:
    with pytest.raises(CropsortError, match=r"^--format coreml - takes coremltools - pip install coremltools$"):
        export_pair(pair, "coreml", device="cpu")
    assert not (pair / "coreml").exists()


@pytest.mark.slow
def test_int8_is_made_scored_and_used(tiny: Path, trained: Training, here: Run) -> None:
    pair = tiny / "weights" / "tiny"
    shutil.copytree(trained.weights, pair)
    card = json.loads((pair / "detector.json").read_text(encoding="utf-8"))
    (pair / "detector.json").write_text(json.dumps(card | {"confidence": 0.001}), encoding="utf-8")
    answer = here("export", "--int8")
    assert answer.returncode == 0, answer.stderr
    assert "on 4 val photos: F1 " in answer.stdout
    predictions = Sorter(pair, device="cpu", engine="int8")(tiny / "images" / "val" / "photo-0009.jpg")
    assert predictions


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("export",), "nothing to write - expected --format or --int8"),
        (("export", "--photos", "here", "--format", "onnx"), "--photos here without --int8 - add --int8"),
        (("export", "--format", "onnx"), "no trained detector and classifier here"),
    ],
)
def test_what_cannot_be_exported_is_a_line(tiny: Path, here: Run, arguments: tuple[str, ...], told: str) -> None:
    assert tiny.is_dir()
    answer = here(*arguments)
    assert answer.returncode == 2
    assert told in answer.stderr


@pytest.mark.gpu
@pytest.mark.slow
def test_half_precision_finds_the_same_classes(eager: Path, home: Path) -> None:
    photo = home / "images" / "val" / "photo-0009.jpg"
    half, single = (Sorter(eager, device="0", engine=engine)(photo) for engine in ("half", "torch"))
    assert half
    assert [one.class_name for one in half[:3]] == [one.class_name for one in single[:3]]
