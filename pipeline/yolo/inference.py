"""A trained detector at work, and the average precision of what it finds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

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

_PATIENCE_MS = 2000.0
"""Ultralytics joins overlapping boxes photo by photo, and after so long drops those of the photos that are left."""


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

    def detect(self, photos: Sequence[Pixels], *, imgsz: int, conf: float, iou: float) -> list[list[Detection]]:
        """Find subjects in photos of one shape, all at once.

        Args:
            photos: upright RGB, all of the same shape (height, width, 3): others would be shown to the network in
                another size than alone.
            imgsz: longer side that the network sees, pixels.
            conf: lowest confidence, 0 to 1.
            iou: overlap above which two detections are one, whatever their classes, 0 to 1.

        Returns:
            For each photo, boxes in its pixels, the surest first.

        Raises:
            ValueError: the photos differ in shape.
        """
        found = self.detect_classes(photos, imgsz=imgsz, conf=conf, iou=iou)
        return [[detection for detection, _ in some] for some in found]

    def detect_classes(
        self, photos: Sequence[Pixels], *, imgsz: int, conf: float, iou: float
    ) -> list[list[tuple[Detection, int]]]:
        """The same, each detection with the number of its class."""
        if not photos:
            return []
        shapes = sorted({photo.shape for photo in photos})
        if len(shapes) > 1:
            raise ValueError(f"photos of one shape are wanted, got {', '.join(map(str, shapes))}")
        settings = {"imgsz": imgsz, "conf": conf, "iou": iou, "device": self._device, "agnostic_nms": True}
        bgr = [np.ascontiguousarray(photo[..., ::-1]) for photo in photos]
        results = self._model.predict(bgr, verbose=False, max_det=_MOST_SUBJECTS, **settings)
        if len(photos) > 1 and sum(one.speed["postprocess"] for one in results) > _PATIENCE_MS:
            return [one for photo in photos for one in self.detect_classes([photo], imgsz=imgsz, conf=conf, iou=iou)]
        return [_read_boxes(one.boxes) for one in results]


def _read_boxes(found: Any) -> list[tuple[Detection, int]]:
    columns = found.xyxy.tolist(), found.conf.tolist(), found.cls.tolist()
    made = [
        (Detection(Box(*edges), min(max(confidence, 0.0), 1.0)), int(number))
        for edges, confidence, number in zip(*columns, strict=True)
    ]
    return sorted(made, key=lambda one: -one[0].confidence)


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
