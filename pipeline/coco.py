"""Results in COCO's format (Lin et al. 2014), which annotation tools and viewers of data sets read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from pipeline.files import replacing
from pipeline.json_lists import dump, write_list
from pipeline.results import PhotoResult, Prediction
from pipeline.run_info import RunInfo

FILE = "coco.json"


def write_coco(results: Iterable[PhotoResult], folder: Path, run: RunInfo) -> Path:
    """Write ``coco.json``, whole or not at all: ``images``, ``annotations`` and ``categories``, numbered from 1.

    Boxes are left, top, width and height in pixels of the upright photo. An annotation's ``score`` is the detector's
    confidence times the probability of the class: of how much both are right. Photos that could not be sorted are left
    out, as COCO has no way to say so.

    Args:
        results: those of a run, gone through once.
        folder: the report's.
        run: what was run.

    Returns:
        The file.

    Raises:
        OutputError: it cannot be written there.
    """
    path = folder / FILE
    # The annotations come after all images, and there is no telling how many there are.
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="\n") as out,
        tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n", dir=path.parent) as aside,
    ):
        lists = _Lists(aside, run.class_names)
        out.write(f'{{"info": {dump(_info(run))},\n"images": ')
        write_list(out, lists.images(results))
        aside.seek(0)
        out.write(',\n"annotations": [')
        shutil.copyfileobj(aside, out)
        out.write('\n],\n"categories": ')
        write_list(out, lists.categories())
        out.write("}\n")
    return path


class _Lists:
    """The three lists: while the images are gone through, the annotations are written aside."""

    def __init__(self, aside: TextIO, class_names: Sequence[str]) -> None:
        self._aside = aside
        self._numbers = {name: number for number, name in enumerate(dict.fromkeys(class_names), start=1)}
        self._annotations = 0

    def images(self, results: Iterable[PhotoResult]) -> Iterator[dict[str, Any]]:
        read = (result for result in results if result.size is not None and result.status in ("ok", "empty"))
        for number, result in enumerate(read, start=1):
            for prediction in result.predictions:
                self._annotate(number, prediction)
            yield _image(number, result)

    def categories(self) -> Iterator[dict[str, Any]]:
        for name, number in self._numbers.items():
            yield {"id": number, "name": name, "supercategory": "subject"}

    def _annotate(self, image: int, one: Prediction) -> None:
        self._annotations += 1
        box = one.detection.box
        record = {
            "id": self._annotations,
            "image_id": image,
            "category_id": self._numbers.setdefault(one.class_name, len(self._numbers) + 1),
            "bbox": [round(part, 1) for part in (box.left, box.top, box.width, box.height)],
            "area": round(box.area, 1),
            "iscrowd": 0,
            "score": round(one.detection.confidence * one.confidence, 4),
        }
        self._aside.write(("\n" if self._annotations == 1 else ",\n") + dump(record))


def _image(number: int, result: PhotoResult) -> dict[str, Any]:
    assert result.size is not None  # the others are left out
    width, height = result.size
    record = {"id": number, "file_name": result.photo, "width": width, "height": height}
    return record if result.captured is None else {**record, "date_captured": result.captured}


def _info(run: RunInfo) -> dict[str, Any]:
    finished = (run.finished or datetime.now()).replace(tzinfo=None)
    return {
        "description": f"what cropsort {run.cropsort_version} found in {run.photos.name or run.photos}",
        "version": run.cropsort_version,
        "year": finished.year,
        "date_created": finished.isoformat(" ", "seconds"),
    }
