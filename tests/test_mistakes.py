"""The worst mistakes come first, with a picture each."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.boxes import Box
from pipeline.labels import Subject
from pipeline.mistakes import SIDE, Mistakes, cut_thumbnails, find_mistakes
from pipeline.results import Detection, Prediction
from pipeline.scores import JudgedPhoto

RED, BLUE = Box(100, 100, 300, 300), Box(600, 100, 640, 120)
COLOURS = {RED: (220, 20, 20), BLUE: (20, 20, 220)}


def predict(box: Box, a: float, *, sure: bool = True, confidence: float = 0.9) -> Prediction:
    return Prediction(Detection(box, confidence), {"a": a, "b": 1 - a}, sure)


def judge(photo: Path | None, *on_truth: Prediction, made: tuple[Prediction, ...] = ()) -> JudgedPhoto:
    return JudgedPhoto((Subject(RED, "a"), Subject(BLUE, "a")), (), made, on_truth, photo)


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    """A grey photo, lying on its side by EXIF, with a red and a blue box."""
    pixels = np.full((600, 800, 3), 120, np.uint8)
    for box, colour in COLOURS.items():
        pixels[int(box.top) : int(box.bottom), int(box.left) : int(box.right)] = colour
    tags = Image.Exif()
    tags[0x0112] = 6
    Image.fromarray(np.rot90(pixels)).save(tmp_path / "사진.jpg", quality=95, exif=tags)
    return tmp_path / "사진.jpg"


def pick(found: tuple[Mistakes, ...], kind: str) -> Mistakes:
    return next(some for some in found if some.kind == kind)


def colour(thumbnail: bytes) -> tuple[int, ...]:
    with Image.open(BytesIO(thumbnail)) as image:
        assert max(image.size) <= SIDE
        return tuple(int(value) for value in np.asarray(image.convert("RGB"))[image.height // 2, image.width // 2])


def test_each_kind_begins_with_its_worst(photo: Path) -> None:
    made = predict(Box(0, 500, 50, 550), 0.9, confidence=0.6), predict(Box(0, 0, 50, 50), 0.9, confidence=0.4)
    judged = [
        judge(photo, predict(RED, 0.3), predict(BLUE, 0.1), made=made),
        judge(photo, predict(RED, 0.55, sure=False), predict(BLUE, 0.52, sure=False)),
    ]
    found = find_mistakes(judged, 0.5, labelled=True)
    assert [(some.kind, some.count) for some in found] == [("wrong", 2), ("missed", 4), ("false", 1), ("unsure", 2)]
    assert [one.confidence for one in pick(found, "wrong").worst] == [0.9, 0.7]
    assert [one.box for one in pick(found, "missed").worst] == [RED, RED, BLUE, BLUE]
    assert [(one.label, one.given, one.confidence) for one in pick(found, "false").worst] == [("", "a", 0.6)]
    assert [one.confidence for one in pick(found, "unsure").worst] == [0.52, 0.55]
    assert [some.kind for some in find_mistakes(judged, 0.5, labelled=False)] == ["wrong", "unsure"]


def test_only_the_worst_are_shown_and_all_are_counted(photo: Path) -> None:
    found = find_mistakes([judge(photo, predict(RED, 0.3), predict(BLUE, 0.1))] * 100, 0.5, labelled=True)
    assert [(some.count, len(some.worst)) for some in found] == [(200, 24), (200, 12)]
    assert sum(len(some.worst) for some in found) <= 60


def test_no_mistake_is_none(photo: Path) -> None:
    right = judge(photo, predict(RED, 0.9), predict(BLUE, 0.9), made=(predict(RED, 0.9), predict(BLUE, 0.9)))
    assert find_mistakes([right, JudgedPhoto((), (), (), (), photo)], 0.5, labelled=True) == ()
    assert find_mistakes([judge(None, predict(RED, 0.1), predict(BLUE, 0.1))], 0.5, labelled=True) == ()


def test_thumbnails_show_what_is_in_the_box_however_the_photo_lies(photo: Path) -> None:
    found = find_mistakes([judge(photo, predict(RED, 0.3), predict(BLUE, 0.1))], 0.5, labelled=True)
    before = photo.read_bytes()
    thumbnails = cut_thumbnails(found, 0.05)
    assert photo.read_bytes() == before
    for some in found:
        for mistake in some.worst:
            assert colour(thumbnails[mistake]) == pytest.approx(COLOURS[mistake.box], abs=25), some.kind


@pytest.mark.parametrize("box", [Box(0, 0, 0, 0), Box(799, 599, 800, 600), Box(-50, -50, 5000, 5000)])
def test_boxes_without_area_or_beyond_the_edge_have_a_picture(photo: Path, box: Box) -> None:
    judged = JudgedPhoto((Subject(box, "a"),), (), (), (predict(RED, 0.1),), photo)
    assert len(cut_thumbnails(find_mistakes([judged], 0.5, labelled=True), 0.05)) == 2


def test_photo_that_is_gone_has_no_picture(photo: Path, tmp_path: Path) -> None:
    gone = judge(tmp_path / "gone.jpg", predict(RED, 0.3), predict(BLUE, 0.9))
    kept = judge(photo, predict(RED, 0.3), predict(BLUE, 0.9))
    found = find_mistakes([gone, kept], 0.5, labelled=False)
    assert {mistake.photo for mistake in cut_thumbnails(found, 0.05)} == {photo}
