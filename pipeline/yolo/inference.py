"""A trained detector at work, in torch or compiled, and the average precision of what it finds."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline.boxes import Box
from pipeline.errors import WeightsError
from pipeline.images import Pixels
from pipeline.results import Detection
from pipeline.yolo.checkpoints import DETECT, read_checkpoint
from pipeline.yolo.guard import quiet_ultralytics, ultralytics

_MOST_SUBJECTS = 300

_END_TO_END = 6
"""Numbers of each box from heads that join overlapping boxes themselves: its edges, confidence and class."""

_PATIENCE_MS = 2000.0
"""Ultralytics joins overlapping boxes photo by photo, and after so long drops those of the photos that are left."""


class Detector:
    """A trained detector, ready to use.

    Args:
        weights: a checkpoint of Ultralytics' own.
        device: ``cpu``, ``mps`` or the number of a GPU.
        half: compute in 16 bits, for NVIDIA GPUs.

    Raises:
        WeightsError: the file is missing or holds no detector.
    """

    mixes_shapes = False

    def __init__(self, weights: Path, *, device: str, half: bool = False) -> None:
        check_detector(weights)
        with quiet_ultralytics():
            self._model = ultralytics("models").YOLO(weights, task=DETECT)
        self._device = device
        self._precision = {"quantize": 16} if half else {}
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
        settings |= self._precision
        bgr = [np.ascontiguousarray(photo[..., ::-1]) for photo in photos]
        results = self._model.predict(bgr, verbose=False, max_det=_MOST_SUBJECTS, **settings)
        if len(photos) > 1 and sum(one.speed["postprocess"] for one in results) > _PATIENCE_MS:
            return [one for photo in photos for one in self.detect_classes([photo], imgsz=imgsz, conf=conf, iou=iou)]
        return [_read_rows(one.boxes.data) for one in results]


class CompiledDetector:
    """A detector whose network another engine runs, with what Ultralytics does before and after it.

    Args:
        network: gives for each image, RGB of shape (height, width, 3), what the detector's head says.
        stride: of the network, pixels.
    """

    mixes_shapes = True

    def __init__(self, network: Callable[[Sequence[Pixels]], list[NDArray[np.float32]]], *, stride: int) -> None:
        self._network = network
        self._make_padding = cache(lambda imgsz: make_padding(imgsz, stride))  # the guard is for the thread that loads
        with quiet_ultralytics():
            self._scale = ultralytics("utils.ops").scale_boxes

    def detect(self, photos: Sequence[Pixels], *, imgsz: int, conf: float, iou: float) -> list[list[Detection]]:
        """As ``Detector.detect`` does, of photos of any shapes: each is shown to the network by itself."""
        pad = self._make_padding(imgsz)
        padded = [pad(photo) for photo in photos]
        outputs = self._network(padded)
        return [
            [one for one, _ in self._read(output, image.shape, photo.shape, conf, iou)]
            for output, image, photo in zip(outputs, padded, photos, strict=True)
        ]

    def _read(
        self, output: NDArray[np.float32], seen: tuple[int, ...], shape: tuple[int, ...], conf: float, iou: float
    ) -> list[tuple[Detection, int]]:
        rows = _suppress(output, conf, iou)
        rows[:, :4] = self._scale(seen[:2], rows[:, :4], shape)
        return _read_rows(rows)


def _suppress(output: NDArray[np.float32], conf: float, iou: float) -> Tensor:
    """What Ultralytics' ``non_max_suppression`` gives, whatever the classes, of a head's output for one image.

    Its search for the best class sets all of torch's threads at work, which then wait busily for more: a fifth of what
    the network itself takes.

    Args:
        output: shape (4 + classes, boxes), the boxes by middle and size; or (boxes, 6), of a head that suppresses.
        conf: confidence above which a box counts.
        iou: IoU from which boxes are of one subject.

    Returns:
        Shape (subjects, 6): left, top, right, bottom, confidence, class; the surest first.
    """
    if output.shape[-1] == _END_TO_END:
        return torch.from_numpy(output[output[:, 4] > conf][:_MOST_SUBJECTS])
    from torchvision.ops import box_convert, nms

    likely = output[:, output[4:].max(0) > conf]
    boxes, scores, classes = map(torch.from_numpy, (likely[:4].T, likely[4:].max(0), likely[4:].argmax(0)))
    rows = torch.column_stack([box_convert(boxes, "cxcywh", "xyxy"), scores, classes])
    kept: Tensor = rows[nms(rows[:, :4], scores, iou)[:_MOST_SUBJECTS]]
    return kept


def make_padding(imgsz: int, stride: int) -> Callable[[Pixels], Pixels]:
    """What Ultralytics does to a photo alone before its network sees it.

    Args:
        imgsz: longer side that the network sees, pixels; more where it is no multiple of the stride.
        stride: of the network, pixels; the shorter side is filled up to a multiple of it.
    """
    side = math.ceil(imgsz / stride) * stride
    with quiet_ultralytics():
        letterbox = ultralytics("data.augment").LetterBox((side, side), auto=True, stride=stride)
    return lambda photo: np.asarray(letterbox(image=photo), np.uint8)


def check_detector(weights: Path) -> None:
    """See that a file holds a detector.

    Raises:
        WeightsError: it is missing, or holds something else.
    """
    if read_checkpoint(weights).task != DETECT:
        raise WeightsError("not a detector", where=weights, remedy="train one: make train")


def _read_rows(rows: Any) -> list[tuple[Detection, int]]:
    """Of a tensor with left, top, right, bottom, confidence and class in each row.

    Heads that say how far each edge is from a point, as YOLO26's, may say less than nothing: that is no box.
    """
    made = [
        (Detection(Box(left, top, right, bottom), min(max(confidence, 0.0), 1.0)), int(number))
        for left, top, right, bottom, confidence, number in rows.tolist()
        if left <= right and top <= bottom
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
