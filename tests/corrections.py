"""A data set, predicted photos, and the report that a reader corrects: what the tests of corrections share."""

from __future__ import annotations

import io
import random
import shutil
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import openpyxl
from PIL import Image, ImageDraw
from rich.console import Console

from pipeline.boxes import Box
from pipeline.correcting import Outcome, Plan, correct_workbook
from pipeline.corrections.sheets import forms, plain
from pipeline.images import read_size
from pipeline.keys import photo_key, subject_key
from pipeline.labels import LabelledBox, find_label, parse_label
from pipeline.report import write_report
from pipeline.results import Detection, PhotoResult, Prediction, RecordedResults, to_json
from pipeline.run_info import Language, RunInfo, write_info

NAMES = ("ace", "king", "여왕")
SIZE = (160, 120)
DATA = """\
train: images/train
val: images/val
names: [ace, king, 여왕]
"""
BOXES = (Box(10, 10, 50, 40), Box(70.3, 20, 120, 60.4), Box(20, 70, 90, 110))

Edges = tuple[int, int, int, int]


@dataclass(frozen=True)
class Reported:
    """A report.

    Args:
        home: with data.yaml and the data set.
        photos: the folder of photos that were predicted.
        folder: of the report.
        results: what was found.
    """

    home: Path
    photos: Path
    folder: Path
    results: tuple[PhotoResult, ...]

    @property
    def data(self) -> Path:
        return self.home / "data.yaml"

    @property
    def workbook(self) -> Path:
        return self.folder / "report.xlsx"

    def key(self, photo: str, place: int | None = None) -> str:
        """Of a photo, or of its box at a place."""
        if place is None:
            return photo_key(photo)
        result = next(one for one in self.results if one.photo == photo)
        return subject_key(photo, result.predictions[place].detection.box)


def draw(path: Path, seed: int, *, size: tuple[int, int] = SIZE, **saved: Any) -> Path:
    """A photo of shapes that is like no other."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(seed, size).save(path, **saved)
    return path


def picture(seed: int, size: tuple[int, int] = SIZE) -> Image.Image:
    rng = random.Random(seed)
    small = Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 8, 3), np.uint8))
    image = small.resize(size, Image.Resampling.BICUBIC)
    canvas = ImageDraw.Draw(image)
    for _ in range(6):
        left, top = rng.randrange(size[0] * 3 // 4), rng.randrange(size[1] * 3 // 4)
        colour = tuple(rng.randrange(256) for _ in range(3))
        canvas.rectangle((left, top, left + size[0] // 6, top + size[1] // 6), fill=colour)
    return image


def found(class_name: str, box: Box, confidence: float = 0.9) -> Prediction:
    others = [name for name in NAMES if name != class_name][:1]
    rest = {name: round(1 - confidence, 4) for name in others}
    return Prediction(Detection(box, 0.8), {class_name: confidence, **rest}, sure=confidence > 0.6)


def result_of(photos: Path, name: str, predictions: Sequence[Prediction]) -> PhotoResult:
    path = photos / name
    status = path.stat()
    return PhotoResult(
        name,
        "ok" if predictions else "empty",
        read_size(path),
        predictions=tuple(predictions),
        file_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
    )


def make_home(folder: Path, data: str = DATA) -> Path:
    """A data set of three photos to learn from and one to choose on, each with an ace, in YOLO."""
    for seed, name in enumerate(("train/one", "train/two", "train/three", "val/four"), start=900):
        draw(folder / "images" / f"{name}.jpg", seed, quality=95)
        label = folder / "labels" / f"{name}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text(yolo((("ace", BOXES[0]),)), encoding="utf-8")
        label.with_name("classes.txt").write_text("ace\nking\n여왕\n", encoding="utf-8")
    (folder / "data.yaml").write_text(data, encoding="utf-8")
    return folder


def yolo(boxes: Iterable[tuple[str, Box]], size: tuple[int, int] = SIZE) -> str:
    rows = []
    for name, box in boxes:
        x, y = (box.left + box.right) / 2 / size[0], (box.top + box.bottom) / 2 / size[1]
        rows.append(f"{NAMES.index(name)} {x:.6f} {y:.6f} {box.width / size[0]:.6f} {box.height / size[1]:.6f}\n")
    return "".join(rows)


def make_report(
    home: Path, photos: Path, results: Sequence[PhotoResult], *, language: Language = "en", folder: Path | None = None
) -> Reported:
    """Write results and report as ``predict`` does, without crops."""
    target = folder or home / "reports" / photos.name
    target.mkdir(parents=True, exist_ok=True)
    file = target / "results.jsonl"
    file.write_text("".join(f"{to_json(result)}\n" for result in results), encoding="utf-8")
    run = RunInfo(photos, Path("weights"), NAMES, 0.25, datetime(2025, 4, 30, 17, 42, 10), 0, "1.0", language=language)
    write_info(target, run)
    write_report(RecordedResults(file, len(results)), run, target, thumbnail=lambda _result, _place: None)
    return Reported(home, photos, target, tuple(results))


def copy_report(report: Reported, folder: Path) -> Reported:
    """A copy of all that a report is of, below another folder, that knows itself to be there."""
    before = report.home.parent
    shutil.copytree(before, folder, dirs_exist_ok=True)
    about = folder / report.folder.relative_to(before) / "about.json"
    about.write_text(about.read_text(encoding="utf-8").replace(str(before), str(folder)), encoding="utf-8")
    with zipfile.ZipFile(report.workbook) as source, zipfile.ZipFile(about.with_name("report.xlsx"), "w") as target:
        for name in source.namelist():
            content = source.read(name)
            properties = name == "docProps/custom.xml"
            target.writestr(
                name, content.replace(str(before).encode(), str(folder).encode()) if properties else content
            )
    home, photos, own = (folder / place.relative_to(before) for place in (report.home, report.photos, report.folder))
    return Reported(home, photos, own, report.results)


def answer(
    workbook: Path, answers: Mapping[str, str], *, sheet: str = "Detections", notes: Mapping[str, str] | None = None
) -> None:
    """Write answers into a sheet of a workbook, by key."""
    book = openpyxl.load_workbook(workbook)
    page = next(one for one in book.worksheets if plain(one.title) in forms(sheet))
    heading = "reviewed: all boxes right" if sheet == "Photos" else "correct class"
    places = {plain(str(cell.value)): cell.column for cell in page[1]}
    key = next(place for name, place in places.items() if name in forms("key"))
    columns = {what: next(place for name, place in places.items() if name in forms(what)) for what in (heading,)}
    rows = {page.cell(row, key).value: row for row in range(2, page.max_row + 1)}
    for one, text in answers.items():
        page.cell(rows[one], columns[heading]).value = text
    for one, text in (notes or {}).items():
        place = next(place for name, place in places.items() if name in forms("note"))
        page.cell(rows[one], place).value = text
    book.save(workbook)


def correct(
    report: Reported, workbook: Path | None = None, *, yes: bool = True, results: Path | None = None
) -> Outcome:
    """Run the command, and agree to what it says it changes, or not."""

    def apply(plan: Plan) -> bool:
        assert plan.changes
        return yes

    console = Console(file=io.StringIO())
    return correct_workbook(workbook or report.workbook, report.data, results=results, apply=apply, console=console)


def boxes_of(photo: Path, class_names: Sequence[str] = NAMES) -> list[tuple[str, Edges]]:
    """What the label of a photo says, to the nearest pixel."""
    label = find_label(photo)
    assert label is not None, photo
    read = parse_label(photo, read_size(photo), label, tuple(class_names))
    return [_rounded(box) for box in read.boxes]


def _rounded(box: LabelledBox) -> tuple[str, Edges]:
    left, top, right, bottom = (round(edge) for edge in box.edges)
    return box.class_name, (left, top, right, bottom)


def edges(box: Box) -> Edges:
    left, top, right, bottom = (round(edge) for edge in box.edges)
    return left, top, right, bottom
