"""The networks that a classifier can be made of."""

from __future__ import annotations

from torch import nn

from pipeline import yolo


def build_backbone(model_name: str, *, class_count: int) -> nn.Module:
    """A network with random weights from images (batch, 3, side, side), 0 to 1, to what ``yolo.logits`` takes.

    Other families of backbones get their place here.
    """
    return yolo.build_classifier(model_name, class_count=class_count)
