"""Ultralytics stays behind one door, and leaves nothing of itself lying about."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import matplotlib
import numpy as np
import pytest
import torch
from conftest import Run, hash_files
from numpy.typing import NDArray

from pipeline import yolo
from pipeline.environment import ROOT
from pipeline.errors import ConfigError, WeightsError
from pipeline.training import Training
from pipeline.yolo.guard import quiet_ultralytics, ultralytics

MODULES = sorted((ROOT / "pipeline").rglob("*.py"))

STATE = """
import json, os, sys
import cv2, numpy, torch
import PIL.Image
def state():
    return {
        "open": id(PIL.Image.open), "save": id(torch.save),
        "cv2": [id(cv2.imread), id(cv2.imwrite), id(cv2.imshow), cv2.getNumThreads()],
        "threads": torch.get_num_threads(), "omp": os.environ.get("OMP_NUM_THREADS"),
        "printing": repr(numpy.get_printoptions()) + repr(torch.ones(3) / 3) + repr(numpy.ones(3) / 3),
    }
torch.set_num_threads(2)
cv2.setNumThreads(3)
kept = {"before": state()}
from pathlib import Path
from pipeline import yolo
kept["imported"] = state()
kept["lazy"] = "ultralytics" not in sys.modules
yolo.known_weights()
yolo.build_detector("yolov5n", class_count=2)
kept["built"] = state()
yolo.read_checkpoint(Path(sys.argv[1], "detector.pt"))
kept["read"] = state()
from pipeline.sorter import Sorter
Sorter(Path(sys.argv[1]), device="cpu")(sys.argv[2])
kept["predicted"] = state()
print(json.dumps(kept))
"""

BLOCK = """
import os, socket, sys
def refuse(*what):
    with open(os.environ["ATTEMPTS"], "a") as file:
        print(what, file=file)
    raise OSError("no network in this test")
socket.socket.connect = socket.socket.connect_ex = socket.getaddrinfo = refuse
sys.argv[0] = "cropsort"
from pipeline.cli import main
main()
"""


def imported(node: ast.AST) -> list[str]:
    """Names of the modules that a statement or call imports."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if isinstance(node, ast.ImportFrom):
        return [node.module or ""]
    if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
        return [ast.unparse(argument).strip("f'\"") for argument in node.args]
    return []


def test_one_module_imports_ultralytics() -> None:
    assert len(MODULES) > 20
    found = {
        path.relative_to(ROOT / "pipeline").as_posix()
        for path in MODULES
        if "ultralytics" in path.read_text(encoding="utf-8")  # parsing all of them takes ten seconds
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if any(name.startswith("ultralytics") for name in imported(node))
    }
    assert found == {"yolo/guard.py"}


@pytest.mark.slow
def test_using_it_changes_nothing_of_what_other_code_relies_on(
    cropsort: Run, eager: Path, home: Path, tmp_path: Path
) -> None:
    """Neither in the process nor in the folders of the user, who may have Ultralytics in use himself."""
    user = {"HOME": str(tmp_path), "MPLCONFIGDIR": matplotlib.get_cachedir()}
    code = "import os\nfor name in ('XDG_CACHE_HOME', 'XDG_CONFIG_HOME', 'YOLO_CONFIG_DIR', 'OMP_NUM_THREADS'):\n"
    code += "    os.environ.pop(name, None)\n" + STATE
    answer = cropsort(eager, home / "images" / "val" / "photo-0009.jpg", code=code, cwd=tmp_path, **user)
    assert answer.returncode == 0, answer.stderr
    assert answer.stderr == ""
    kept = json.loads(answer.stdout)
    assert kept.pop("lazy")
    assert all(state == kept["before"] for state in kept.values())
    traces = [path for path in tmp_path.rglob("*") if "ultralytics" in path.name.lower() or "yolo" in path.name.lower()]
    ours = tmp_path / ".cache" / "cropsort"
    assert traces
    assert all(path.is_relative_to(ours) for path in traces)
    settings = json.loads(next(ours.rglob("settings.json")).read_text(encoding="utf-8"))
    assert not settings["sync"]
    assert not any(settings.get(name) for name in ("wandb", "mlflow", "comet", "clearml", "tensorboard"))


def test_photos_and_labels_are_as_they_were_after_training(
    trained: Training, home: Path, before: dict[str, str]
) -> None:
    """One of them is a motion photo, whose bytes behind the last marker Ultralytics would cut off with its EXIF."""
    assert trained.run.is_dir()
    after = hash_files(home / "images") | hash_files(home / "labels")
    assert after == before


@pytest.mark.slow
def test_training_with_korean_classes_asks_nothing_of_the_network(cropsort: Run, tiny: Path, tmp_path: Path) -> None:
    for file in (tiny / "data.yaml", *tiny.rglob("classes.txt")):
        text = file.read_text(encoding="utf-8")
        for name, korean in (("comic", "만화"), ("fairy tale", "동화 책"), ("novel", "소설"), ("science", "과학")):
            text = text.replace(name, korean)
        file.write_text(text.replace("epochs: 1}", "epochs: 2}").replace("imgsz: 64", "imgsz: 64, single_cls: false"))
    before = hash_files(tiny / "images") | hash_files(tiny / "labels")
    attempts = tmp_path / "attempts"
    fresh = {"HOME": str(tmp_path / "user"), "XDG_CACHE_HOME": str(tmp_path / "user" / "cache")}
    for command in (("train",), ("predict", "images"), ("evaluate",)):
        answer = cropsort(*command, code=BLOCK, cwd=tiny, ATTEMPTS=str(attempts), **fresh)
        assert answer.returncode == 0, answer.stderr
        assert answer.stderr == ""
    assert not attempts.exists()
    assert hash_files(tiny / "images") | hash_files(tiny / "labels") == before
    assert sorted(path.name for path in tiny.iterdir()) == [
        "data.yaml",
        "images",
        "labels",
        "reports",
        "runs",
        "weights",
    ]
    assert "만화" in (tiny / "weights" / "tiny" / "detector.json").read_text(encoding="utf-8")


def test_checkpoints_are_read_however_often(trained: Training) -> None:
    """Reading one tells torch that Ultralytics' classes are safe: the next one is read in another way."""
    best = trained.run / "detector" / "weights" / "best.pt"
    first, second = yolo.read_checkpoint(best), yolo.read_checkpoint(best)
    assert (first.model_name, first.task) == (second.model_name, second.task) == ("yolov5n", yolo.DETECT)
    assert all(torch.equal(tensor, second.tensors[name]) for name, tensor in first.tensors.items())


def test_checkpoint_is_written_as_tensors_and_texts_alone(tmp_path: Path) -> None:
    model = yolo.build_classifier("yolo11n-cls", class_count=3)
    written = yolo.Checkpoint("yolo11n-cls", yolo.CLASSIFY, model.state_dict())
    yolo.write_checkpoint(tmp_path / "own.pt", written)
    assert set(torch.load(tmp_path / "own.pt", weights_only=True)) == {"model_name", "task", "tensors"}
    read = yolo.read_checkpoint(tmp_path / "own.pt")
    assert (read.model_name, read.task) == (written.model_name, written.task)
    other = yolo.build_classifier("yolo11n-cls", class_count=3)
    assert yolo.transfer(other, read.tensors) == len(other.state_dict())
    assert all(torch.equal(tensor, other.state_dict()[name]) for name, tensor in model.state_dict().items())


def test_tensors_of_another_shape_are_not_copied() -> None:
    model, other = (yolo.build_classifier("yolo11n-cls", class_count=count) for count in (3, 4))
    assert yolo.transfer(model, other.state_dict()) == len(model.state_dict()) - 2  # the head's weights and biases


@pytest.mark.parametrize("name", ["yolov5nn", "resnet99", "yolo11n-cls", "yolo11n-seg", "../data", ""])
def test_model_that_is_no_detector_is_refused_with_examples(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no detection model '.*' - expected a name such as yolov5n"):
        yolo.build_detector(name, class_count=1)


@pytest.mark.parametrize("name", ["yolo11q-cls", "yolo11n", "xception41"])
def test_model_that_is_no_classifier_is_refused_with_examples(name: str) -> None:
    with pytest.raises(ConfigError, match=r"no classification model '.*' - expected a name such as yolo11n-cls"):
        yolo.build_classifier(name, class_count=2)


def test_classifier_is_no_detector(trained: Training) -> None:
    with pytest.raises(WeightsError, match="not a detector"):
        yolo.Detector(trained.weights / "classifier.pt", device="cpu")


def test_photos_of_several_shapes_are_not_shown_to_the_network_together(trained: Training) -> None:
    detector = yolo.Detector(trained.weights / "detector.pt", device="cpu")
    photos = [np.zeros(shape, np.uint8) for shape in ((60, 40, 3), (40, 60, 3))]
    with pytest.raises(ValueError, match=r"photos of one shape are wanted, got \(40, 60, 3\), \(60, 40, 3\)"):
        detector.detect(photos, imgsz=64, conf=0.5, iou=0.5)
    assert detector.detect([], imgsz=64, conf=0.5, iou=0.5) == []


@pytest.mark.slow
def test_photos_with_boxes_without_number_take_none_from_the_photos_after_them(trained: Training) -> None:
    """Ultralytics joins boxes for two seconds; then the photos that are left would come back without any."""
    detector = yolo.Detector(trained.weights / "detector.pt", device="cpu")
    photos = list(np.random.default_rng(0).integers(0, 255, (4, 960, 960, 3), np.uint8))
    found = detector.detect(photos, imgsz=960, conf=0.0, iou=1.0)
    assert [len(some) for some in found] == [300] * 4


def _make_head(rng: np.random.Generator, classes: int, boxes: int) -> NDArray[np.float32]:
    """What a detector's head says: middles and sizes of boxes, and a confidence of each class."""
    middles, sizes = rng.uniform(0, 96, (2, boxes)), rng.uniform(4, 60, (2, boxes))
    return np.concatenate([middles, sizes, rng.random((classes, boxes)) ** 2]).astype(np.float32)


@pytest.mark.parametrize("boxes", [6, 7, 40, 400])
@pytest.mark.parametrize("classes", [1, 5])
def test_overlapping_boxes_are_joined_as_ultralytics_does(classes: int, boxes: int) -> None:
    head = _make_head(np.random.default_rng(boxes), classes, boxes)
    detector = yolo.CompiledDetector(lambda _: [head], stride=32)
    found = detector.detect([np.zeros((96, 96, 3), np.uint8)], imgsz=96, conf=0.3, iou=0.6)[0]
    with quiet_ultralytics():
        suppress = ultralytics("utils.nms").non_max_suppression
        (rows,) = suppress(torch.from_numpy(head)[None], 0.3, 0.6, agnostic=True, max_det=300, end2end=boxes == 6)
    rows[:, :4].clamp_(0, 96)
    assert [(*one.box.edges, one.confidence) for one in found] == sorted(
        (tuple(row[:5]) for row in rows.tolist() if row[0] <= row[2] and row[1] <= row[3]), key=lambda row: -row[4]
    )


BUSY = """
import numpy, psutil, torch
from pipeline import yolo
torch.set_num_threads(4)
head = numpy.random.default_rng(0).random((6, 400)).astype("float32")
detector = yolo.CompiledDetector(lambda _: [head], stride=32)
photo = numpy.zeros((96, 96, 3), "uint8")
detector.detect([photo], imgsz=96, conf=1.0, iou=0.6)
before = psutil.Process().num_threads()
detector.detect([photo], imgsz=96, conf=0.5, iou=0.6)
print(psutil.Process().num_threads() - before)
"""


def test_joining_boxes_sets_no_threads_at_work() -> None:
    command = [sys.executable, "-c", BUSY]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120, cwd=ROOT)
    assert done.stdout.split()[-1] == "0"


def test_average_precision_is_the_area_under_the_curve() -> None:
    def measure(correct: list[bool], *, subjects: int) -> float:
        confidence = np.linspace(0.9, 0.1, len(correct))
        return float(yolo.average_precision(np.array([correct]).T, confidence, subjects=subjects)[0])

    assert measure([True, True], subjects=2) == pytest.approx(1, abs=0.01)
    assert measure([True], subjects=2) == pytest.approx(0.5, abs=0.01)
    assert measure([False, True], subjects=1) == pytest.approx(0.5, abs=0.01)
    assert measure([False, False], subjects=1) == 0
    nothing = yolo.average_precision(np.zeros((0, 10), bool), np.zeros(0), subjects=3)
    assert nothing.tolist() == [0.0] * 10


def test_it_fetches_nothing_behind_ones_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with quiet_ultralytics(), pytest.raises(ConnectionError, match="cropsort lets Ultralytics fetch nothing"):
        ultralytics("models").YOLO("yolo26n.pt")
    assert list(tmp_path.iterdir()) == []
