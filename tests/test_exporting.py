"""``cropsort export``: files that other programs read, and networks of 8 bits with what they cost."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Run, hash_files
from numpy.typing import NDArray

from pipeline.classifying import Classifier
from pipeline.engine.quiet import import_openvino
from pipeline.errors import CropsortError, OutputError
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


def run_openvino(path: Path, images: NDArray[Any]) -> NDArray[np.float32]:
    core = import_openvino().Core()
    answer: NDArray[np.float32] = core.compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images)[0]
    return answer


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`torch.jit.load` is deprecated")  # it is what opens the format
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
def test_onnx_gives_what_predictions_show(pair: Path) -> None:
    made = export_pair(pair, "onnx", device="cpu")
    assert [path.name for path in made.files] == ["detector.onnx", "classifier.onnx"]
    assert run_openvino(made.folder / "classifier.onnx", as_images()) == pytest.approx(expected_table(pair), abs=1e-4)
    (rows,) = run_openvino(made.folder / "detector.onnx", np.zeros((1, 3, 64, 96), np.float32))
    assert rows.shape[0] == 5


@pytest.mark.slow
def test_openvino_gives_what_predictions_show(pair: Path) -> None:
    """Temperature and all, as the other formats do, of photos in bytes."""
    card = json.loads((pair / "classifier.json").read_text(encoding="utf-8"))
    (pair / "classifier.json").write_text(json.dumps(card | {"temperature": 2.5}), encoding="utf-8")
    made = export_pair(pair, "openvino", device="cpu")
    names = ["detector.xml", "detector.bin", "classifier.xml", "classifier.bin"]
    assert [path.name for path in made.files] == names
    table = np.stack([run_openvino(made.folder / "classifier.xml", crop[None])[0] for crop in CROPS])
    assert table == pytest.approx(expected_table(pair), abs=1e-4)


@pytest.mark.slow
def test_export_that_fails_leaves_nothing(pair: Path) -> None:
    before = sorted(path.name for path in pair.iterdir())
    (pair / "classifier.pt").write_bytes(b"no weights")
    with pytest.raises(CropsortError, match=r"classifier\.pt"):
        export_pair(pair, "openvino", device="cpu")
    assert sorted(path.name for path in pair.iterdir()) == before


@pytest.mark.slow
def test_folder_that_cannot_be_written_is_a_line(pair: Path) -> None:
    (pair / "torchscript").write_text("a file in the way", encoding="utf-8")
    with pytest.raises(OutputError, match=r"torchscript"):
        export_pair(pair, "torchscript", device="cpu")


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
    sorting = ("predict", "images/val", "--int8", "--out", "report")
    assert here(*sorting).returncode == here(*sorting).returncode == 0
    before = hash_files(pair / "openvino")
    answer = here("export", "--int8", "--photos", "images/val")
    assert answer.returncode == 0, answer.stderr
    after = hash_files(pair / "openvino")
    changed = {name for name in after if name.endswith(".xml") and after[name] != before[name]}
    assert {name.partition("/")[2].partition("-")[0] for name in changed} == {"detector", "classifier"}
    refused = here(*sorting)
    assert refused.returncode == 2
    assert "other weights" in refused.stderr


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
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    photo = home / "images" / "val" / "photo-0009.jpg"
    half, single = (Sorter(eager, device="0", engine=engine)(photo) for engine in ("half", "torch"))
    assert half
    assert [one.class_name for one in half[:3]] == [one.class_name for one in single[:3]]
