"""The only module that imports Ultralytics, and what keeps its side effects away from the user.

Importing Ultralytics replaces ``PIL.Image.open``, ``torch.save`` and OpenCV's readers, changes thread counts and how
numpy prints, writes a settings file, and is ready to install packages, to fetch models and fonts, and to send usage
events. So it is imported inside functions, with the environment set first, and what it replaced is put back.
"""

from __future__ import annotations

import importlib
import os
import pickle
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from pipeline.boxes import Box
from pipeline.errors import ConfigError, CropsortError, WeightsError
from pipeline.files import replacing
from pipeline.images import Pixels
from pipeline.results import Detection

DETECT, CLASSIFY = "detect", "classify"

_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",
}
_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "vscode_msg", "openvino_msg")
_MOST_SUBJECTS = 300
_SCORES = ("mAP50", "mAP50-95")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights of a model, with what is needed to build it.

    Args:
        model_name: architecture, such as ``yolov5n``.
        task: ``detect`` or ``classify``, or another of Ultralytics'.
        tensors: weights and buffers by name.
    """

    model_name: str
    task: str
    tensors: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Epoch:
    """Where training stands after an epoch.

    Args:
        number: counted from 1.
        epochs: how many there are at most.
        losses: mean training losses by name.
        scores: on val, by name.
    """

    number: int
    epochs: int
    losses: Mapping[str, float]
    scores: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class DetectorJob:
    """A training of the detector.

    Args:
        model_name: an Ultralytics detection model.
        tensors: weights to start from; those that fit are taken.
        data: a data.yaml of Ultralytics' own, with photos that may be written to.
        folder: where checkpoints, curves and pictures go.
        imgsz, batch, nbs, epochs, patience, seed: Ultralytics' settings of these names; ``nbs`` is the nominal batch
            that gradients are accumulated to.
        lr0: first learning rate of AdamW; None leaves optimiser and rate to Ultralytics.
        device: ``cpu``, ``mps`` or the number of a GPU.
        on_step: called after each training step with the part of all steps that is done, 0 to 1.
        on_epoch: called after each epoch.
    """

    model_name: str
    tensors: Mapping[str, Tensor] = field(repr=False)
    data: Path
    folder: Path
    imgsz: int
    batch: int
    nbs: int
    epochs: int
    patience: int
    seed: int
    lr0: float | None
    device: str
    on_step: Callable[[float], None]
    on_epoch: Callable[[Epoch], None]


class Detector:
    """A trained detector, ready to use.

    Args:
        weights: a checkpoint of Ultralytics' own.
        device: ``cpu``, ``mps`` or the number of a GPU.

    Raises:
        WeightsError: the file is missing or holds no detector.
    """

    def __init__(self, weights: Path, *, device: str) -> None:
        if read_checkpoint(weights).task != DETECT:
            raise WeightsError("not a detector", where=weights, remedy="train one: make train")
        with _quiet_import():
            self._model = _ultralytics("models").YOLO(weights)
        self._device = device
        threads = torch.get_num_threads()
        self._model.add_callback("on_predict_start", lambda _: torch.set_num_threads(threads))

    def detect(self, pixels: Pixels, *, imgsz: int, conf: float, iou: float) -> list[Detection]:
        """Find subjects.

        Args:
            pixels: upright RGB, shape (height, width, 3).
            imgsz: longer side that the network sees, pixels.
            conf: lowest confidence, 0 to 1.
            iou: overlap above which two detections are one, 0 to 1.

        Returns:
            Boxes in pixels of ``pixels``, the surest first.
        """
        settings = {"imgsz": imgsz, "conf": conf, "iou": iou, "device": self._device, "agnostic_nms": True}
        bgr = np.ascontiguousarray(pixels[..., ::-1])
        found = self._model.predict(bgr, verbose=False, max_det=_MOST_SUBJECTS, **settings)[0].boxes
        pairs = zip(found.xyxy.tolist(), found.conf.tolist(), strict=True)
        detections = [Detection(Box(*edges), min(max(confidence, 0.0), 1.0)) for edges, confidence in pairs]
        return sorted(detections, key=lambda detection: -detection.confidence)


def train_detector(job: DetectorJob) -> Path:
    """Train a detector with Ultralytics' trainer; the best epoch on val is kept.

    Returns:
        The checkpoint of the best epoch.

    Raises:
        CropsortError: the training ended without weights.
    """
    with _quiet_import(), _quiet_drawing(), _threads_kept() as threads:
        trainer = _trainer_class(job)(overrides=_trainer_settings(job))
        trainer.add_callback("on_train_start", lambda _: torch.set_num_threads(threads))
        trainer.add_callback("on_train_batch_end", _step_reporter(job))
        trainer.add_callback("on_fit_epoch_end", _epoch_reporter(job))
        trainer.train()
        best = Path(trainer.best)
    if not best.exists():
        raise CropsortError("the training of the detector ended without weights", where=job.folder)
    return best


def build_detector(model_name: str, *, class_count: int) -> nn.Module:
    """A detector with random weights.

    Raises:
        ConfigError: Ultralytics knows no detection model of that name.
    """
    model: nn.Module = _build(model_name, DETECT, class_count)
    return model


def build_classifier(model_name: str, *, class_count: int) -> nn.Module:
    """A classifier with random weights, for images of shape (batch, 3, side, side), 0 to 1; see ``logits``.

    Raises:
        ConfigError: Ultralytics knows no classification model of that name.
    """
    model: nn.Module = _build(model_name, CLASSIFY, class_count)
    return model


def logits(output: Tensor | tuple[Tensor, Tensor]) -> Tensor:
    """What a classifier's output says before softmax, shape (batch, classes).

    Ultralytics' classifiers give logits in training, and a pair of probabilities and logits after it.
    """
    return output[1] if isinstance(output, tuple) else output


def read_checkpoint(path: Path) -> Checkpoint:
    """Read weights that cropsort or Ultralytics wrote, without running anything that the file names.

    Raises:
        WeightsError: no such file, or something else in it.
    """
    if not path.is_file():
        raise WeightsError("no such file", where=path, remedy="check the spelling, or train: make train")
    try:
        return _read_own(path) or _read_ultralytics(path)
    except Exception as error:  # unpicklers raise anything on a file that is something else
        remedy = "name a .pt that Ultralytics or cropsort wrote"
        raise WeightsError("not weights of an Ultralytics model", where=path, remedy=remedy) from error


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write weights as tensors and texts only, which ``torch.load`` reads with ``weights_only``.

    Raises:
        OutputError: it cannot be written there.
    """
    record = {"model_name": checkpoint.model_name, "task": checkpoint.task, "tensors": dict(checkpoint.tensors)}
    buffer = BytesIO()
    torch.save(record, buffer)  # to memory first: on a full disk torch would raise an error of its own
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def transfer(model: nn.Module, tensors: Mapping[str, Tensor]) -> int:
    """Copy the tensors whose name and shape fit into ``model``.

    Returns:
        How many were copied.
    """
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in tensors.items() if name in own and own[name].shape == tensor.shape}
    model.load_state_dict(fitting, strict=False)
    return len(fitting)


def known_weights() -> frozenset[str]:
    """Names of the weights that Ultralytics publishes, such as ``yolov5nu.pt``."""
    with _quiet_import():
        return frozenset(_ultralytics("utils.downloads").GITHUB_ASSETS_NAMES)


def average_precision(
    correct: NDArray[np.bool_], confidence: NDArray[np.float64], *, subjects: int
) -> NDArray[np.float64]:
    """Average precision of one class, the area under the interpolated precision-recall curve as COCO defines it.

    Args:
        correct: shape (detections, thresholds), whether each detection is right at each IoU threshold.
        confidence: shape (detections,).
        subjects: number of true boxes, at least one.

    Returns:
        Shape (thresholds,), 0 to 1.
    """
    if not len(confidence):
        return np.zeros(correct.shape[1])
    with _quiet_import():
        metrics = _ultralytics("utils.metrics")
        classes = np.zeros(len(confidence)), np.zeros(subjects)
        by_class: list[NDArray[np.float64]] = list(metrics.ap_per_class(correct, confidence, *classes)[5])
    return by_class[0]


def _read_own(path: Path) -> Checkpoint | None:
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # names classes: Ultralytics' own format
        return None
    if "tensors" not in record:  # as well, once Ultralytics has told torch that its classes are safe
        return None
    tensors = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in record["tensors"].items()
    }
    return Checkpoint(record["model_name"], record["task"], tensors)


def _read_ultralytics(path: Path) -> Checkpoint:
    with _quiet_import():
        tasks = _ultralytics("nn.tasks")
        loaded, _ = tasks.torch_safe_load(str(path), safe_only=True)
        model = loaded.get("ema") or loaded["model"]
        name = Path(model.yaml["yaml_file"]).stem
        return Checkpoint(name, tasks.guess_model_task(model), model.float().state_dict())


def _ultralytics(module: str) -> Any:
    return importlib.import_module(f"ultralytics.{module}")


@cache
def _private_folder() -> Path:
    """Where Ultralytics keeps settings and fonts for us: not among the user's own settings of it."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cropsort"
    try:
        (base / "Ultralytics").mkdir(parents=True, exist_ok=True)
        if os.access(base, os.W_OK):
            return base
    except OSError:  # a home that may not be written to, as in a container
        pass
    return Path(tempfile.mkdtemp(prefix="cropsort-"))


@contextmanager
def _quiet_import() -> Iterator[None]:
    """Have Ultralytics imported, offline and silent, and everything it replaces put back afterwards."""
    kept = Image.open, torch.save, cv2.imread, cv2.imwrite, cv2.imshow
    cv_threads, printing = cv2.getNumThreads(), np.get_printoptions()
    omp = os.environ.get("OMP_NUM_THREADS")
    with _threads_kept():
        _import_once()
        try:
            yield
        finally:
            Image.open, torch.save, cv2.imread, cv2.imwrite, cv2.imshow = kept
            cv2.setNumThreads(cv_threads)
            np.set_printoptions(**printing)
            torch.set_printoptions(profile="default")  # type: ignore[no-untyped-call]  # torch gives it no types
            if omp is None:
                os.environ.pop("OMP_NUM_THREADS", None)


@cache
def _import_once() -> None:
    os.environ.update(_ENVIRONMENT)
    os.environ.setdefault("YOLO_CONFIG_DIR", str(_private_folder()))
    utils = _ultralytics("utils")
    utils.SETTINGS.update(dict.fromkeys(("sync", *_INTEGRATIONS), False))
    _provide_fonts(Path(utils.USER_CONFIG_DIR))


def _provide_fonts(folder: Path) -> None:
    """Put the font that it would fetch where it looks first."""
    import matplotlib as mpl

    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), folder / name)


@contextmanager
def _threads_kept() -> Iterator[int]:
    """Ultralytics trains on all cores but one, on two cores on half of them; use them all, and leave it so."""
    threads = torch.get_num_threads()
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _quiet_drawing() -> Iterator[None]:
    """Ultralytics draws in threads of its own: on a full disk training says so, and needs no traceback of theirs."""
    hook = threading.excepthook
    threading.excepthook = lambda failed: None if isinstance(failed.exc_value, OSError) else hook(failed)
    try:
        yield
    finally:
        for thread in threading.enumerate():
            if thread.name.endswith("(plot_images)"):
                thread.join()
        threading.excepthook = hook


def _build(model_name: str, task: str, class_count: int) -> Any:
    with _quiet_import():
        tasks = _ultralytics("nn.tasks")
        try:
            settings = tasks.yaml_model_load(f"{model_name}.yaml")
            found = DETECT if _is_rtdetr(model_name) else tasks.guess_model_task(settings)
        except (OSError, KeyError, NotImplementedError) as error:
            raise _unknown_model(model_name, task) from error
        if found != task:
            raise _unknown_model(model_name, task)
        detector = tasks.RTDETRDetectionModel if _is_rtdetr(model_name) else tasks.DetectionModel
        kind = tasks.ClassificationModel if task == CLASSIFY else detector
        return kind(settings, nc=class_count, verbose=False)


def _is_rtdetr(model_name: str) -> bool:
    """RT-DETR has classes of its own in Ultralytics, which does not know the task of its settings."""
    return model_name.startswith("rtdetr")


def _unknown_model(model_name: str, task: str) -> ConfigError:
    example = "yolov5n, yolo11n or yolo26s" if task == DETECT else "yolo11n-cls or yolov8s-cls"
    kind = "detection" if task == DETECT else "classification"
    return ConfigError(f"Ultralytics has no {kind} model '{model_name}'", expected=f"a name such as {example}")


def _trainer_class(job: DetectorJob) -> Any:
    """Ultralytics' trainer for the model, starting from our tensors instead of a file."""
    build_detector(job.model_name, class_count=1)  # says in one line where there is no such model
    if _is_rtdetr(job.model_name):
        parent = _ultralytics("models.rtdetr.train").RTDETRTrainer
    else:
        parent = _ultralytics("models.yolo.detect.train").DetectionTrainer

    class Trainer(parent):  # type: ignore[misc, valid-type]  # the parent is known only now
        def get_model(self, cfg: Any = None, weights: Any = None, verbose: bool = True) -> Any:  # noqa: ARG002 - its signature
            model = super().get_model(cfg, None, verbose=False)
            transfer(model, job.tensors)
            return model

    return Trainer


def _trainer_settings(job: DetectorJob) -> dict[str, object]:
    return {
        "model": f"{job.model_name}.yaml",
        "data": str(job.data),
        "project": str(job.folder.parent.resolve()),
        "name": job.folder.name,
        "exist_ok": True,
        "imgsz": job.imgsz,
        "batch": job.batch,
        "nbs": job.nbs,
        "epochs": job.epochs,
        "patience": job.patience,
        "seed": job.seed,
        "device": job.device,
        "close_mosaic": min(10, job.epochs // 3),
        "pretrained": False,
        "plots": True,
        "verbose": False,
        **({} if job.lr0 is None else {"optimizer": "AdamW", "lr0": job.lr0, "warmup_epochs": 1}),
    }


def _step_reporter(job: DetectorJob) -> Callable[[Any], None]:
    done = 0

    def report(trainer: Any) -> None:
        nonlocal done
        done += 1
        job.on_step(min(1.0, done / (len(trainer.train_loader) * job.epochs)))

    return report


def _epoch_reporter(job: DetectorJob) -> Callable[[Any], None]:
    def report(trainer: Any) -> None:
        if trainer.epoch >= job.epochs or trainer.tloss is None:
            return  # the last call is the final scoring, not an epoch
        losses = {name: float(value) for name, value in trainer.tloss.items()}
        scores = {name: float(trainer.metrics[f"metrics/{name}(B)"]) for name in _SCORES}
        job.on_epoch(Epoch(trainer.epoch + 1, job.epochs, losses, scores))

    return report
