"""Everything that can be wrong with a label, each by its kind, line and boxes; and what is no problem."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest
from photos import ACE, KING, SIZE, Drawn, createml, voc, write_text, yolo

from pipeline.environment import ROOT
from pipeline.labels import Label, find_labels, names_in_label, parse_label, read_class_list
from pipeline.labels.text import MAX_BYTES
from pipeline.problems import Kind

NAMES = ("ace", "king")
LARGE = (2000, 1000)


def parse(
    folder: Path, suffix: str, content: str | bytes, *, names: tuple[str, ...] = NAMES, size: tuple[int, int] = SIZE
) -> Label:
    label = folder / f"a{suffix}"
    label.write_bytes(content if isinstance(content, bytes) else content.encode())
    return parse_label(folder / "a.jpg", size, label, names)


def found(label: Label) -> list[tuple[Kind, int | None]]:
    return [(problem.kind, problem.line) for problem in label.problems]


def only(label: Label) -> str:
    (problem,) = label.problems
    assert (problem.path, problem.photo) == (label.path, label.photo)
    assert "\n" not in str(problem)
    return str(problem).removeprefix(str(label.path))


@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_good_label_has_no_problem(tmp_path: Path, suffix: str) -> None:
    text = {".txt": yolo([ACE, KING], NAMES), ".xml": voc([ACE, KING]), ".json": createml([ACE, KING], "a.jpg")}[suffix]
    label = parse(tmp_path, suffix, text)
    assert label.problems == ()
    assert [subject.class_name for subject in label.annotation.subjects] == ["ace", "king"]


def test_rows_that_cannot_be_understood_leave_the_others_as_they_are(tmp_path: Path) -> None:
    row = yolo([ACE], NAMES).strip()
    label = parse(tmp_path, ".txt", f"{row}\n0 0,5 0,5 0,1 0,1\n\n9 0.5 0.5 0.1 0.1\nnan\n1 0.6 0.6 0.2 0.2\n")
    assert found(label) == [(Kind.ROW_MALFORMED, 2), (Kind.ROW_MALFORMED, 5), (Kind.CLASS_UNKNOWN, 4)]
    assert [(box.class_name, box.line) for box in label.boxes] == [("ace", 1), ("king", 6)]
    text = voc([ACE, KING, ACE]).replace("<xmin>30<", "<xmin>30,5<")
    label = parse(tmp_path, ".xml", text)
    assert found(label)[0] == (Kind.ROW_MALFORMED, 26)
    assert "'30,5' has a decimal comma" in str(label.problems[0])
    assert [box.class_name for box in label.boxes] == ["ace", "ace"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("0 0.5 0.5", "3 of 5 fields"),
        ("0,0.5,0.5,0.1,0.1", "commas between the numbers"),
        ("0, 0.5, 0.5, 0.1, 0.1", "is no number"),
        ("0 0.1 0.1 0.2 0.1 0.2 0.2", "a polygon of 3 points"),
        ("0 0.5 0.5 0.1 0.1 0.93", "perhaps with a confidence"),
        ("0 0,5 0.5 0.1 0.1", "'0,5' has a decimal comma - write points for the commas"),
        ("0 1e400 0.5 0.1 0.1", "is no finite number"),
        ("0 1e308 0.5 1e308 0.1", "must be finite"),
        ("nan 0.5 0.5 0.1 0.1", "is no finite number"),
        ("0.5 0.5 0.5 0.1 0.1", "'0.5' is no class number"),
        ("0 30 20 12 9", "in pixels, where parts"),
    ],
)  # fmt: skip
def test_yolo_row_says_what_is_wrong_with_it(tmp_path: Path, row: str, said: str) -> None:
    label = parse(tmp_path, ".txt", f"\n{row}\n")
    assert found(label) == [(Kind.ROW_MALFORMED, 2)]
    assert said in only(label)


def test_whole_class_number_written_with_a_point_is_that_number(tmp_path: Path) -> None:
    assert [box.class_name for box in parse(tmp_path, ".txt", "1.0 0.5 0.5 0.2 0.2\n").boxes] == ["king"]


def test_text_that_is_no_label_is_said_in_some_lines_and_not_in_thousands(tmp_path: Path) -> None:
    label = parse(tmp_path, ".txt", "a note on the photo, not a label\n" * 5000)
    assert len(label.problems) == 21
    assert "and 4980 more rows like these" in str(label.problems[-1])


@pytest.mark.parametrize("count", [2, 15])
def test_number_of_labelimgs_own_classes_is_told_with_what_it_would_be(tmp_path: Path, count: int) -> None:
    names = tuple(f"class {number}" for number in range(count))
    label = parse(tmp_path, ".txt", "16 0.5 0.5 0.2 0.2\n", names=names)
    assert found(label) == [(Kind.CLASS_PREDEFINED, 1)]
    assert "after the 15 that LabelImg brings along it would be 'class 1'" in only(label)


def test_number_that_labelimgs_own_classes_do_not_explain_is_an_unknown_class(tmp_path: Path) -> None:
    many = tuple(f"class {number}" for number in range(16))
    for row, names in (("17", NAMES), ("14", NAMES), ("16", many), ("-1", NAMES), ("1e300", NAMES)):
        assert found(parse(tmp_path, ".txt", f"{row} 0.5 0.5 0.2 0.2\n", names=names)) == [(Kind.CLASS_UNKNOWN, 1)]


EDGES: dict[str, tuple[Drawn, list[Kind]]] = {
    "at the edges": (("ace", 0, 0, 2000, 1000), []),
    "a pixel over, as programs round": (("ace", -1, -1, 2001, 1001), []),
    "outside at the left": (("ace", -40, 5, 90, 90), [Kind.BOX_OUTSIDE]),
    "outside below": (("ace", 5, 5, 90, 1040), [Kind.BOX_OUTSIDE]),
    "wholly outside": (("ace", 2100, 5, 2200, 90), [Kind.BOX_EMPTY]),
    "touching from outside": (("ace", 2000, 5, 2200, 90), [Kind.BOX_EMPTY]),
    "a line": (("ace", 5, 5, 5, 90), [Kind.BOX_EMPTY]),
    "a hundredth of the longer side": (("ace", 5, 5, 25, 25), []),
    "a thousandth of the longer side": (("ace", 5, 5, 7, 90), [Kind.BOX_TINY]),
    "hardly inside": (("ace", -90, 5, 3, 90), [Kind.BOX_OUTSIDE, Kind.BOX_TINY]),
}  # fmt: skip


@pytest.mark.parametrize("name", EDGES)
@pytest.mark.parametrize("suffix", [".txt", ".xml", ".json"])
def test_place_and_size_of_a_box(tmp_path: Path, suffix: str, name: str) -> None:
    drawn, kinds = EDGES[name]
    text = {".txt": yolo([drawn], NAMES, LARGE), ".xml": voc([drawn], LARGE), ".json": createml([drawn], "a.jpg")}[
        suffix
    ]
    label = parse(tmp_path, suffix, text, size=LARGE)
    assert [problem.kind for problem in label.problems] == kinds
    for problem in label.problems:
        assert problem.line == {".txt": 1, ".xml": 14, ".json": None}[suffix]
        assert problem.boxes[0].edges == pytest.approx(drawn[1:], abs=0.01)
    inside = label.annotation.subjects
    assert len(inside) == (Kind.BOX_EMPTY not in kinds)
    assert all(0 <= edge <= 2000 for subject in inside for edge in subject.box.edges)


def test_side_of_less_than_four_pixels_is_tiny_in_a_small_photo_too(tmp_path: Path) -> None:
    assert found(parse(tmp_path, ".xml", voc([("ace", 5, 5, 8, 30)]))) == [(Kind.BOX_TINY, 14)]
    assert found(parse(tmp_path, ".xml", voc([("ace", 5, 5, 9, 30)]))) == []


def test_repeated_row_is_told_once_and_not_as_two_boxes_on_one_thing(tmp_path: Path) -> None:
    label = parse(tmp_path, ".txt", yolo([ACE, KING, ACE, ACE], NAMES))
    assert found(label) == [(Kind.ROW_REPEATED, 3), (Kind.ROW_REPEATED, 4)]
    assert "the same box of 'ace' of line 1 once more" in str(label.problems[0])
    assert len(label.boxes) == 4


def test_boxes_of_one_class_that_nearly_cover_each_other(tmp_path: Path) -> None:
    boxes: list[Drawn] = [("ace", 100, 100, 500, 500), ("ace", 104, 100, 500, 500), ("ace", 150, 100, 550, 500)]
    label = parse(tmp_path, ".xml", voc(boxes, LARGE), size=LARGE)
    assert found(label) == [(Kind.BOXES_SAME, 26)]
    assert [box.edges for box in label.problems[0].boxes] == [boxes[0][1:], boxes[1][1:]]
    assert "'ace' of line 14 once more, nearly the same box (IoU 0.99)" in only(label)


def test_boxes_of_two_classes_on_one_thing_even_the_very_same(tmp_path: Path) -> None:
    boxes: list[Drawn] = [
        ("king", 150, 100, 500, 500),
        ("ace", 100, 100, 500, 500),
        ("king", 100, 100, 500, 500),
        ("ace", 260, 100, 660, 500),
    ]
    label = parse(tmp_path, ".xml", voc(boxes, LARGE), size=LARGE)
    assert found(label) == [(Kind.BOXES_AMBIGUOUS, 26), (Kind.BOXES_AMBIGUOUS, 38)]
    assert "'ace' of line 26 and 'king' on the same thing (IoU 1.00)" in str(label.problems[1])


def test_many_boxes_are_compared_at_once(tmp_path: Path) -> None:
    boxes: list[Drawn] = [("ace", x, y, x + 9, y + 9) for x in range(1, 1900, 20) for y in range(1, 900, 20)]
    begin = time.monotonic()
    label = parse(tmp_path, ".txt", yolo(boxes, NAMES, LARGE), size=LARGE)
    assert (len(label.boxes), len([p for p in label.problems if p.kind is not Kind.BOX_TINY])) == (len(boxes), 0)
    assert time.monotonic() - begin < 10


def test_other_size_is_told_once_and_not_for_every_box(tmp_path: Path) -> None:
    assert found(parse(tmp_path, ".xml", voc([("ace", 300, 200, 500, 390), KING], (600, 400)))) == [
        (Kind.SIZE_DIFFERS, None)
    ]


@pytest.mark.parametrize(("suffix", "text"), [(".txt", ""), (".txt", "\n \n"), (".xml", voc([])), (".json", "[]")])
def test_label_without_boxes_is_a_note(tmp_path: Path, suffix: str, text: str) -> None:
    assert found(parse(tmp_path, suffix, text)) == [(Kind.LABEL_EMPTY, None)]


COCO: dict[str, list[str]] = {"images": [], "annotations": [], "categories": []}
STUDIO = [{"id": 1, "data": {"image": "a.jpg"}, "annotations": [{"result": []}]}]
LABELME = {"version": "5.0", "shapes": [], "imagePath": "a.jpg"}
UNREADABLE: dict[str, tuple[str, str | bytes, str]] = {
    "nothing but nought bytes": (".txt", bytes(4096), ":1 - bytes of nought, as in a file whose copying was cut off"),
    "nought bytes in xml": (".xml", bytes(4096), ":1 - bytes of nought"),
    "a picture": (".txt", b"\x89PNG\r\n\x1a\n\xff\xff", " - neither UTF-8 nor Korean Windows text - save it as UTF-8"),
    "coco": (".json", json.dumps(COCO), " - not a CreateML label but COCO's JSON"),
    "label studio": (".json", json.dumps(STUDIO), " - not a CreateML label but Label Studio's JSON"),
    "labelme": (".json", json.dumps(LABELME), " - not a CreateML label but labelme's JSON"),
    "text": (".json", '"a.jpg"', " - not a CreateML label, expected what LabelImg writes - label the photo again"),
    "deep lists": (".json", "[" * 200_000 + "]" * 200_000, " - not a CreateML label,"),
    "deep objects": (".json", '{"a":' * 200_000 + "1" + "}" * 200_000, " - not a CreateML label,"),
    "annotations of text": (".json", '[{"image": "a.jpg", "annotations": "none"}]', " - not a CreateML label,"),
    "annotations of lists": (".json", '[{"image": "a.jpg", "annotations": [["label", "coordinates"]]}]', " - not a"),
    "annotations null": (".json", '[{"image": "a.jpg", "annotations": null}]', " - not a CreateML label,"),
    "drawing": (".xml", "<svg xmlns='http://www.w3.org/2000/svg'/>", " - XML, but no Pascal VOC"),
    "external entity": (".xml", '<!DOCTYPE a SYSTEM "file:///etc/passwd"><annotation/>', " - declares entities"),
    "undeclared entity": (".xml", voc([ACE]).replace("ace", "&lol;"), ":15 - not XML (undefined entity"),
    "entities in utf-16": (".xml", '<!DOCTYPE a [<!ENTITY x "y">]><a/>'.encode("utf-16"), " - declares entities"),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_file_that_is_no_label_is_named_in_one_line(tmp_path: Path, name: str) -> None:
    suffix, content, said = UNREADABLE[name]
    label = parse(tmp_path, suffix, content)
    assert label.problems[0].kind is Kind.LABEL_UNREADABLE
    assert only(label).startswith(said)
    assert (label.boxes, label.annotation.subjects) == ((), ())


def test_deep_xml_is_no_label_with_boxes_and_no_crash(tmp_path: Path) -> None:
    deep = "<annotation>" + "<a>" * 100_000 + "</a>" * 100_000 + "</annotation>"
    assert found(parse(tmp_path, ".xml", deep)) == [(Kind.LABEL_EMPTY, None)]


def test_label_of_fifty_megabytes_is_named_and_not_read(tmp_path: Path) -> None:
    label = tmp_path / "a.txt"
    with label.open("wb") as file:
        file.truncate(50 * 2**20)
    parsed = parse_label(tmp_path / "a.jpg", SIZE, label, NAMES)
    assert only(parsed).startswith(f" - larger than {MAX_BYTES // 2**20} MB, which no label is - remove it")


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_label_that_may_not_be_read_is_a_problem(tmp_path: Path) -> None:
    label = write_text(tmp_path / "a.txt", yolo([ACE], NAMES))
    tmp_path.chmod(0o755)
    label.chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65534)
        assert "cannot be read (Permission denied)" in only(parse_label(tmp_path / "a.jpg", SIZE, label, NAMES))
    finally:
        os.seteuid(user)
    (tmp_path / "b.txt").mkdir()
    assert "cannot be read (" in only(parse_label(tmp_path / "b.jpg", SIZE, tmp_path / "b.txt", NAMES))


@pytest.mark.parametrize("declared", ["euc-kr", "EUC-KR", "cp949", "utf-8", "UTF-16", "rot13", "nonsense"])
def test_korean_xml_in_windows_text_is_read_whatever_it_declares(tmp_path: Path, declared: str) -> None:
    text = f'<?xml version="1.0" encoding="{declared}"?>\r\n' + voc([("동화책", *ACE[1:])])
    for encoding in ("cp949", "utf-8", "utf-8-sig", "utf-16"):
        label = parse(tmp_path, ".xml", text.encode(encoding), names=("동화책",))
        assert label.problems == ()
        assert [box.class_name for box in label.boxes] == ["동화책"]
        assert names_in_label(label.path) == {"동화책"}


def test_xml_in_another_declared_encoding_is_read_by_it(tmp_path: Path) -> None:
    text = '<?xml version="1.0" encoding="ISO-8859-1"?>\n' + voc([("Märchen", *ACE[1:])])
    assert parse(tmp_path, ".xml", text.encode("latin-1"), names=("Märchen",)).problems == ()


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp949", "utf-16", "utf-16-le", "utf-16-be"])
def test_class_list_is_read_in_every_encoding_that_says_what_it_is(tmp_path: Path, encoding: str) -> None:
    mark = "\ufeff" if encoding in ("utf-16-le", "utf-16-be") else ""
    (tmp_path / "classes.txt").write_bytes(f"{mark}동화책\r\n공상 과학\r\n\r\n".encode(encoding))
    assert read_class_list(tmp_path / "classes.txt") == ("동화책", "공상 과학")


@pytest.mark.parametrize("suffix", [".xml", ".json"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("other", ["NFC", "NFD"])
def test_korean_class_is_the_same_in_either_unicode_form(tmp_path: Path, suffix: str, form: str, other: str) -> None:
    forms = {"NFC": unicodedata.normalize("NFC", "동화책"), "NFD": unicodedata.normalize("NFD", "동화책")}
    drawn: list[Drawn] = [(forms[form], *ACE[1:])]
    text = voc(drawn) if suffix == ".xml" else createml(drawn, "a.jpg")
    label = parse(tmp_path, suffix, text, names=(forms[other],))
    assert [box.class_name for box in label.boxes] == [forms[other]]
    assert names_in_label(label.path) == {forms["NFC"]}


def test_double_blank_that_labelimg_makes_a_tab_is_the_same_class(tmp_path: Path) -> None:
    drawn: list[Drawn] = [("science\tfiction", *ACE[1:])]
    for name in ("science  fiction", "science fiction", " science\tfiction "):
        assert [box.class_name for box in parse(tmp_path, ".xml", voc(drawn), names=(name,)).boxes] == [name]


def test_names_that_differ_in_blanks_only_stay_two_classes(tmp_path: Path) -> None:
    drawn: list[Drawn] = [("a b", *ACE[1:]), ("a  b", *KING[1:])]
    label = parse(tmp_path, ".json", createml(drawn, "a.jpg"), names=("a b", "a  b"))
    assert [box.class_name for box in label.boxes] == ["a b", "a  b"]


def test_letters_that_a_terminal_obeys_are_not_printed(tmp_path: Path) -> None:
    for suffix, text in ((".txt", "\x1b[31m 0.5\n"), (".json", createml([("\x1b[31m", *ACE[1:])], "a.jpg"))):
        assert "\x1b" not in only(parse(tmp_path, suffix, text))


def test_windows_paths_and_commented_objects_in_xml_mislead_nobody(tmp_path: Path) -> None:
    text = voc([KING, ("queen", *ACE[1:])]).replace("a.jpg</path>", "<!-- <object>\n</object> -->a.jpg</path>")
    label = parse(tmp_path, ".xml", text)
    assert found(label) == [(Kind.CLASS_UNKNOWN, text.splitlines().index("\t\t<name>queen</name>"))]


def test_half_a_letter_in_json_can_still_be_printed(tmp_path: Path) -> None:
    label = parse(tmp_path, ".json", createml([ACE], "a.jpg").replace("ace", "a\\ud800e"))
    assert found(label) == [(Kind.CLASS_UNKNOWN, None)]
    assert str(label.problems[0]).encode("utf-8")


@pytest.mark.parametrize(
    ("number", "said"),
    [("1" * 400, "no finite number"), ('"far"', "'far' is no number"), ("true", "no number"), ("null", "no 'x'")],
)
def test_createml_number_that_is_none_is_told_with_its_box(tmp_path: Path, number: str, said: str) -> None:
    label = parse(tmp_path, ".json", createml([ACE, KING], "a.jpg").replace('"x": 45.0', f'"x": {number}'))
    assert found(label) == [(Kind.ROW_MALFORMED, None)]
    assert only(label).startswith(" - box 2: ")
    assert said in only(label)
    assert [box.class_name for box in label.boxes] == ["ace"]


def test_all_labels_of_a_photo_are_found_the_one_used_first(tmp_path: Path) -> None:
    places = ["labels/a.txt", "labels/a.xml", "images/a.TXT", "images/a.json", "images/labels/a.txt"]
    labels = [write_text(tmp_path / place, "") for place in places]
    assert find_labels(tmp_path / "images" / "a.jpg") == labels
    assert find_labels(tmp_path / "images" / "b.jpg") == []


def test_labels_are_read_with_nothing_but_the_standard_library() -> None:
    """LabelImg's process may run on another Python, without our packages."""
    code = (
        "import sys; before = set(sys.modules); import pipeline.labels\n"
        "known = sys.stdlib_module_names | {'pipeline'} | before\n"
        "print(*{name.partition('.')[0] for name in sys.modules} - known)"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == ""
