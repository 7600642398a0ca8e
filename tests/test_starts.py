"""Where training starts from, and that a file handed over by somebody runs nothing."""

from __future__ import annotations

import os
import pickle
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import NoReturn

import pytest
import torch

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.errors import ConfigError, WeightsError
from pipeline.settings import ClassifierSettings, DetectorSettings
from pipeline.starts import Start, list_candidates, read_start, read_yolov5
from pipeline.training import Training

_SMALL = "mobilenetv3_small_050"


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, folder: Path) -> None:
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return os.mkdir, (self.folder,)


def save_zip(record: object, path: Path) -> None:
    torch.save(record, path)


def save_legacy(record: object, path: Path) -> None:
    torch.save(record, path, _use_new_zipfile_serialization=False)


def save_pickle(record: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(record))


def detector(start: str | Path, *, model_name: str | None = None, default: str = "yolov5n") -> Start:
    return read_start(str(start), task=yolo.DETECT, model_name=model_name, default_model=default)


def classifier(start: str | Path, *, model_name: str | None = None) -> Start:
    return read_start(str(start), task=yolo.CLASSIFY, model_name=model_name, default_model="yolo11n-cls")


@pytest.fixture
def coco(shared: Path) -> Path:
    return shared / "weights" / "yolov5n-coco.pt"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def refuse(*_: object) -> NoReturn:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.chdir(tmp_path)


def test_yolov5s_own_file_fits(coco: Path) -> None:
    start = detector(coco, default="yolo11n")
    assert start.model_name == "yolov5n"
    assert start.told == "yolov5n from yolov5n-coco.pt, YOLOv5's own format: 342 of its 349 tensors match"
    model = yolo.build_detector("yolov5n", class_count=1)
    assert yolo.transfer(model, start.tensors) == 342
    assert torch.equal(model.state_dict()["model.0.conv.weight"], start.tensors["model.0.conv.weight"])
    assert start.tensors["model.0.conv.weight"].std() > 0.01


@pytest.mark.parametrize("part", [0.999, 0.9, 0.5, 0.1, 0.001])
def test_truncated_yolov5_file_is_refused(coco: Path, tmp_path: Path, part: float) -> None:
    data = coco.read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: int(len(data) * part)])
    for read in (detector, read_yolov5, yolo.read_checkpoint):
        with pytest.raises(WeightsError, match=r"cut\.pt"):
            read(tmp_path / "cut.pt")


@pytest.mark.parametrize("save", [save_zip, save_legacy, save_pickle])
@pytest.mark.parametrize("looks", ["bare", "like Ultralytics' own", "like YOLOv5's own", "like our own"])
def test_nothing_that_a_file_names_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, save: Callable[[object, Path], None], looks: str
) -> None:
    folder, path = tmp_path / "trapped", tmp_path / "gift.pt"
    trap = Trap(folder)
    module = ModuleType("models.yolo")
    kind = type("Model", (), {"__module__": "models.yolo"})
    monkeypatch.setattr(module, "Model", kind, raising=False)
    monkeypatch.setitem(sys.modules, "models", ModuleType("models"))
    monkeypatch.setitem(sys.modules, "models.yolo", module)
    records = {
        "bare": trap,
        "like Ultralytics' own": {"model": trap, "ema": None},
        "like YOLOv5's own": {"model": kind(), "extra": trap},
        "like our own": {"model_name": "yolov5n", "task": "detect", "tensors": {"a": trap}},
    }
    save(records[looks], path)
    for read in (detector, classifier, read_yolov5, yolo.read_checkpoint):
        with pytest.raises(WeightsError, match=r"gift\.pt"):
            read(path)
    assert not folder.exists()
    torch.load(path, weights_only=False) if save is not save_pickle else pickle.loads(path.read_bytes())
    assert folder.exists()  # the trap was a real one


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"\x80\x02}q\x00.", bytes(1000), "한글\n".encode()])
def test_what_are_no_weights_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "no.pt").write_bytes(data)
    for read in (detector, classifier, read_yolov5, yolo.read_checkpoint):
        with pytest.raises(WeightsError, match=r"no\.pt"):
            read(tmp_path / "no.pt")


@pytest.mark.parametrize("part", [0.99, 0.5, 0.01])
@pytest.mark.parametrize("name", ["detector.pt", "classifier.pt"])
def test_truncated_weights_are_refused(trained: Training, tmp_path: Path, name: str, part: float) -> None:
    data = (trained.weights / name).read_bytes()
    (tmp_path / "cut.pt").write_bytes(data[: int(len(data) * part)])
    with pytest.raises(WeightsError, match=r"not weights of an Ultralytics model - name a \.pt"):
        detector(tmp_path / "cut.pt")


def test_detector_and_classifier_are_told_apart(trained: Training) -> None:
    with pytest.raises(WeightsError, match="this is a classifier - expected a detector"):
        detector(trained.weights / "classifier.pt")
    with pytest.raises(WeightsError, match="this is a detector - expected a classifier"):
        classifier(trained.weights / "detector.pt")


def test_yolov5s_own_file_is_no_classifier(coco: Path) -> None:
    with pytest.raises(WeightsError, match="this is a detector - expected a classifier"):
        classifier(coco)


def test_model_follows_the_file_unless_data_yaml_names_one(trained: Training) -> None:
    file = trained.weights / "detector.pt"
    followed = detector(file, default="yolo11s")
    assert followed.model_name == "yolov5n"
    assert followed.told.startswith("yolov5n from detector.pt: ")
    assert detector(file, model_name="yolov5s").model_name == "yolov5s"


def test_file_that_fits_the_model_nowhere_is_refused(tmp_path: Path) -> None:
    yolo.write_checkpoint(tmp_path / "odd.pt", yolo.Checkpoint("yolov5n", yolo.DETECT, {"odd": torch.zeros(1)}))
    with pytest.raises(WeightsError, match="none of its 1 tensors fits yolov5n - leave 'model' out"):
        detector(tmp_path / "odd.pt")


def test_missing_file_is_said(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"gone\.pt - no such file - check the spelling"):
        detector(tmp_path / "gone.pt")


@pytest.mark.usefixtures("offline")
def test_name_that_nobody_publishes_is_said() -> None:
    with pytest.raises(WeightsError, match=r"yolov5q\.pt - no such file, and no weights that Ultralytics publishes"):
        detector("yolov5q")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("name", "file", "model"),
    [
        ("yolov5n", "yolov5nu.pt", "yolov5n"),
        ("yolov5nu.pt", "yolov5nu.pt", "yolov5n"),
        ("yolov5s6.pt", "yolov5s6u.pt", "yolov5s6"),
        ("yolo11s", "yolo11s.pt", "yolo11s"),
    ],
)
def test_published_name_without_network_goes_on_and_says_so(
    name: str, file: str, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = detector(name)
    assert f"fetching {file} from https://" in capsys.readouterr().err
    assert start.model_name == model
    assert start.told.startswith(f"{file} is not on disk and could not be fetched; put it into weights/start")
    assert f"Going on with {model} " in start.told
    assert list(Path().rglob("*.pt*")) == []


@pytest.mark.usefixtures("offline")
def test_fetched_weights_are_found_again_by_name(trained: Training) -> None:
    Path("weights/start").mkdir(parents=True)
    Path("weights/start/yolov5nu.pt").write_bytes((trained.weights / "detector.pt").read_bytes())
    assert detector("yolov5n").told.startswith("yolov5n from yolov5nu.pt: ")


def test_scratch_is_scratch() -> None:
    start = detector("scratch", model_name="yolov5s")
    assert (start.model_name, dict(start.tensors)) == ("yolov5s", {})
    assert start.told == "yolov5s from scratch, as data.yaml says"


def test_auto_without_shipped_weights_is_scratch_and_says_so() -> None:
    start = detector("auto", model_name="yolov9e")
    assert not start.tensors
    assert start.told == "yolov9e from scratch, as no weights for it are on disk: it will take longer"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize(
    ("model", "file", "going_on"),
    [
        (None, "yolo11n-cls.pt", "yolo11n-cls from yolo11n-cls-drawn.pt: 234 of its 236 tensors match"),
        ("yolo11s-cls", "yolo11s-cls.pt", "yolo11s-cls from scratch, as no weights for it are on disk"),
        (_SMALL, f"{_SMALL}.pt", f"{_SMALL} from scratch, as no weights for it are on disk"),
        (f"{_SMALL}.lamb_in1k", f"{_SMALL}.lamb_in1k.pt", f"{_SMALL}.lamb_in1k from scratch"),
    ],
)
def test_published_classifier_without_network_goes_on_and_says_so(
    model: str | None, file: str, going_on: str, capsys: pytest.CaptureFixture[str]
) -> None:
    start = classifier("pretrained", model_name=model)
    assert capsys.readouterr().err.startswith(f"fetching {file} from https://")
    assert start.told.startswith(f"{file} is not on disk and could not be fetched; ")
    assert f"weights/start/ to start from it. Going on with {going_on}" in start.told
    assert list(Path().rglob("*.pt*")) == []


@pytest.mark.usefixtures("offline")
def test_published_detector_is_fetched_under_its_published_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert detector("pretrained").told.endswith(
        "Going on with yolov5n from yolov5n-drawn.pt: 427 of its 427 tensors match"
    )
    assert capsys.readouterr().err.startswith("fetching yolov5nu.pt from https://")


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("start", ["pretrained", _SMALL, f"{_SMALL}.pt"])
def test_weights_that_were_fetched_for_a_backbone_are_found_again(start: str) -> None:
    tensors = build_backbone(_SMALL, class_count=1000).state_dict()
    yolo.write_checkpoint(Path("weights", "start", f"{_SMALL}.pt"), yolo.Checkpoint(_SMALL, yolo.CLASSIFY, tensors))
    told = f"{_SMALL} from {_SMALL}.pt: {len(tensors) - 2} of its {len(tensors)} tensors match"
    assert classifier(start, model_name=_SMALL if start == "pretrained" else None).told == told
    assert classifier("auto", model_name=_SMALL).told == told


def test_file_of_a_timm_backbone_is_a_start(tmp_path: Path) -> None:
    tensors = build_backbone(_SMALL, class_count=3).state_dict()
    yolo.write_checkpoint(tmp_path / "own.pt", yolo.Checkpoint(_SMALL, yolo.CLASSIFY, tensors))
    start = classifier(tmp_path / "own.pt")
    assert (start.model_name, start.complete) == (_SMALL, False)
    assert start.told == f"{_SMALL} from own.pt: {len(tensors) - 2} of its {len(tensors)} tensors match"
    with pytest.raises(WeightsError, match=r"own\.pt - none of its .* tensors fits yolo11n-cls"):
        classifier(tmp_path / "own.pt", model_name="yolo11n-cls")


def test_auto_says_that_there_are_published_weights_for_a_backbone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    scratch = "from scratch, as no weights for it are on disk: it will take longer"
    assert classifier("auto", model_name=_SMALL).told == (
        f"{_SMALL} {scratch}; 'start: pretrained' fetches published ones"
    )
    assert classifier("auto", model_name="yolo11s-cls").told == f"yolo11s-cls {scratch}"
    assert classifier("scratch", model_name=_SMALL).told == f"{_SMALL} from scratch, as data.yaml says"


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("start", ["auto", "scratch", "pretrained"])
def test_backbone_with_a_typo_is_refused_at_once_with_near_names(start: str) -> None:
    with pytest.raises(ConfigError, match=r"no.* model 'efficientnet_b44' .* such as efficientnet_b4,"):
        classifier(start, model_name="efficientnet_b44")


@pytest.mark.usefixtures("offline")
def test_start_with_a_typo_is_refused_with_near_names() -> None:
    with pytest.raises(ConfigError, match="classification model 'resnett18' - expected a name such as resnet18,"):
        classifier("resnett18")


@pytest.mark.usefixtures("offline")
def test_weights_that_nobody_publishes_are_not_fetched() -> None:
    with pytest.raises(WeightsError, match=r"yolov8-cls-resnet50\.pt - no such file, and no weights that Ultralytics"):
        classifier("pretrained", model_name="yolov8-cls-resnet50")
    with pytest.raises(WeightsError, match="cspresnet50d - timm publishes no weights for it - set start: auto"):
        classifier("pretrained", model_name="cspresnet50d")


def test_models_to_choose_from_follow_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    family = tuple(f"yolo11{scale}-cls" for scale in "nsmlx")
    assert list_candidates("classifier", ClassifierSettings()) == family[:1]
    assert list_candidates("classifier", ClassifierSettings(start="scratch")) == family
    assert list_candidates("classifier", ClassifierSettings(start="pretrained")) == family
    assert list_candidates("classifier", ClassifierSettings(model=_SMALL)) == (_SMALL,)
    assert list_candidates("detector", DetectorSettings(model="yolo11s")) == ("yolo11s",)


def test_backbone_with_a_typo_is_refused_before_anything_is_measured() -> None:
    for settings in ({"model": "xeption41"}, {"ensemble": ["xeption41"]}):
        with pytest.raises(ConfigError, match="'xeption41' - expected a name such as xception41"):
            list_candidates("classifier", ClassifierSettings.model_validate(settings))
