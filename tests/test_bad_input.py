"""One table of bad inputs: each ends a command with the right exit code and a line that names the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from photos import ACE, KING, createml, hash_files, voc, write_labelled, write_photo, write_text, yolo

from pipeline.config import read_config
from pipeline.dataset import load_dataset
from pipeline.errors import CropsortError
from pipeline.init import init_dataset

NAMES = ("ace", "king")
YAML = "train: photos\nval: photos\nnames: [ace, king]\n"
BILLION = (
    '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "lol"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">'
    '<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><annotation>&c;</annotation>'
)
OUTSIDE = '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation><filename>&x;</filename></annotation>'


def write_set(folder: Path) -> None:
    """A good data set of two photos, into which each row of the table puts one bad thing."""
    write_labelled(folder / "photos", {"a": [ACE], "b": [KING]}, NAMES)
    write_text(folder / "data.yaml", YAML)


def relabel(suffix: str, content: str | bytes) -> Callable[[Path], None]:
    """Give photo a another label."""

    def write(folder: Path) -> None:
        (folder / "photos" / "a.txt").unlink()
        data = content if isinstance(content, bytes) else content.encode()
        (folder / "photos" / f"a{suffix}").write_bytes(data)

    return write


def rewrite(name: str, content: str | bytes) -> Callable[[Path], None]:
    data = content if isinstance(content, bytes) else content.encode()

    def write(folder: Path) -> None:
        (folder / name).write_bytes(data)

    return write


def remove_photos(folder: Path) -> None:
    for photo in (folder / "photos").glob("*.jpg"):
        photo.unlink()


def empty_photos(folder: Path) -> None:
    for photo in (folder / "photos").glob("*.jpg"):
        photo.write_bytes(b"")


def replace_in(text: str, *pairs: tuple[str, str]) -> str:
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new, 1)
    return text


XML = voc([ACE])
LISTED = '[{"image": "a.jpg", "annotations": [{"label": "ace", "coordinates": [6, 4, 36, 24]}]}]'
AGAIN = "label it again"
FROM_NEW = "label the photo again"
AS_IS = "label the photo again as it is now"
NO_JSON = "a.json - not a CreateML label"

LABELS: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "too few numbers": (relabel(".txt", "0 0.5 0.5 0.1\n"), "a.txt:1 - '0 0.5 0.5 0.1': 4 of 5 fields", AGAIN),
    "too many numbers": (relabel(".txt", "0 0.5 0.5 0.1 0.1 0.9\n"),
                         "a.txt:1 - '0 0.5 0.5 0.1 0.1 0.9': 6 fields, perhaps with a confidence", AGAIN),
    "polygon": (relabel(".txt", f"0 {'0.1 ' * 40}\n"), "0.1...': a polygon of 20 points; a class number", AGAIN),
    "words": (relabel(".txt", "\nace 0.5 0.5 0.1 0.1\n"), "a.txt:2 - 'ace 0.5", AGAIN),
    "caption": (relabel(".txt", "my photo of an ace\n"), "a.txt:1 - 'my photo of an ace'", AGAIN),
    "decimal commas": (relabel(".txt", "0 0,5 0,5 0,1 0,1\n"),
                       "a.txt:1 - '0 0,5 0,5 0,1 0,1': '0,5' has a decimal comma - write points for the commas", AGAIN),
    "fraction of a class": (relabel(".txt", "0.5 0.5 0.5 0.1 0.1\n"), "a.txt:1 - '0.5 0.5", AGAIN),
    "class too high": (relabel(".txt", "2 0.5 0.5 0.1 0.1\n"), "a.txt:1 - class 2, but names has 2 (0 to 1)", AGAIN),
    "class below nought": (relabel(".txt", "-1 0.5 0.5 0.1 0.1\n"), "a.txt:1 - class -1, but names has 2", AGAIN),
    "not a number": (relabel(".txt", "0 nan 0.5 0.1 0.1\n"),
                     "a.txt:1 - '0 nan 0.5 0.1 0.1': 'nan' is no finite number", AGAIN),
    "endless": (relabel(".txt", "0 0.5 0.5 inf 0.1\n"),
                "a.txt:1 - '0 0.5 0.5 inf 0.1': 'inf' is no finite number", AGAIN),
    "negative width": (relabel(".txt", "0 0.5 0.5 -0.1 0.1\n"),
                       "a.txt:1 - '0 0.5 0.5 -0.1 0.1': a width or height below nought", AGAIN),
    "no area": (relabel(".txt", "0 0.5 0.5 0 0.1\n"), "a.txt:1 - a box without area", "remove or redraw it"),
    "pixels for parts": (relabel(".txt", "0 300 200 50 50\n"),
                         "a.txt:1 - '0 300 200 50 50': in pixels, where parts", AGAIN),
    "bytes": (relabel(".txt", b"\x89PNG\xff\xfe\x00"), "a.txt - neither UTF-8 nor Korean", "save it as UTF-8"),
    "bytes for classes": (rewrite("photos/classes.txt", b"\xff\xff\xff"), "classes.txt - neither UTF-8 nor Korean",
                          "save it as UTF-8"),
    "entities that grow": (relabel(".xml", BILLION), "a.xml - declares entities, which LabelImg never does", FROM_NEW),
    "entity of a file": (relabel(".xml", OUTSIDE), "a.xml - declares entities, which LabelImg never does", FROM_NEW),
    "no xml": (relabel(".xml", "0 0.5 0.5 0.1 0.1\n"), "a.xml:1 - not XML (", FROM_NEW),
    "half an xml": (relabel(".xml", XML[: len(XML) // 2]), "a.xml:", FROM_NEW),
    "empty xml": (relabel(".xml", ""), "a.xml:1 - not XML (no element found", FROM_NEW),
    "xml with a nought byte": (relabel(".xml", XML.replace("ace", "a\0e")), "a.xml:", FROM_NEW),
    "width in words": (relabel(".xml", replace_in(XML, (">60<", ">wide<"))),
                       "a.xml - <size>: 'wide' is no number", FROM_NEW),
    "width not a number": (relabel(".xml", replace_in(XML, (">60<", ">nan<"))),
                           "a.xml - <size>: 'nan' is no finite number", FROM_NEW),
    "width endless": (relabel(".xml", replace_in(XML, (">60<", ">inf<"))),
                      "a.xml - <size>: 'inf' is no finite number", FROM_NEW),
    "other size": (relabel(".xml", voc([ACE], (600, 400))), "a.xml - drawn on 600 x 400 pixels, a.jpg has 60 x 40",
                   AS_IS),
    "no name": (relabel(".xml", replace_in(XML, ("<name>ace</name>", ""))), "a.xml:14 - an object without <name>",
                FROM_NEW),
    "empty name": (relabel(".xml", voc([(" ", *ACE[1:])])), "a.xml:14 - an object without <name>", FROM_NEW),
    "no edge": (relabel(".xml", replace_in(XML, ("<xmax>36</xmax>", ""))),
                "a.xml:14 - an object without <bndbox/xmax>", FROM_NEW),
    "edge in words": (relabel(".xml", replace_in(XML, (">36<", ">far<"))), "a.xml:14 - 'far' is no number", FROM_NEW),
    "edges swapped": (relabel(".xml", voc([("ace", 36, 4, 6, 24)])),
                      "a.xml:14 - corners in the wrong order: 36, 4 to 6, 24", FROM_NEW),
    "class of xml": (relabel(".xml", voc([("queen", *ACE[1:])])), "a.xml:14 - class 'queen', which names lacks",
                     "add it to names in data.yaml, or label the box again"),
    "no json": (relabel(".json", "{"), NO_JSON, FROM_NEW),
    "json of labelme": (relabel(".json", '{"version": "5.0", "shapes": []}'), f"{NO_JSON} but labelme's", FROM_NEW),
    "json of numbers": (relabel(".json", "[1, 2]"), NO_JSON, FROM_NEW),
    "json null": (relabel(".json", "null"), NO_JSON, FROM_NEW),
    "json too deep": (relabel(".json", "[" * 100_000), NO_JSON, FROM_NEW),
    "json without label": (relabel(".json", createml([ACE], "a.jpg").replace("label", "class")),
                           NO_JSON, FROM_NEW),
    "json without image": (relabel(".json", createml([ACE], "a.jpg").replace("image", "photo")),
                           NO_JSON, FROM_NEW),
    "json without x": (relabel(".json", createml([ACE], "a.jpg").replace('"x"', '"z"')), "a.json - box 1: no 'x'",
                       FROM_NEW),
    "json list of edges": (relabel(".json", LISTED),
                           "a.json - box 1: 'coordinates' is no object, expected x, y, width and height in pixels",
                           FROM_NEW),
    "json not a number": (relabel(".json", createml([ACE], "a.jpg").replace("21.0", "NaN")),
                          "a.json - box 1: 'nan' is no finite number", FROM_NEW),
    "json of another photo": (relabel(".json", createml([ACE], "c.jpg")), "a.json - is of c.jpg, not of a.jpg",
                              "give the photo that name again, or label it again"),
    "classes in another order": (rewrite("photos/classes.txt", "king\nace\n"),
                                 "classes.txt:1 - class 0 is 'king' here and 'ace' in names",
                                 "bring both lists into the same order"),
    "no photos": (remove_photos, "photos - no photos in this folder", "expected JPEG, PNG, HEIC or the like"),
    "no photo that opens": (empty_photos, "a.jpg - none of the 2 photos of train can be opened",
                            "check where the photos are"),
    "folder misspelt": (rewrite("data.yaml", YAML.replace("photos", "fotos")), "fotos - no such folder",
                        "check the spelling of 'train' in data.yaml"),
    "list misspelt": (rewrite("data.yaml", YAML.replace("photos", "fotos.txt")), "fotos.txt - no such file",
                      "check the spelling of 'train' in data.yaml"),
    "list of nothing": (rewrite("photos.txt", "\n"), "photos.txt - names no photo", "the path of a photo in each line"),
}  # fmt: skip


@pytest.mark.parametrize("name", LABELS)
def test_bad_data_is_one_line_that_names_the_file_and_the_remedy(tmp_path: Path, name: str) -> None:
    spoil, found, remedy = LABELS[name]
    write_set(tmp_path)
    spoil(tmp_path)
    if name == "list of nothing":
        write_text(tmp_path / "data.yaml", YAML.replace("photos", "photos.txt"))
    before = hash_files(tmp_path)
    with pytest.raises((CropsortError, ExceptionGroup)) as caught:
        load_dataset(tmp_path / "data.yaml", read_config(tmp_path / "data.yaml"))
    raised = caught.value
    (error,) = raised.exceptions if isinstance(raised, ExceptionGroup) else (raised,)
    assert isinstance(error, CropsortError)
    line = str(error)
    assert line.startswith(str(tmp_path))
    assert found in line
    assert line.endswith(remedy)
    assert "\n" not in line
    assert error.exit_code == 1
    assert hash_files(tmp_path) == before


@pytest.mark.parametrize(
    "name", ["no xml", "no json", "entities that grow", "json too deep", "bytes", "too few numbers"]
)
def test_bad_label_ends_init_with_the_same_line_and_writes_nothing(tmp_path: Path, name: str) -> None:
    spoil, found, _ = LABELS[name]
    write_set(tmp_path)
    spoil(tmp_path)
    before = hash_files(tmp_path)
    with pytest.raises((CropsortError, ExceptionGroup)) as caught:
        init_dataset(tmp_path / "photos", tmp_path / "new.yaml")
    raised = caught.value
    lines = [str(error) for error in raised.exceptions] if isinstance(raised, ExceptionGroup) else [str(raised)]
    assert any(found in line for line in lines)
    assert hash_files(tmp_path) == before


def test_the_good_set_that_the_table_spoils_is_good(tmp_path: Path) -> None:
    write_set(tmp_path)
    data = load_dataset(tmp_path / "data.yaml", read_config(tmp_path / "data.yaml"))
    assert [len(photo.subjects) for photo in data.train] == [1, 1]
    assert yolo([ACE], NAMES) == (tmp_path / "photos" / "a.txt").read_text(encoding="utf-8")
    write_photo(tmp_path / "photos" / "c.jpg")
    assert len(load_dataset(tmp_path / "data.yaml", read_config(tmp_path / "data.yaml")).train) == 3
