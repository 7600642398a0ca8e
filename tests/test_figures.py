"""Figures open, and their letters are letters."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.boxes import Box
from pipeline.figures import draw_confusion, draw_curves, draw_examples, draw_loss, draw_reliability, draw_scores
from pipeline.images import read_photo, write_jpeg
from pipeline.labels import Annotation, Subject
from pipeline.reliability import Bin, Reliability
from pipeline.results import Detection, Prediction
from pipeline.scores import JudgedPhoto
from pipeline.yolo import Epoch

KOREAN = ("고양이", "강아지", "까치")
UNKNOWN = ("\U0001f408", "\ue123\U00012345", "ᚠ")
"""No one font has an emoji, a letter of private use, cuneiform and a rune."""

EPOCHS = [Epoch(number, 3, {"box": 1 / number, "cls": 0.5}, {"mAP50": number / 4}) for number in (1, 2, 3)]


def predict(box: Box, class_name: str) -> Prediction:
    return Prediction(Detection(box, 1.0), {class_name: 1.0})


def judge(names: tuple[str, ...]) -> JudgedPhoto:
    box, other = Box(10, 10, 90, 60), Box(100, 20, 150, 100)
    found = Prediction(Detection(box, 0.8), {name: 1 / len(names) for name in names})
    truth = Subject(box, names[0]), Subject(other, names[1])
    return JudgedPhoto(truth, (), (found,), (predict(box, names[0]), predict(other, names[2])))


def colours(path: Path) -> int:
    with Image.open(path) as image:
        image.load()
        assert min(image.size) > 100
        return len(image.convert("RGB").getcolors(2**24) or ())


@pytest.mark.parametrize("names", [("cat", "dog", "magpie"), KOREAN, UNKNOWN, ("$x_1$", "a_b^c", r"\frac")])
def test_figures_open_and_miss_no_letter(tmp_path: Path, names: tuple[str, ...]) -> None:
    """Matplotlib warns of a letter that its font lacks, and a warning is an error here."""
    write_jpeg(tmp_path / "photo.jpg", np.full((120, 160, 3), 200, np.uint8))
    annotation = Annotation(tmp_path / "photo.jpg", (160, 120), judge(names).truth, None)
    draw_confusion(tmp_path / "confusion.png", [judge(names)], names)
    draw_examples(tmp_path / "examples.jpg", [annotation] * 5, [judge(names)] * 5, names, 0.5)
    draw_curves(tmp_path / "curves.png", EPOCHS, EPOCHS)
    for name in ("confusion.png", "examples.jpg", "curves.png"):
        assert colours(tmp_path / name) > 10
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "confusion.png",
        "curves.png",
        "examples.jpg",
        "photo.jpg",
    ]


@pytest.mark.parametrize("count", [1, 2, 12])
def test_any_number_of_classes_can_be_drawn(tmp_path: Path, count: int) -> None:
    names = tuple(f"class {index}" for index in range(count))
    box = Box(0, 0, 1, 1)
    photo = JudgedPhoto((Subject(box, names[0]),), (), (), (predict(box, names[-1]),))
    draw_confusion(tmp_path / "confusion.png", [photo], names)
    assert colours(tmp_path / "confusion.png") > 3


def test_photos_without_labels_and_detections_can_be_drawn(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "photo.jpg", np.full((120, 160, 3), 200, np.uint8))
    nothing = JudgedPhoto((), (), (), ())
    draw_examples(
        tmp_path / "examples.jpg", [Annotation(tmp_path / "photo.jpg", (160, 120), (), None)], [nothing], ("a",), 0.5
    )
    draw_confusion(tmp_path / "confusion.png", [nothing], ("a",))
    draw_curves(tmp_path / "curves.png", [], [])
    assert colours(tmp_path / "curves.png") > 3


def test_right_wrong_and_missed_are_told_apart_by_colour(tmp_path: Path) -> None:
    write_jpeg(tmp_path / "photo.jpg", np.full((120, 160, 3), 255, np.uint8))
    box = Box(20, 20, 140, 100)
    seen = {}
    for kind, found in (("right", {"a": 0.9, "b": 0.1}), ("wrong", {"a": 0.1, "b": 0.9}), ("missed", None)):
        predictions = () if found is None else (Prediction(Detection(box, 0.9), found),)
        judged = JudgedPhoto((Subject(box, "a"),), (), predictions, (predict(box, "a"),))
        annotation = Annotation(tmp_path / "photo.jpg", (160, 120), judged.truth, None)
        draw_examples(tmp_path / f"{kind}.png", [annotation], [judged], ("a", "b"), 0.5)
        pixels = read_photo(tmp_path / f"{kind}.png").pixels.astype(int)
        coloured = pixels[np.ptp(pixels, axis=-1) > 60]
        seen[kind] = np.median(coloured, axis=0)
    red, green, blue = 0, 1, 2
    assert seen["right"][green] > seen["right"][red] + 50
    assert seen["wrong"][red] > seen["wrong"][green] + 100
    assert seen["missed"][red] > seen["missed"][green] > seen["missed"][blue] + 50


def test_curves_of_one_training_can_be_drawn(tmp_path: Path) -> None:
    draw_loss(tmp_path / "loss.png", "classifier 2", EPOCHS)
    draw_scores(tmp_path / "scores.png", "classifier 2", EPOCHS)
    assert colours(tmp_path / "loss.png") > 10 and colours(tmp_path / "scores.png") > 10


@pytest.mark.parametrize("before", [None, Reliability(0.5, 0.2, (Bin(3, 0.4, 1.0),))])
def test_reliability_can_be_drawn_with_and_without_calibration(tmp_path: Path, before: Reliability | None) -> None:
    draw_reliability(tmp_path / "a.png", Reliability(0.3, 0.1, (Bin(1, 0.5, 0.0), Bin(9, 0.95, 1.0))), before)
    assert colours(tmp_path / "a.png") > 10
