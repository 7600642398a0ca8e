"""The only package that imports Ultralytics; see ``guard`` for what that takes."""

from __future__ import annotations

from pipeline.yolo.checkpoints import (
    CLASSIFY,
    DETECT,
    Checkpoint,
    known_weights,
    read_checkpoint,
    transfer,
    write_checkpoint,
)
from pipeline.yolo.inference import Detector, average_precision
from pipeline.yolo.models import build_classifier, build_detector, logits
from pipeline.yolo.training import DetectorJob, Epoch, train_detector, train_detector_apart

__all__ = [
    "CLASSIFY",
    "DETECT",
    "Checkpoint",
    "Detector",
    "DetectorJob",
    "Epoch",
    "average_precision",
    "build_classifier",
    "build_detector",
    "known_weights",
    "logits",
    "read_checkpoint",
    "train_detector",
    "train_detector_apart",
    "transfer",
    "write_checkpoint",
]
