"""A trained detector at work, and the average precision of what it finds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from pipeline.boxes import Box
from pipeline.errors import WeightsError
from pipeline.images import Pixels
from pipeline.results import Detection
from pipeline.yolo.checkpoints import DETECT, read_checkpoint
from pipeline.yolo.guard import quiet_ultralytics, ultralytics

_MOST_SUBJECTS = 300


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
        with quiet_ultralytics():
            self._model = ultralytics("models").YOLO(weights)
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
    with quiet_ultralytics():
        metrics = ultralytics("utils.metrics")
        classes = np.zeros(len(confidence)), np.zeros(subjects)
        by_class: list[NDArray[np.float64]] = list(metrics.ap_per_class(correct, confidence, *classes)[5])
    return by_class[0]
