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
from pipeline.yolo.exporting import build_engine, example_images, export_detector, exportable_detector
from pipeline.yolo.inference import CompiledDetector, Detector, average_precision, make_padding
from pipeline.yolo.models import build_classifier, build_detector, logits
from pipeline.yolo.training import DetectorJob, Epoch, train_detector, train_detector_apart

__all__ = [
    "CLASSIFY",
    "DETECT",
    "Checkpoint",
    "CompiledDetector",
    "Detector",
    "DetectorJob",
    "Epoch",
    "average_precision",
    "build_classifier",
    "build_detector",
    "build_engine",
    "example_images",
    "export_detector",
    "exportable_detector",
    "known_weights",
    "logits",
    "make_padding",
    "read_checkpoint",
    "train_detector",
    "train_detector_apart",
    "transfer",
    "write_checkpoint",
]
