"""Drawn photos and the data set made of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image, ImageOps

from pipeline.errors import DataError, OutputError
from pipeline.sample import KINDS, DrawnPhoto, draw_photo, draw_photos, draw_sample
from pipeline.sample.covers import draw_cover

SIZE = (128, 96)


@pytest.fixture(scope="module")
def drawn() -> list[DrawnPhoto]:
    return [draw_photo(seed=7, index=index, size=SIZE) for index in range(200)]


def test_same_arguments_draw_the_same_photo(drawn: list[DrawnPhoto]) -> None:
    again = draw_photo(seed=7, index=3, size=SIZE)
    assert np.array_equal(again.image, drawn[3].image)
    assert (again.subjects, again.orientation) == (drawn[3].subjects, drawn[3].orientation)


def test_another_index_or_seed_draws_another_photo(drawn: list[DrawnPhoto]) -> None:
    assert not np.array_equal(drawn[0].image, drawn[1].image)
    other = draw_photo(seed=8, index=0, size=SIZE)
    assert other.image.shape != drawn[0].image.shape or not np.array_equal(other.image, drawn[0].image)


def test_size_changes_the_pixels_but_not_the_scene(drawn: list[DrawnPhoto]) -> None:
    index = next(index for index, photo in enumerate(drawn) if len(photo.subjects) == 2)
    small, large = (draw_photo(seed=7, index=index, size=size) for size in ((320, 240), (640, 480)))
    assert small.orientation == large.orientation
    assert len(small.subjects) == 2
    for (box, kind), (twice, same) in zip(small.subjects, large.subjects, strict=True):
        assert kind == same
        assert box.scaled(2).edges == pytest.approx(twice.edges, abs=0.01)


def test_boxes_lie_inside_the_photo_and_hold_something(drawn: list[DrawnPhoto]) -> None:
    for photo in drawn:
        high, wide = photo.image.shape[:2]
        for box, _ in photo.subjects:
            assert box == box.clipped(wide, high)
            assert min(box.width, box.height) > 0.08 * max(SIZE)


def test_set_holds_every_kind_orientation_and_number_of_books(drawn: list[DrawnPhoto]) -> None:
    kinds = [kind for photo in drawn for _, kind in photo.subjects]
    assert all(kinds.count(kind) > 0.15 * len(kinds) for kind in KINDS)
    assert {photo.orientation for photo in drawn} == {1, 3, 6, 8}
    assert {len(photo.subjects) for photo in drawn} == {0, 1, 2, 3}
    assert any(photo.orientation == 1 and photo.image.shape[0] > photo.image.shape[1] for photo in drawn)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_many_covers(kind: str) -> None:
    covers = [draw_cover(kind, rng=np.random.default_rng(seed), width=60, ratio=1.4).pixels for seed in range(8)]
    assert len({cover.tobytes() for cover in covers}) == len(covers)
    assert all((cover[..., 3] == 255).all() for cover in covers)


def test_files_match_the_photos_drawn(tmp_path: Path, drawn: list[DrawnPhoto]) -> None:
    draw_photos(tmp_path / "photos", tmp_path / "labels", count=40, seed=7, size=SIZE)
    assert (tmp_path / "labels" / "classes.txt").read_text() == "comic\nfairy tale\nnovel\nscience\n"
    assert len(list((tmp_path / "photos").iterdir())) == 40
    for index, photo in enumerate(drawn[:40]):
        with Image.open(tmp_path / "photos" / f"photo-{index + 1:04d}.jpg") as stored:
            assert stored.getexif()[0x0112] == photo.orientation
            upright = np.asarray(ImageOps.exif_transpose(stored)).astype(float)
        # The same picture and not only the same shape: upside down it would differ by far more.
        assert upright.shape == photo.image.shape
        assert np.abs(upright - photo.image).mean() < 8
        lines = (tmp_path / "labels" / f"photo-{index + 1:04d}.txt").read_text().splitlines()
        assert [KINDS[int(line.split()[0])] for line in lines] == [kind for _, kind in photo.subjects]
    assert any((tmp_path / "labels" / f"photo-{number:04d}.txt").read_bytes() == b"" for number in range(1, 41))


def test_label_lines_are_as_labelimg_writes_them(tmp_path: Path, drawn: list[DrawnPhoto]) -> None:
    index = next(index for index, photo in enumerate(drawn) if photo.subjects and photo.orientation == 6)
    draw_photos(tmp_path, tmp_path, count=1, seed=7, size=SIZE, first=index)
    line = (tmp_path / f"photo-{index + 1:04d}.txt").read_bytes().split(b"\n")[0].decode()
    box, kind = drawn[index].subjects[0]
    wide, high = 96, 128  # upright, and not as stored
    numbers = (box.left + box.width / 2) / wide, (box.top + box.height / 2) / high, box.width / wide, box.height / high
    assert line == " ".join([str(KINDS.index(kind)), *(f"{number:.6f}" for number in numbers)])


def test_sample_is_ready_to_train(tmp_path: Path) -> None:
    path = draw_sample(tmp_path / "sample", photos=6, seed=1, size=SIZE)
    data = yaml.safe_load(path.read_text())
    assert data == {
        "train": "images/train",
        "val": "images/val",
        "names": dict(enumerate(KINDS)),
        "ignore": "orientation-unclear",
    }
    names = {part: {file.stem for file in (path.parent / data[part]).iterdir()} for part in ("train", "val")}
    assert (len(names["train"]), len(names["val"])) == (5, 1)
    assert not names["train"] & names["val"]
    for part, photos in names.items():
        labels = {file.stem for file in (path.parent / "labels" / part).glob("photo-*.txt")}
        assert labels == photos


def test_sample_refuses_a_folder_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(DataError, match="not empty"):
        draw_sample(tmp_path, photos=2, seed=1, size=SIZE)
    assert [file.name for file in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize(("photos", "size"), [(1, SIZE), (2, (96, 128)), (2, (64, 48))])
def test_sample_refuses_what_it_cannot_draw(tmp_path: Path, photos: int, size: tuple[int, int]) -> None:
    with pytest.raises(DataError, match="expected"):
        draw_sample(tmp_path / "sample", photos=photos, seed=1, size=size)
    assert not (tmp_path / "sample").exists()


def test_sample_says_where_it_cannot_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file"):
        draw_sample(tmp_path / "file" / "sample", photos=2, seed=1, size=SIZE)
