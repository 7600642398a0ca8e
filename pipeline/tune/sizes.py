"""Image sizes that the data asks for, and families of models from small to large."""

from __future__ import annotations

import re

from pipeline.tune.trials import Facts, Stage

STRIDE = 32
"""Every image size is a multiple of it, since the networks halve their images five times."""

SMALLEST_BOX = 24
"""Pixels that the shorter side of a small box keeps: three cells of the detector's finest map."""

DETECTOR_SIZES = 320, 1280
CLASSIFIER_SIZES = 96, 224

_MODEL = re.compile(r"(?P<series>yolov?\d+)(?P<scale>[a-z])(?P<tail>6?(-.*)?)")
_SCALES = {"yolov9": "tsmce", "yolov10": "nsmblx"}


def choose_imgsz(stage: Stage, facts: Facts, pinned: int | None) -> tuple[int, str]:
    """Image size in pixels by rule 1, and why.

    Raises:
        ValueError: none is pinned for prediction, where the weights were trained at one.
    """
    if pinned is not None:
        return pinned, f"image size {pinned}: {'that of the weights' if stage == 'prediction' else 'as pinned'}"
    if stage == "prediction":
        raise ValueError("for prediction the weights say the image size")
    return _choose_for_boxes(facts) if stage == "detector" else _choose_for_subjects(facts)


def _choose_for_boxes(facts: Facts) -> tuple[int, str]:
    least, most = DETECTOR_SIZES
    wanted = nearest_sizes(SMALLEST_BOX / facts.smallest)[1]
    photos = nearest_sizes(facts.side)[1]
    size = min(max(wanted, least), most, photos)
    kept = facts.smallest * size
    if size == wanted:
        return size, f"image size {size}: the smallest boxes (5 %) keep {SMALLEST_BOX} pixels"
    if size == photos:
        return size, f"image size {size}: photos are no larger; the smallest boxes (5 %) keep {kept:.0f} pixels"
    bound = "least" if size == least else "most"
    return size, f"image size {size}: the {bound} that is used; the smallest boxes (5 %) keep {kept:.0f} pixels"


def _choose_for_subjects(facts: Facts) -> tuple[int, str]:
    least, most = CLASSIFIER_SIZES
    lower, upper = nearest_sizes(facts.side)
    nearest = upper if facts.side - lower >= upper - facts.side else lower
    size = min(max(nearest, least), most)
    bound = "" if size == nearest else f"the {'least' if size == least else 'most'} that is used; "
    return size, f"image size {size}: {bound}half of the subjects are no longer than {facts.side} pixels"


def nearest_sizes(size: float) -> tuple[int, int]:
    """The multiples of the stride at or below and at or above a size in pixels, each at least one stride."""
    lower = max(1, int(size // STRIDE)) * STRIDE
    return lower, max(1, -int(-size // STRIDE)) * STRIDE


def family(model_name: str) -> tuple[str, ...]:
    """Models that differ from this one in their size only, small to large, itself included.

    ``yolov5n6`` gives ``yolov5n6`` to ``yolov5x6``, ``yolo11s-cls`` gives ``yolo11n-cls`` to ``yolo11x-cls``; a name
    without a letter for the size, such as ``rtdetr-l``, is a family of its own.
    """
    found = _MODEL.fullmatch(model_name)
    scales = "" if found is None else _SCALES.get(found["series"], "nsmlx")
    if found is None or found["scale"] not in scales:
        return (model_name,)
    return tuple(f"{found['series']}{scale}{found['tail']}" for scale in scales)
