"""Labels drawn on a photo before it was turned upright: recognised where something tells, turned with its pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from photos import Drawn, createml, voc, write_text, yolo
from PIL import Image

from pipeline.images import read_header, read_photo
from pipeline.labels import Label, format_label, parse_label
from pipeline.labels.orientation import turn_edges
from pipeline.problems import Kind, Severity

NAMES = ("ace",)
STORED = (90, 60)
MARKED = (10, 5, 40, 25)
ACE: Drawn = ("ace", *MARKED)


def write_turned(path: Path, orientation: int, size: tuple[int, int] = STORED) -> Path:
    """A black photo with a white rectangle, whose stored pixels must still be turned."""
    pixels = np.zeros((size[1], size[0], 3), np.uint8)
    pixels[MARKED[1] : MARKED[3], MARKED[0] : MARKED[2]] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(path, exif=exif)
    return path


def parse(photo: Path, label: Path) -> Label:
    header = read_header(photo)
    return parse_label(photo, header.size, label, NAMES, orientation=header.orientation)


def white_edges(photo: Path) -> tuple[int, ...]:
    ys, xs = np.nonzero(read_photo(photo).pixels[:, :, 0] > 127)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def kinds(label: Label) -> list[Kind]:
    return [problem.kind for problem in label.problems]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_edges_are_turned_as_the_pixels_are(tmp_path: Path, orientation: int) -> None:
    photo = write_turned(tmp_path / "a.png", orientation)
    assert turn_edges(MARKED, STORED, orientation) == white_edges(photo)


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_label_with_the_stored_size_is_turned_with_the_photo(tmp_path: Path, orientation: int) -> None:
    photo = write_turned(tmp_path / "a.png", orientation)
    label = parse(photo, write_text(tmp_path / "a.xml", voc([ACE], STORED)))
    assert label.boxes[0].edges == white_edges(photo)
    (problem,) = label.problems
    assert (problem.kind, problem.severity) == (Kind.ORIENTATION_MAPPED, Severity.NOTE)
    assert problem.boxes[0].edges == white_edges(photo)
    turn = f"drawn on 90 x 60 pixels, turned to 60 x 90 (EXIF orientation {orientation})"
    assert problem.found == turn


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_label_with_the_upright_size_stays_as_it_is(tmp_path: Path, orientation: int) -> None:
    photo = write_turned(tmp_path / "a.png", orientation)
    label = parse(photo, write_text(tmp_path / "a.xml", voc([ACE], (60, 90))))
    assert (label.boxes[0].edges, kinds(label)) == (MARKED, [])


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_createml_box_that_fits_one_way_only_tells(tmp_path: Path, orientation: int) -> None:
    photo = write_turned(tmp_path / "a.png", orientation)
    wide = parse(photo, write_text(tmp_path / "a.json", createml([("ace", 10, 5, 80, 25)], "a.png")))
    assert kinds(wide) == [Kind.ORIENTATION_MAPPED]
    assert wide.boxes[0].edges == turn_edges((10, 5, 80, 25), STORED, orientation)
    high = parse(photo, write_text(tmp_path / "a.json", createml([("ace", 10, 5, 40, 85)], "a.png")))
    assert (high.boxes[0].edges, kinds(high)) == ((10, 5, 40, 85), [])
    either = parse(photo, write_text(tmp_path / "a.json", createml([ACE], "a.png")))
    assert (either.boxes[0].edges, kinds(either)) == (MARKED, [Kind.ORIENTATION_UNCLEAR])


@pytest.mark.parametrize("orientation", [2, 3, 4])
def test_nothing_tells_whether_a_photo_was_mirrored_or_upside_down(tmp_path: Path, orientation: int) -> None:
    photo = write_turned(tmp_path / "a.png", orientation)
    label = parse(photo, write_text(tmp_path / "a.xml", voc([ACE], STORED)))
    assert (label.boxes[0].edges, kinds(label)) == (MARKED, [Kind.ORIENTATION_UNCLEAR])
    assert label.problems[0].severity is Severity.WARNING


@pytest.mark.parametrize("orientation", range(2, 9))
def test_nothing_tells_how_a_square_photo_or_a_yolo_label_was_drawn(tmp_path: Path, orientation: int) -> None:
    square = write_turned(tmp_path / "a.png", orientation, (60, 60))
    assert kinds(parse(square, write_text(tmp_path / "a.xml", voc([ACE], (60, 60))))) == [Kind.ORIENTATION_UNCLEAR]
    photo = write_turned(tmp_path / "b.png", orientation)
    assert kinds(parse(photo, write_text(tmp_path / "b.txt", yolo([ACE], NAMES, (60, 90))))) == [
        Kind.ORIENTATION_UNCLEAR
    ]


@pytest.mark.parametrize("orientation", range(2, 9))
def test_label_without_boxes_is_clear_on_any_photo(tmp_path: Path, orientation: int) -> None:
    photo = write_turned(tmp_path / "a.png", orientation)
    for name, text in (("a.txt", ""), ("a.xml", voc([], STORED)), ("a.json", createml([], "a.png"))):
        assert kinds(parse(photo, write_text(tmp_path / name, text))) == [Kind.LABEL_EMPTY]


def test_upright_photo_is_never_unclear_and_its_turned_size_is_another_size(tmp_path: Path) -> None:
    photo = write_turned(tmp_path / "a.png", 1)
    assert kinds(parse(photo, write_text(tmp_path / "a.txt", yolo([ACE], NAMES, STORED)))) == []
    assert kinds(parse(photo, write_text(tmp_path / "a.xml", voc([ACE], (60, 90))))) == [Kind.SIZE_DIFFERS]
    turned = write_turned(tmp_path / "b.png", 6)
    assert kinds(parse(turned, write_text(tmp_path / "b.xml", voc([ACE], (600, 900))))) == [Kind.SIZE_DIFFERS]


def test_label_that_was_turned_is_written_as_of_the_upright_photo(tmp_path: Path) -> None:
    photo = write_turned(tmp_path / "a.png", 6)
    label = parse(photo, write_text(tmp_path / "a.xml", voc([ACE], STORED)))
    again = parse(photo, write_text(tmp_path / "b.xml", format_label(label, "voc", NAMES)))
    assert (again.boxes[0].edges, kinds(again)) == (white_edges(photo), [])
