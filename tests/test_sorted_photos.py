"""Photos whose class is the folder's name or the beginning of their own."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from photos import write_photo

from pipeline.problems import Kind
from pipeline.reading import read_parts
from pipeline.sorted_photos import find_class, find_sorted_names, name_before_number

NAMES = ("apple", "green apple", "사과")


@pytest.mark.parametrize(
    ("photo", "class_name"),
    [
        ("train/apple/001.jpg", "apple"),
        ("train/green apple/a b.jpg", "green apple"),
        ("train/apple/morning/001.jpg", "apple"),  # folders of days inside the class
        ("apple/사과/1.jpg", "사과"),  # the nearest counts
        (unicodedata.normalize("NFD", "train/사과/1.jpg"), "사과"),
        ("train/pear/apple.jpg", None),
        ("apple.jpg", None),
    ],
)
def test_folder_says_the_class(photo: str, class_name: str | None) -> None:
    assert find_class(Path(photo), NAMES, "folders") == class_name


@pytest.mark.parametrize(
    ("photo", "class_name"),
    [
        ("apple.0.jpg", "apple"),
        ("green apple (3).jpg", "green apple"),
        ("green apple12.jpg", "green apple"),
        ("apple_0001.jpg", "apple"),
        (unicodedata.normalize("NFD", "사과-7.jpg"), "사과"),
        ("apple.jpg", None),  # no number: as likely a word as a class
        ("pineapple.1.jpg", None),
        ("0001.jpg", None),
    ],
)
def test_name_says_the_class(photo: str, class_name: str | None) -> None:
    assert find_class(Path("apple", photo), NAMES, "names") == class_name


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("cat.0", "cat"),
        ("cat.0.1", "cat.0"),
        ("cat 2 dogs 3", "cat 2 dogs"),
        ("12", None),
        ("2024-05", None),
        ("", None),
    ],
)
def test_what_stands_before_the_number(stem: str, name: str | None) -> None:
    assert name_before_number(Path(f"{stem}.jpg")) == name


def test_names_are_found_once_each(tmp_path: Path) -> None:
    photos = [tmp_path / folder / name for folder in ("b", "a") for name in ("cat.1.jpg", "dog.1.jpg", "cat.2.jpg")]
    assert find_sorted_names(photos, "folders") == ("a", "b")
    assert find_sorted_names(photos, "names") == ("cat", "dog")


def test_whole_photo_is_the_subject(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "apple" / "1.jpg", size=(60, 40))
    reading = read_parts({"train": [photo]}, NAMES, classes_from="folders")
    (annotation,) = reading.parts["train"]
    assert (annotation.size, annotation.label, reading.problems) == ((60, 40), None, ())
    (subject,) = annotation.subjects
    assert (subject.box.edges, subject.class_name) == ((0, 0, 60, 40), "apple")


def test_photo_without_class_and_broken_photo_are_problems(tmp_path: Path) -> None:
    (tmp_path / "apple").mkdir()
    broken = tmp_path / "apple" / "2.jpg"
    broken.write_bytes(b"no photo")
    stray = write_photo(tmp_path / "pear" / "1.jpg")
    good = write_photo(tmp_path / "apple" / "3.jpg")
    reading = read_parts({"train": [broken, stray, good]}, NAMES, classes_from="folders")
    assert [annotation.photo for annotation in reading.parts["train"]] == [good]
    assert [(problem.kind, problem.path) for problem in reading.problems] == [
        (Kind.PHOTO_UNREADABLE, broken),
        (Kind.CLASS_UNTOLD, stray),
    ]
