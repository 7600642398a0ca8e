"""Pictures made on request: drawn photos and crops in class folders, made once, and gone with what they show."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos import hash_files, write_photo
from PIL import Image, ImageFont

from pipeline.boxes import Box
from pipeline.crop_folders import write_crops
from pipeline.drawing import LONGEST_PX, Style, draw_predictions, write_drawn
from pipeline.errors import OutputError
from pipeline.images import Pixels, read_photo
from pipeline.pictures import PicturesMade
from pipeline.plots import find_font
from pipeline.results import Detection, PhotoResult, Prediction

CLASSES = ("고양이", "dog")
SIZE = (240, 180)
Writer = Callable[..., PicturesMade]


def predict(box: Box, name: str = "고양이", share: float = 0.9, *, sure: bool = True) -> Prediction:
    return Prediction(Detection(box, 0.8), {name: share}, sure=sure)


def tell(photo: str, *predictions: Prediction, size: tuple[int, int] = SIZE) -> PhotoResult:
    return PhotoResult(photo, "ok" if predictions else "empty", size, seconds=0.1, predictions=predictions)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "사진"
    for seed, name in enumerate(("a.jpg", "여름/b.png", "여름/a.jpg", "nothing.jpg")):
        write_photo(folder / name, size=SIZE, seed=seed)
    return folder


@pytest.fixture
def results() -> list[PhotoResult]:
    cat, dog = predict(Box(20, 30, 120, 130)), predict(Box(100, 40, 239.4, 170), "dog", 0.6, sure=False)
    return [
        tell("a.jpg", cat, dog),
        tell("여름/b.png", dog),
        tell("여름/a.jpg", cat),
        tell("nothing.jpg"),
        PhotoResult("broken.jpg", "unreadable", error="the file is empty"),
    ]


def write(
    writer: Writer, results: Sequence[PhotoResult], photos: Path, names: Sequence[str] = CLASSES
) -> tuple[PicturesMade, list[str]]:
    """What was made, and the pictures that there are now."""
    report = photos.parent / "report"
    made = writer(iter(results), lambda name: photos / name, report, class_names=names)
    return made, sorted(path.relative_to(report).as_posix() for path in report.rglob("*") if path.is_file())


def test_photo_has_its_boxes_drawn_in(photos: Path, results: list[PhotoResult]) -> None:
    before = hash_files(photos)
    made, files = write(write_drawn, results, photos)
    assert made == PicturesMade(made=3, kept=0, missing=0)
    assert files == ["boxes/a.jpg", "boxes/여름/a.jpg", "boxes/여름/b.png.jpg"]
    assert hash_files(photos) == before
    drawn, plain = (
        read_photo(path).pixels.astype(int) for path in (photos.parent / "report" / files[0], photos / "a.jpg")
    )
    changed = np.abs(drawn - plain).max(2) > 60
    assert changed[31:33, 25:115].mean() > 0.9  # the upper edge of the frame
    assert changed[60:110, 40:90].mean() < 0.1  # the subject itself


def test_large_photo_is_drawn_small_with_its_boxes_in_place(tmp_path: Path) -> None:
    pixels = np.full((3000, 4000, 3), 60, np.uint8)
    pixels[1000:2000, 2000:3000] = 200
    (tmp_path / "사진").mkdir()
    Image.fromarray(pixels).save(tmp_path / "사진" / "a.jpg")
    write(write_drawn, [tell("a.jpg", predict(Box(2000, 1000, 3000, 2000)), size=(4000, 3000))], tmp_path / "사진")
    drawn = read_photo(tmp_path / "report" / "boxes" / "a.jpg")
    assert drawn.size == (LONGEST_PX, 1200)
    blue = np.argwhere((drawn.pixels[..., 2] > drawn.pixels[..., 0].astype(int) + 60)[400:])
    assert blue[:, 1].min() == pytest.approx(800, abs=4)
    assert blue[:, 1].max() == pytest.approx(1200, abs=4)
    assert blue[:, 0].max() + 400 == pytest.approx(800, abs=4)


def test_korean_class_is_not_printed_as_boxes(photos: Path) -> None:
    if find_font("고양이") is None:
        pytest.skip("no font with Korean letters on this machine")
    nfd = tuple(unicodedata.normalize("NFD", name) for name in CLASSES)
    pictures = []
    for name in ("고양이", nfd[0], "강아지"):
        (photos.parent / "report" / "boxes" / "a.jpg").unlink(missing_ok=True)
        write(write_drawn, [tell("a.jpg", predict(Box(20, 60, 120, 130), name))], photos, (name, "dog"))
        pictures.append(read_photo(photos.parent / "report" / "boxes" / "a.jpg").pixels)
    assert np.array_equal(pictures[0], pictures[1])  # no letters side by side instead of a syllable
    assert not np.array_equal(pictures[0], pictures[2])  # boxes would all look the same


def draw_many(boxes: Sequence[Box], size: tuple[int, int], style: Style) -> Pixels:
    return draw_predictions(
        np.full((size[1], size[0], 3), 127, np.uint8), [predict(box) for box in boxes], style, scale=1
    )


@pytest.mark.parametrize("size", [(1, 1), (3, 400), (40, 30), (800, 600)])
def test_any_box_can_be_drawn_on_any_photo(size: tuple[int, int]) -> None:
    from matplotlib import get_data_path

    style = Style({"고양이": "cat " * 9}, {}, str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")))
    width, height = size
    boxes = [Box(0, 0, width, height), Box(0, 0, 0, 0), Box(width, height, width, height), Box(-9, -9, 9, 9)]
    assert draw_many(boxes, size, style).shape == (height, width, 3)


def test_labels_do_not_lie_on_each_other() -> None:
    from matplotlib import get_data_path

    file = str(Path(get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
    style = Style({"고양이": "cat"}, {"고양이": "#1f5fb4"}, file)
    label = round(ImageFont.truetype(file, 15, layout_engine=ImageFont.Layout.BASIC).getlength("cat 90%"))
    once, thrice = (
        (draw_many([Box(300, 200, 420, 320)] * count, (800, 600), style) == (0x1F, 0x5F, 0xB4)).all(2).sum()
        for count in (1, 3)
    )
    assert thrice - once > 2 * 10 * label


@pytest.mark.parametrize("writer", [write_drawn, write_crops])
def test_what_is_there_is_not_made_again_and_what_changed_is(
    writer: Writer, photos: Path, results: list[PhotoResult]
) -> None:
    write(writer, results, photos)
    report = photos.parent / "report"
    before = {path: path.stat().st_mtime_ns for path in report.rglob("*.jpg")}
    later = [replace(result, seconds=9.0) for result in results]
    assert write(writer, later, photos)[0] == PicturesMade(made=0, kept=3, missing=0)
    assert {path: path.stat().st_mtime_ns for path in report.rglob("*.jpg")} == before
    later[0] = tell("a.jpg", predict(Box(20, 30, 90, 99), "dog"))
    assert write(writer, later, photos)[0] == PicturesMade(made=1, kept=2, missing=0)


@pytest.mark.parametrize("writer", [write_drawn, write_crops])
def test_pictures_of_what_has_gone_go_and_nobody_else_s_do(
    writer: Writer, photos: Path, results: list[PhotoResult]
) -> None:
    _, files = write(writer, results, photos)
    report = photos.parent / "report"
    own = write_photo(report / Path(files[0]).parent / "mine.jpg")
    note = report / Path(files[0]).parent / "note.txt"
    note.write_text("mine", encoding="utf-8")
    half = report / Path(files[0]).parent / ".a.99.part.jpg"
    half.write_bytes((report / files[0]).read_bytes()[:90])
    _, left = write(writer, results[-2:], photos)
    assert left == sorted(path.relative_to(report).as_posix() for path in (own, note))


@pytest.mark.parametrize("writer", [write_drawn, write_crops])
def test_photos_that_have_gone_or_changed_since_have_no_picture(
    writer: Writer, photos: Path, results: list[PhotoResult]
) -> None:
    (photos / "여름" / "b.png").write_bytes(b"no photo any more")
    write_photo(photos / "여름" / "a.jpg", size=(50, 50))
    report = photos.parent / "report"
    made = writer(results, lambda name: None if name == "a.jpg" else photos / name, report, class_names=CLASSES)
    assert made == PicturesMade(made=0, kept=0, missing=3)
    assert not list(report.rglob("*.jpg"))


def test_bytes_do_as_well_as_a_file(photos: Path, results: list[PhotoResult]) -> None:
    made = write_crops(
        results, lambda name: (photos / name).read_bytes(), photos.parent / "report", class_names=CLASSES
    )
    assert made.made == 3


def test_crops_lie_in_folders_of_their_classes_at_full_size(photos: Path, results: list[PhotoResult]) -> None:
    _, files = write(write_crops, results, photos)
    assert files == [
        "crops-unsure/dog/a-1.jpg",
        "crops-unsure/dog/여름_b-0.jpg",
        "crops/고양이/a-0.jpg",
        "crops/고양이/여름_a-0.jpg",
    ]
    crop = read_photo(photos.parent / "report" / "crops" / "고양이" / "a-0.jpg").pixels
    assert crop.shape == (100, 100, 3)
    plain = read_photo(photos / "a.jpg").pixels[30:130, 20:120]
    assert np.abs(crop.astype(int) - plain).mean() < 3


def test_crop_of_another_class_leaves_the_folder_of_the_first(photos: Path) -> None:
    box = Box(20, 30, 120, 130)
    write(write_crops, [tell("a.jpg", predict(box))], photos)
    _, files = write(write_crops, [tell("a.jpg", predict(box, "dog"))], photos)
    assert files == ["crops/dog/a-0.jpg"]
    assert [path.name for path in (photos.parent / "report" / "crops").iterdir()] == ["dog"]


def test_any_class_name_is_a_folder_of_its_own(photos: Path) -> None:
    names = ("a/b", "a:b", "A_B", "..", "con", "가" * 100, "unsure")
    box = Box(20, 30, 120, 130)
    _, files = write(write_crops, [tell("a.jpg", *(predict(box, name) for name in names))], photos, names)
    folders = {Path(file).parts[1] for file in files}
    assert folders == {"a_b", "a_b-2", "A_B-3", "_", "_con", "가" * 40, "unsure"}


def test_photos_of_one_name_do_not_replace_each_other(photos: Path) -> None:
    names = ("a.jpg", "여름/a.jpg", "여름_a.jpg", "a.JPG", "a.png")
    for seed, name in enumerate(names[2:], start=5):
        write_photo(photos / name, size=SIZE, seed=seed)
    told = [tell(name, predict(Box(20, 30, 120, 130))) for name in names]
    for writer in (write_drawn, write_crops):
        report = photos.parent / writer.__name__
        made = writer(told, lambda name: photos / name, report, class_names=CLASSES)
        assert made.made == len(names)
        assert len(list(report.rglob("*.jpg"))) == len(names)
        assert writer(told, lambda name: photos / name, report, class_names=CLASSES).kept == len(names)


def test_folder_that_cannot_be_written_to_is_said(photos: Path, results: list[PhotoResult]) -> None:
    report = photos.parent / "report"
    report.mkdir()
    (report / "boxes").write_text("a file where the folder belongs", encoding="utf-8")
    with pytest.raises(OutputError):
        write(write_drawn, results, photos)
