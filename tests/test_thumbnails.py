"""Small pictures by the names of their photos."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.boxes import Box
from pipeline.errors import OutputError
from pipeline.exif import Header
from pipeline.images import ScaledPhoto
from pipeline.thumbnails import SIDE, Thumbnails, make_thumbnail, name_pictures

GREEN, RED, GREY = (0, 200, 0), (200, 0, 0), (114, 114, 114)


def draw(size: tuple[int, int], colour: tuple[int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.full((size[1], size[0], 3), colour, np.uint8)


def show(picture: bytes) -> Image.Image:
    return Image.open(io.BytesIO(picture))


def test_large_subject_is_cut_from_the_photo() -> None:
    photo = ScaledPhoto(draw((400, 300), GREEN), Header((1600, 1200), 1, None, "JPEG"), b"", 4.0)
    made = show(make_thumbnail(photo, Box(0, 0, 800, 400), draw((224, 224), RED), margin=0.1))
    assert made.size == (SIDE, SIDE // 2)
    assert np.abs(np.asarray(made.convert("RGB")).astype(int) - GREEN).max() < 6


def test_small_subject_is_taken_from_its_crop_without_the_bars() -> None:
    photo = ScaledPhoto(draw((400, 300), GREEN), Header((1600, 1200), 1, None, "JPEG"), b"", 4.0)
    view = draw((224, 224), GREY)
    view[44:180] = RED
    made = show(make_thumbnail(photo, Box(400, 400, 600, 500), view, margin=0.1))
    assert made.size[0] == SIDE
    assert made.size[1] == pytest.approx(SIDE * 140 / 240, abs=1)
    assert np.abs(np.asarray(made.convert("RGB")).astype(int) - RED).max() < 12


@pytest.mark.parametrize("box", [Box(0, 0, 3, 2), Box(1599, 1199, 1700, 1300), Box(800, 0, 801, 1200)])
def test_any_box_has_a_picture(box: Box) -> None:
    photo = ScaledPhoto(draw((400, 300), GREEN), Header((1600, 1200), 1, None, "JPEG"), b"", 4.0)
    assert max(show(make_thumbnail(photo, box, draw((32, 32), RED), margin=0.1)).size) <= SIDE


def test_pictures_are_found_by_any_name_and_go_with_their_photo(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path / "thumbnails")
    names = ("a.jpg", "밤/" + "가" * 300, "http://a.b/c?d=1", "../a.jpg")
    for name in names:
        for index in range(2):
            kept.write(name, index, f"{name} {index}".encode())
    assert [kept.read(name, 1) for name in names] == [f"{name} 1".encode() for name in names]
    assert kept.read("other.jpg", 0) is None
    kept.keep_only({"a.jpg": 1, "../a.jpg": 2, "other.jpg": 3})
    assert [[kept.read(name, index) is not None for index in range(2)] for name in names] == [
        [True, False],
        [False, False],
        [False, False],
        [True, True],
    ]
    assert len([path for path in (tmp_path / "thumbnails").iterdir() if any(path.iterdir())]) == len(
        list((tmp_path / "thumbnails").iterdir())
    )


@pytest.mark.parametrize("name", ["a.jpg", "밤/" + "가" * 300, "\udcff.jpg"])
def test_page_finds_the_pictures_by_the_name_of_their_photo(tmp_path: Path, name: str) -> None:
    Thumbnails(tmp_path).write(name, 3, b"picture")
    assert (tmp_path / f"{name_pictures(name)}-3.jpg").read_bytes() == b"picture"


def test_emptied_picture_is_none_and_photos_that_lack_some_are_told(tmp_path: Path) -> None:
    kept = Thumbnails(tmp_path)
    kept.write("a.jpg", 0, b"")
    for photo, index in (("b.jpg", 0), ("c.jpg", 0), ("c.jpg", 1)):
        kept.write(photo, index, b"picture")
    assert kept.read("a.jpg", 0) is None
    assert kept.list_lost({"a.jpg": 1, "b.jpg": 2, "c.jpg": 2, "d.jpg": 0, "e.jpg": 1}) == {"a.jpg", "b.jpg", "e.jpg"}


def test_pictures_of_somebody_else_stay(tmp_path: Path) -> None:
    """Whoever has the report written beside his photos may have a folder of this name."""
    theirs = tmp_path / "trip" / "a-1.jpg"
    theirs.parent.mkdir()
    theirs.write_bytes(b"a photo")
    Thumbnails(tmp_path).keep_only({})
    assert theirs.read_bytes() == b"a photo"


def test_place_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        Thumbnails(tmp_path / "file").write("a.jpg", 0, b"picture")
