"""Pictures of a data set open, whatever it holds, and show what is there."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.boxes import Box
from pipeline.dataset_figures import draw_dataset
from pipeline.images import write_jpeg
from pipeline.labels import Annotation, Subject

NAMES = ("classes.png", "boxes.png", "samples.jpg")
KOREAN = ("고양이", unicodedata.normalize("NFD", "강아지"), "아주 긴 이름을 가진 동화책 전집 제1권 (개정판)")


def annotate(folder: Path, class_names: Sequence[str], *, photos: int = 3, grey: int = 200) -> tuple[Annotation, ...]:
    """Photos with one box of each class, of the sizes of a card in the hand and of a bird in the sky."""
    made = []
    for index in range(photos):
        photo = folder / f"{index}.jpg"
        write_jpeg(photo, np.full((120, 160, 3), grey, np.uint8))
        subjects = [
            Subject(Box(8 * place % 90, 10 * place % 60, 8 * place % 90 + 50 / (place + 1), 10 * place % 60 + 40), name)
            for place, name in enumerate(class_names)
        ]
        made.append(Annotation(photo, (160, 120), tuple(subjects), None))
    return tuple(made)


def pixels(path: Path) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(
    "class_names",
    [("cat",), ("cat", "dog"), KOREAN, ("\U0001f408", "\ue123ᚠ", "a"), ("$x$", "a_b^c", "a very long name " * 5)],
)
def test_pictures_of_any_names_open_and_miss_no_letter(tmp_path: Path, class_names: tuple[str, ...]) -> None:
    """Matplotlib warns of a letter that its font lacks, and a warning is an error here."""
    train = annotate(tmp_path / "train", class_names)
    out = tmp_path / "새 폴더"
    made = draw_dataset(out, "우리집 $1", {"train": train, "val": train[:1], "test": ()}, class_names)
    assert made == [out / name for name in NAMES]
    assert sorted(path.name for path in out.iterdir()) == sorted(NAMES)
    for path in made:
        with Image.open(path) as image:
            assert len(image.convert("RGB").getcolors(2**24) or ()) > 10


@pytest.mark.slow
@pytest.mark.parametrize("count", [80, 150])
def test_many_classes_have_rows_that_can_be_read(tmp_path: Path, count: int) -> None:
    class_names = tuple(f"class number {index}" for index in range(count))
    train = annotate(tmp_path, class_names[: count // 2], photos=2)
    classes, sizes, samples = draw_dataset(tmp_path / "out", "many", {"train": train, "val": ()}, class_names)
    assert 20 * min(count, 100) < pixels(classes).shape[0] < 40 * min(count, 100)
    assert pixels(sizes).shape[0] < 1000
    assert pixels(samples).shape[0] < 1000


@pytest.mark.parametrize("parts", [{}, {"train": ()}, {"train": (), "val": (), "test": ()}])
def test_a_data_set_without_photos_can_be_drawn(tmp_path: Path, parts: dict[str, tuple[Annotation, ...]]) -> None:
    for path in draw_dataset(tmp_path, "empty", parts, ("a", "b")):
        assert min(pixels(path).shape[:2]) > 50


def test_photos_without_boxes_can_be_drawn(tmp_path: Path) -> None:
    train = annotate(tmp_path / "photos", ())
    assert len(draw_dataset(tmp_path / "out", "background", {"train": train, "val": train}, ("a",))) == 3


def test_a_photo_that_cannot_be_read_is_passed_over(tmp_path: Path) -> None:
    train = annotate(tmp_path / "photos", ("a",))
    train[0].photo.write_bytes(b"broken")
    train[1].photo.unlink()
    samples = draw_dataset(tmp_path / "out", "broken", {"train": train}, ("a",))[2]
    assert (pixels(samples) == 200).all(axis=-1).mean() > 0.05


def test_every_class_is_among_the_samples(tmp_path: Path) -> None:
    """Ninety photos of one class, each grey, and one of another, which is black."""
    common = annotate(tmp_path / "common", ("a",), photos=90)
    rare = annotate(tmp_path / "rare", ("a", "b"), photos=1, grey=0)
    for parts in ((*common, *rare), (*rare, *common)):
        samples = draw_dataset(tmp_path / "out", "rare", {"train": parts}, ("a", "b"))[2]
        assert (pixels(samples) == 0).all(axis=-1).mean() > 0.02


def test_the_same_data_give_the_same_pictures(tmp_path: Path) -> None:
    train = annotate(tmp_path / "photos", ("a", "b"), photos=30)
    one, other = (draw_dataset(tmp_path / name, "same", {"train": train}, ("a", "b")) for name in ("one", "other"))
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in other]


def test_thousands_of_boxes_are_drawn_as_a_density(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    photo = annotate(tmp_path / "photos", ("a",), photos=1)[0].photo
    sides = rng.uniform(1, 100, (200, 30, 2))
    train = tuple(
        Annotation(photo, (160, 120), tuple(Subject(Box(0, 0, *side), "a") for side in many), None) for many in sides
    )
    assert len(draw_dataset(tmp_path / "out", "dense", {"train": train}, ("a",))) == 3
