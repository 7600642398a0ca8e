"""Networks of Ultralytics' architectures, with random weights."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.yolo.checkpoints import CLASSIFY, DETECT
from pipeline.yolo.guard import quiet_ultralytics, ultralytics


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


def is_rtdetr(model_name: str) -> bool:
    """RT-DETR has classes of its own in Ultralytics, which does not know the task of its settings."""
    return model_name.startswith("rtdetr")


def _build(model_name: str, task: str, class_count: int) -> Any:
    with quiet_ultralytics():
        tasks = ultralytics("nn.tasks")
        try:
            settings = tasks.yaml_model_load(f"{model_name}.yaml")
            found = DETECT if is_rtdetr(model_name) else tasks.guess_model_task(settings)
        except (OSError, KeyError, NotImplementedError) as error:
            raise _unknown_model(model_name, task) from error
        if found != task:
            raise _unknown_model(model_name, task)
        detector = tasks.RTDETRDetectionModel if is_rtdetr(model_name) else tasks.DetectionModel
        kind = tasks.ClassificationModel if task == CLASSIFY else detector
        return kind(settings, nc=class_count, verbose=False)


def _unknown_model(model_name: str, task: str) -> ConfigError:
    example = "yolov5n, yolo11n or yolo26s" if task == DETECT else "yolo11n-cls or yolov8s-cls"
    kind = "detection" if task == DETECT else "classification"
    return ConfigError(f"Ultralytics has no {kind} model '{model_name}'", expected=f"a name such as {example}")
