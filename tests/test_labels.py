"""LabelImg's three formats, as LabelImg 1.8.6 writes them."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from photos import ACE, KING, SIZE, Drawn, createml, voc, write_text, yolo

from pipeline.boxes import Box
from pipeline.errors import DataError
from pipeline.labels import Annotation, Subject, find_label, format_yolo, names_in_label, read_class_list, read_label

NAMES = ("ace", "king")


def read(label: Path, *, names: tuple[str, ...] = NAMES, photo: str = "a.jpg") -> Annotation:
    return read_label(label.with_name(photo), SIZE, label, names)


def write_as(folder: Path, suffix: str, boxes: list[Drawn]) -> Path:
    names = tuple(dict.fromkeys([*NAMES, *(box[0] for box in boxes)]))
    text = {".txt": yolo(boxes, names), ".xml": voc(boxes), ".json": createml(boxes, "a.jpg")}[suffix]
    return write_text(folder / f"a{suffix}", text)


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_boxes_are_read_as_labelimg_wrote_them(tmp_path: Path, suffix: str) -> None:
    label = write_as(tmp_path, suffix, [ACE, KING])
    annotation = read(label)
    assert (annotation.size, annotation.label, annotation.photo) == (SIZE, label, tmp_path / "a.jpg")
    assert [subject.class_name for subject in annotation.subjects] == ["ace", "king"]
    for subject, (_, *edges) in zip(annotation.subjects, (ACE, KING), strict=True):
        assert subject.box.edges == pytest.approx(edges, abs=0.01)


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_label_without_boxes_is_a_background(tmp_path: Path, suffix: str) -> None:
    assert read(write_as(tmp_path, suffix, [])).subjects == ()


def test_photo_without_label_is_a_background_that_says_so(tmp_path: Path) -> None:
    assert read_label(tmp_path / "a.jpg", SIZE, None, NAMES) == Annotation(tmp_path / "a.jpg", SIZE, (), None)


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_box_over_the_edge_is_clipped_to_the_photo(tmp_path: Path, suffix: str) -> None:
    subject = read(write_as(tmp_path, suffix, [("ace", -6, 4, 66, 44)])).subjects[0]
    assert subject.box.edges == pytest.approx((0, 4, 60, 40), abs=0.01)


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
@pytest.mark.parametrize("box", [("ace", 70, 50, 90, 60), ("ace", 5, 5, 5, 5)])
def test_box_without_area_in_the_photo_is_an_error(tmp_path: Path, suffix: str, box: Drawn) -> None:
    with pytest.raises(DataError, match=r"without area inside the photo \(.* of 60 x 40\) - remove or redraw it"):
        read(write_as(tmp_path, suffix, [box]))


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_bom_crlf_and_blank_lines_change_nothing(tmp_path: Path, suffix: str) -> None:
    label = write_as(tmp_path, suffix, [ACE, KING])
    plain = read(label).subjects
    text = label.read_text(encoding="utf-8").replace("\n", "\r\n\r\n")
    label.write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read(label).subjects == plain


def test_class_that_names_lacks_is_told_with_the_line_of_its_box(tmp_path: Path) -> None:
    text = write_as(tmp_path, ".txt", [ACE, ("queen", 1, 1, 9, 9)])
    with pytest.raises(DataError) as caught:
        read(text)
    remedy = "add the class to names in data.yaml, or label it again"
    assert str(caught.value) == f"{text}:2 - class 2, but names has 2 (0 to 1) - {remedy}"
    xml = write_as(tmp_path, ".xml", [ACE, ("queen & co", 1, 1, 9, 9)])
    line = xml.read_text(encoding="utf-8").splitlines().index("\t\t<name>queen &amp; co</name>")
    with pytest.raises(DataError, match=rf"a\.xml:{line} - class 'queen & co', which names lacks \(ace, king\)"):
        read(xml)
    with pytest.raises(DataError, match=r"a\.json - class 'queen', which names lacks"):
        read(write_as(tmp_path, ".json", [("queen", 1, 1, 9, 9)]))


def test_wrong_box_is_told_with_its_own_line_and_not_with_that_of_another_box_of_its_class(tmp_path: Path) -> None:
    label = write_as(tmp_path, ".xml", [ACE, ACE])
    first, second = (number for number, row in enumerate(label.read_text().splitlines(), 1) if "<object>" in row)
    text = label.read_text(encoding="utf-8")
    cut = text.rindex("<xmin>6<")
    write_text(label, text[:cut] + "<xmin>six<" + text[cut + len("<xmin>6<") :])
    with pytest.raises(DataError, match=rf"a\.xml:{second} - 'six' is no number"):
        read(label)
    assert first < second


def test_size_that_the_photo_no_longer_has_is_an_error(tmp_path: Path) -> None:
    label = write_text(tmp_path / "a.xml", voc([ACE], size=(40, 60)))
    with pytest.raises(DataError, match=r"drawn on 40 x 60 pixels, a\.jpg has 60 x 40 - label the photo again"):
        read(label)


def test_size_that_labelimg_could_not_tell_is_no_error(tmp_path: Path) -> None:
    assert len(read(write_text(tmp_path / "a.xml", voc([ACE], size=(0, 0)))).subjects) == 1


def test_createml_of_another_photo_is_an_error_and_no_background(tmp_path: Path) -> None:
    label = write_text(tmp_path / "a.json", createml([ACE], "b.jpg"))
    with pytest.raises(DataError, match=r"is of b\.jpg, not of a\.jpg - give the photo that name again"):
        read(label)


def test_createml_finds_a_korean_photo_in_either_unicode_form(tmp_path: Path) -> None:
    label = write_text(tmp_path / "책.json", createml([ACE], unicodedata.normalize("NFC", "책.jpg")))
    assert len(read(label, photo=unicodedata.normalize("NFD", "책.jpg")).subjects) == 1


def test_names_with_blanks_around_them_are_the_same_classes(tmp_path: Path) -> None:
    for suffix in (".xml", ".json"):
        label = write_as(tmp_path, suffix, [(" ace ", 6, 4, 36, 24)])
        assert names_in_label(label) == {"ace"}
        assert read(label).subjects[0].class_name == "ace"


def test_names_are_told_of_labels_that_hold_them(tmp_path: Path) -> None:
    boxes = [ACE, ("여왕 & 왕", 1, 1, 9, 9), ACE]
    assert names_in_label(write_as(tmp_path, ".xml", boxes)) == {"ace", "여왕 & 왕"}
    assert names_in_label(write_as(tmp_path, ".json", boxes)) == {"ace", "여왕 & 왕"}
    assert names_in_label(write_as(tmp_path, ".txt", boxes)) == set()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949"])
def test_class_list_is_read_as_windows_and_others_write_it(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "classes.txt").write_bytes("동화책\r\n만화\r\n\r\n".encode(encoding))
    assert read_class_list(tmp_path / "classes.txt") == ("동화책", "만화")


def test_class_list_in_neither_encoding_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_bytes(b"\xff\xfe\x00a\xff")
    with pytest.raises(DataError, match="neither UTF-8 nor Korean Windows text - save it as UTF-8"):
        read_class_list(tmp_path / "classes.txt")


@pytest.mark.parametrize(
    "place",
    ["labels/a", "images/a", "images/labels/a", "images/annotations/a", "images/Annotations/a", "annotations/a"],
)
@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_label_is_found_beside_its_photo_or_in_a_folder_of_labels(tmp_path: Path, place: str, suffix: str) -> None:
    label = write_text(tmp_path / f"{place}{suffix}", "")
    assert find_label(tmp_path / "images" / "a.jpg") == label


def test_label_is_found_in_labels_in_the_place_of_the_last_images(tmp_path: Path) -> None:
    label = write_text(tmp_path / "images" / "set" / "labels" / "train" / "a.txt", "")
    assert find_label(tmp_path / "images" / "set" / "images" / "train" / "a.jpg") == label


def test_the_likeliest_place_comes_before_the_likeliest_format(tmp_path: Path) -> None:
    order = ["labels/a.txt", "labels/a.xml", "labels/a.json", "images/a.txt", "images/a.xml", "images/labels/a.txt"]
    labels = [write_text(tmp_path / name, "") for name in order]
    for label in labels:
        assert find_label(tmp_path / "images" / "a.jpg") == label
        label.unlink()
    assert find_label(tmp_path / "images" / "a.jpg") is None


def test_class_list_is_no_label_of_a_photo_called_classes(tmp_path: Path) -> None:
    write_text(tmp_path / "classes.txt", "ace\n")
    assert find_label(tmp_path / "classes.jpg") is None


@pytest.mark.skipif(os.uname().sysname == "Darwin" if hasattr(os, "uname") else False, reason="macOS knows both forms")
@pytest.mark.parametrize(("photo", "label"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_label_is_found_in_the_other_unicode_form(tmp_path: Path, photo: str, label: str) -> None:
    forms = {"NFC": unicodedata.normalize("NFC", "동화책"), "NFD": unicodedata.normalize("NFD", "동화책")}
    path = write_text(tmp_path / f"{forms[label]}.txt", "")
    assert find_label(tmp_path / f"{forms[photo]}.jpg") == path


def test_photo_whose_name_leaves_no_room_for_a_label_has_none(tmp_path: Path) -> None:
    assert find_label(tmp_path / f"{'n' * 251}.jpg") is None


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_folder_of_labels_that_may_not_be_read_is_no_background(tmp_path: Path) -> None:
    write_text(tmp_path / "labels" / "a.txt", "")
    tmp_path.chmod(0o755)
    (tmp_path / "labels").chmod(0)
    user, here = os.geteuid(), Path.cwd()
    os.chdir(tmp_path)
    try:
        if user == 0:
            os.seteuid(65534)
        with pytest.raises(DataError, match="labels - may not be read"):
            find_label(Path("a.jpg"))
    finally:
        os.seteuid(user)
        os.chdir(here)
        (tmp_path / "labels").chmod(0o755)


def test_yolo_text_is_what_labelimg_writes_and_reads_back_within_half_a_pixel(tmp_path: Path) -> None:
    size = (4032, 3024)
    boxes: list[Drawn] = [("ace", 0, 0, 4032, 3024), ("king", 17, 1001, 18, 3023), ("ace", 1333, 7, 2001, 8)]
    subjects = tuple(Subject(Box(*edges), name) for name, *edges in boxes)
    text = format_yolo(Annotation(tmp_path / "a.jpg", size, subjects, None), NAMES)
    assert text == yolo(boxes, NAMES, size)
    back = read_label(tmp_path / "a.jpg", size, write_text(tmp_path / "a.txt", text), NAMES)
    for subject, (name, *edges) in zip(back.subjects, boxes, strict=True):
        assert subject.class_name == name
        assert subject.box.edges == pytest.approx(edges, abs=0.5)
