"""Results in MegaDetector's format, which tools for camera traps read, such as Timelapse.

The format is described at https://lila.science/megadetector-output-format; this is version 1.5 of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from pipeline.files import replacing
from pipeline.json_lists import dump, write_list
from pipeline.results import KEPT_CLASSES, PhotoResult, Prediction
from pipeline.run_info import RunInfo

FILE = "megadetector.json"

_SUBJECT = "1"
"""The detector's only category: the classes are the classifier's. 0 is kept for "empty"."""


def write_megadetector(results: Iterable[PhotoResult], folder: Path, run: RunInfo) -> Path:
    """Write ``megadetector.json``, whole or not at all.

    A photo that could not be sorted has its ``failure``; files that are no photos are left out.

    Args:
        results: those of a run, gone through once.
        folder: the report's.
        run: what was run.

    Returns:
        The file.

    Raises:
        OutputError: it cannot be written there.
    """
    path, numbers = folder / FILE, _Numbers(run.class_names)
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n") as out:
        out.write(f'{{"info": {dump(_info(run))},\n"detection_categories": {dump({_SUBJECT: "subject"})},\n"images": ')
        write_list(out, _images(results, numbers))
        out.write(f',\n"classification_categories": {dump(numbers.names())}}}\n')
    return path


class _Numbers:
    """The classifier's categories: those of the run, and any other that the results name."""

    def __init__(self, class_names: Iterable[str]) -> None:
        self._numbers = {name: str(number) for number, name in enumerate(dict.fromkeys(class_names))}

    def find(self, name: str) -> str:
        return self._numbers.setdefault(name, str(len(self._numbers)))

    def names(self) -> dict[str, str]:
        return {number: name for name, number in self._numbers.items()}


def _info(run: RunInfo) -> dict[str, Any]:
    finished = (run.finished or datetime.now()).replace(tzinfo=None).isoformat(" ", "seconds")
    return {
        "format_version": "1.5",
        "detector": f"{run.weights.name}/detector.pt",
        "detection_completion_time": finished,
        "classifier": " + ".join(f"{weights.name}/classifier.pt" for weights in (run.weights, *run.further_weights)),
        "classification_completion_time": finished,
        "detector_metadata": {
            "typical_detection_threshold": round(run.confidence, 4),
            "conservative_detection_threshold": round(run.confidence, 4),
        },
        "cropsort_version": run.cropsort_version,
    }


def _images(results: Iterable[PhotoResult], numbers: _Numbers) -> Iterator[dict[str, Any]]:
    for result in results:
        if result.status in ("ok", "empty"):
            yield {"file": result.photo, "detections": [_detection(one, result, numbers) for one in result.predictions]}
        elif result.status != "unsupported":
            yield {"file": result.photo, "detections": None, "failure": f"{result.status}: {result.error}"}


def _detection(one: Prediction, result: PhotoResult, numbers: _Numbers) -> dict[str, Any]:
    assert result.size is not None  # what was found in a photo has a size
    width, height = result.size
    box = one.detection.box.clipped(width, height)
    corner_and_size = box.left / width, box.top / height, box.width / width, box.height / height
    named = one.ranking[:KEPT_CLASSES]
    return {
        "category": _SUBJECT,
        "conf": round(one.detection.confidence, 4),
        "bbox": [round(part, 5) for part in corner_and_size],
        "classifications": [[numbers.find(name), round(one.probabilities[name], 4)] for name in named],
    }
