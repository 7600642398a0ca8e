"""Labels of a whole data set in another format."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections.abc import Sequence
from pathlib import Path

import pytest
from conftest import Run
from photos import ACE, KING, SIZE, Drawn, createml, hash_files, voc, write_photo, write_text, yolo
from PIL import Image

from pipeline.convert import Converted, Format, convert_labels
from pipeline.errors import DataError
from pipeline.labels import FORMATS, find_label, parse_label

NAMES = ("ace", "king")
YAML = "train: images/train\nval: images/val\nnames: [ace, king]\n"


def write_set(folder: Path, *, yaml: str = YAML) -> Path:
    """Photos in two folders, one of them below another, with a background and a photo without label."""
    photos: dict[str, Sequence[Drawn]] = {
        "train/a": [ACE, KING],
        "train/책 상": [KING],
        "val/deep/a": [ACE],
        "val/empty": [],
    }
    for seed, (name, boxes) in enumerate(photos.items()):
        write_photo(folder / "images" / f"{name}.jpg", seed=seed)
        write_text(folder / "labels" / f"{name}.txt", yolo(boxes, NAMES))
    write_photo(folder / "images" / "val" / "unlabelled.jpg", seed=9)
    write_text(folder / "labels" / "classes.txt", "ace\nking\n")
    return write_text(folder / "data.yaml", yaml)


def convert(file: Path, format: Format, folder: Path) -> Converted:
    return convert_labels(file, format=format, folder=folder)


def errors_of(file: Path, format: Format, folder: Path) -> list[str]:
    with pytest.raises((DataError, ExceptionGroup)) as caught:
        convert(file, format, folder)
    raised = caught.value
    return [str(error) for error in (raised.exceptions if isinstance(raised, ExceptionGroup) else (raised,))]


@pytest.mark.parametrize("format", FORMATS)
def test_every_label_is_written_below_the_folder_as_its_photo_is_below_images(tmp_path: Path, format: Format) -> None:
    file = write_set(tmp_path)
    before = hash_files(tmp_path)
    made = convert(file, format, tmp_path / "out")
    written = {
        path.relative_to(tmp_path / "out").as_posix() for path in (tmp_path / "out").rglob("*") if path.is_file()
    }
    lists = {f"{place}/classes.txt" for place in ("train", "val", "val/deep")} if format == "yolo" else set()
    stems = ("train/a", "train/책 상", "val/deep/a", "val/empty")
    assert written == {f"{stem}{FORMATS[format]}" for stem in stems} | lists
    assert (made.labels, made.notes) == (4, ())
    label = parse_label(
        tmp_path / "images" / "train" / "a.jpg", SIZE, tmp_path / "out" / f"train/a{FORMATS[format]}", NAMES
    )
    assert [box.class_name for box in label.boxes] == ["ace", "king"]
    for box, (_, *edges) in zip(label.boxes, (ACE, KING), strict=True):
        assert box.edges == pytest.approx(edges, abs=0.5)
    shutil.rmtree(tmp_path / "out")
    assert hash_files(tmp_path) == before


def test_labels_through_all_formats_are_in_the_end_the_ones_of_the_beginning(tmp_path: Path) -> None:
    file = write_set(tmp_path / "0")
    first = {path.relative_to(tmp_path / "0"): path.read_bytes() for path in (tmp_path / "0" / "labels").rglob("a.txt")}
    formats: tuple[Format, ...] = ("voc", "createml", "yolo")
    for step, format in enumerate(formats):
        home = tmp_path / str(step + 1)
        shutil.copytree(file.parent / "images", home / "images")
        convert(file, format, home / "labels")
        file = Path(shutil.copy(file, home))
    assert {path: (tmp_path / "3" / path).read_bytes() for path in first} == first
    assert (
        find_label(tmp_path / "3" / "images" / "val" / "deep" / "a.jpg")
        == tmp_path / "3" / "labels" / "val" / "deep" / "a.txt"
    )


@pytest.mark.parametrize("format", FORMATS)
def test_same_command_again_changes_nothing(tmp_path: Path, format: Format) -> None:
    file = write_set(tmp_path)
    convert(file, format, tmp_path / "out")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    assert convert(file, format, tmp_path / "out").labels == 4
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before


def test_nothing_is_overwritten_and_nothing_written_where_something_is_in_the_way(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    write_text(tmp_path / "out" / "train" / "a.txt", "0 0.1 0.1 0.1 0.1\n")
    (tmp_path / "out" / "val" / "empty.txt").mkdir(parents=True)
    write_text(tmp_path / "out" / "val" / "classes.txt", "king\nace\n")
    before = hash_files(tmp_path)
    told = errors_of(file, "yolo", tmp_path / "out")
    assert [line.removeprefix(f"{tmp_path}/out/").split(" - ")[:2] for line in told] == [
        ["train/a.txt", "is there already, with other content"],
        ["val/empty.txt", "is there already, with other content"],
        ["val/classes.txt", "is there already, with other classes than names"],
    ]
    assert hash_files(tmp_path) == before


def test_class_list_that_is_there_with_the_same_classes_stays_as_it_is(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    (tmp_path / "out" / "train").mkdir(parents=True)
    (tmp_path / "out" / "train" / "classes.txt").write_bytes(b"\xef\xbb\xbface\r\nking\r\n")
    convert(file, "yolo", tmp_path / "out")
    assert (tmp_path / "out" / "train" / "classes.txt").read_bytes() == b"\xef\xbb\xbface\r\nking\r\n"
    assert (tmp_path / "out" / "val" / "classes.txt").read_bytes() == b"ace\nking\n"


def test_all_labels_that_cannot_be_used_are_said_and_nothing_is_written(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    write_text(tmp_path / "labels" / "train" / "a.txt", "0 0,5 0,5 0,1 0,1\n9 0.5 0.5 0.1 0.1\n")
    write_text(tmp_path / "labels" / "val" / "empty.txt", "0 0.5 0.5 0 0\n")
    told = errors_of(file, "voc", tmp_path / "out")
    assert len(told) == 3
    assert not (tmp_path / "out").exists()


def test_class_list_in_another_order_stops_it(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    write_text(tmp_path / "labels" / "train" / "classes.txt", "king\nace\n")
    (told,) = errors_of(file, "voc", tmp_path / "out")
    assert "class 0 is 'king' here and 'ace' in names" in told
    assert not (tmp_path / "out").exists()


def test_marks_that_only_voc_has_are_counted_where_they_are_lost(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    text = (
        voc([ACE, KING]).replace("<difficult>0", "<difficult>1").replace("<annotation>", '<annotation verified="yes">')
    )
    (tmp_path / "labels" / "train" / "a.txt").unlink()
    write_text(tmp_path / "labels" / "train" / "a.xml", text)
    assert convert(file, "voc", tmp_path / "out").notes == ()
    assert (tmp_path / "out" / "train" / "a.xml").read_text(encoding="utf-8") == text.replace(
        "<truncated>0</truncated>\n\t\t<difficult>1</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>30",
        "<truncated>1</truncated>\n\t\t<difficult>1</difficult>\n\t\t<bndbox>\n\t\t\t<xmin>30",
    )
    others: tuple[Format, ...] = ("yolo", "createml")
    for format in others:
        assert convert(file, format, tmp_path / format).notes == (
            "2 boxes lose their mark 'difficult', which only voc has",
            "1 labels lose their mark 'verified', which only voc has",
        )


def test_label_of_a_photo_that_was_not_upright_is_turned_and_said(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("a", "b"):
        Image.new("RGB", SIZE).save(tmp_path / "images" / "train" / f"{name}.jpg", exif=exif)
    (tmp_path / "labels" / "train" / "a.txt").unlink()
    write_text(tmp_path / "labels" / "train" / "a.xml", voc([ACE]))
    write_text(tmp_path / "labels" / "train" / "b.txt", yolo([ACE], NAMES))
    unclear, turned = convert(file, "createml", tmp_path / "out").notes
    assert unclear.startswith("1 labels may be of photos before they were turned upright, the first: ")
    assert turned == "1 labels were drawn on photos that were not upright yet: their boxes are turned"
    written = json.loads((tmp_path / "out" / "train" / "a.json").read_text())
    assert written == json.loads(createml([("ace", 16, 6, 36, 36)], "a.jpg"))


def test_photo_that_cannot_be_opened_is_left_out_and_said(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    (tmp_path / "images" / "train" / "a.jpg").write_bytes(b"no photo")
    made = convert(file, "voc", tmp_path / "out")
    assert made.labels == 3
    assert len(made.notes) == 1
    assert made.notes[0].startswith(f"left out: {tmp_path}/images/train/a.jpg - not a photo")


def test_photos_without_a_folder_called_images_keep_their_folders_below_data_yaml(tmp_path: Path) -> None:
    write_photo(tmp_path / "one" / "train" / "a.jpg")
    write_text(tmp_path / "one" / "train" / "a.json", createml([ACE], "a.jpg"))
    file = write_text(tmp_path / "data.yaml", "train: one/train\nval: one/train\nnames: [ace, king]\n")
    assert convert(file, "voc", tmp_path / "out").labels == 1
    assert (tmp_path / "out" / "one" / "train" / "a.xml").is_file()


def test_photos_elsewhere_keep_the_folders_below_the_one_they_share(tmp_path: Path) -> None:
    for place, seed in (("train", 0), ("val", 1)):
        write_photo(tmp_path / "photos" / place / "a.jpg", seed=seed)
        write_text(tmp_path / "photos" / place / "a.txt", yolo([ACE], NAMES))
    yaml = f"path: {tmp_path / 'photos'}\ntrain: train\nval: val\nnames: [ace, king]\n"
    file = write_text(tmp_path / "home" / "data.yaml", yaml)
    convert(file, "voc", tmp_path / "out")
    assert (tmp_path / "out" / "train" / "a.xml").is_file()
    assert (tmp_path / "out" / "val" / "a.xml").is_file()


def test_photos_that_share_a_label_which_would_differ_are_an_error(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    write_photo(tmp_path / "images" / "train" / "a.png", seed=7)
    (told,) = errors_of(file, "voc", tmp_path / "out")
    assert "would share the label a.xml with another photo - rename one of them" in told
    assert not (tmp_path / "out").exists()
    assert convert(file, "yolo", tmp_path / "out").labels == 4


def test_class_names_in_the_other_unicode_form_are_written_as_names_has_them(tmp_path: Path) -> None:
    nfc, nfd = unicodedata.normalize("NFC", "동화책"), unicodedata.normalize("NFD", "동화책")
    write_photo(tmp_path / "photos" / "a.jpg")
    write_text(tmp_path / "photos" / "a.xml", voc([(nfd, *ACE[1:])]))
    file = write_text(tmp_path / "data.yaml", f"train: photos\nval: photos\nnames: [{nfc}]\n")
    convert(file, "createml", tmp_path / "out")
    written = json.loads((tmp_path / "out" / "photos" / "a.json").read_text())
    assert written == json.loads(createml([(nfc, *ACE[1:])], "a.jpg"))


def test_data_without_labels_is_an_error(tmp_path: Path) -> None:
    file = write_set(tmp_path)
    shutil.rmtree(tmp_path / "labels")
    (told,) = errors_of(file, "voc", tmp_path / "out")
    assert told == f"{file} - none of the 5 photos has a label - label some photos first, with make label"
    file.write_text(f"{YAML}classes_from: folders\n", encoding="utf-8")
    (told,) = errors_of(file, "voc", tmp_path / "out")
    assert (
        told
        == f"{file} - the classes come from the photos' folders: there are no labels - expected classes_from: labels"
    )


def test_command_says_how_many_labels_were_written_and_where(tmp_path: Path, here: Run) -> None:
    file = write_set(tmp_path)
    told = here("convert", "--data", file, "--to", "voc", "--out", tmp_path / "out")
    assert (told.returncode, told.stdout, told.stderr) == (0, f"4 labels written to {tmp_path / 'out'}\n", "")
    write_text(tmp_path / "labels" / "train" / "a.txt", "0 0.5 0.5 0 0\n1 0.5 0.5\n")
    told = here("convert", "--data", file, "--to", "yolo", "--out", tmp_path / "new")
    assert (told.returncode, told.stdout, len(told.stderr.splitlines())) == (1, "", 2)
    told = here("convert", "--data", file, "--to", "xml", "--out", tmp_path / "new")
    assert told.returncode == 2
    assert all(word in told.stderr for word in ("--to", "'xml'", "'yolo'", "'voc'", "'createml'"))
    assert not (tmp_path / "new").exists()
