"""Labels that LabelImg wrote are written back byte for byte, and no box moves by more than half a pixel on its way
through another format."""

from __future__ import annotations

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from photos import Drawn, voc, write_text

from pipeline.labels import (
    FORMATS,
    Label,
    LabelledBox,
    VocDetails,
    find_label,
    format_label,
    parse_label,
    read_class_list,
    write_label,
)
from pipeline.problems import Kind

WRITTEN = Path(__file__).parent / "labelimg"
SIZE = (640, 480)
NAMES = ("동화책", "science fiction", "two  blanks", "R&D <1>", "만화", 'it\'s "5"')
STEMS = sorted(path.stem for path in (WRITTEN / "voc").iterdir())
PHOTO = {
    "several": "책.jpg",
    "korean": "책 상 (1).jpg",
    "decomposed": unicodedata.normalize("NFD", "책 상 (1).jpg"),
    "blanks": "desk  & chair.jpg",
    "grey": "grey.png",
}


def parse(label: Path, photo: Path | str = "desk.jpg", size: tuple[int, int] = SIZE) -> Label:
    return parse_label(Path(photo), size, label, NAMES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all examples of a property."""
    return tmp_path_factory.mktemp("labels")


def test_the_labels_that_labelimg_wrote_are_there() -> None:
    assert len(STEMS) == 14
    for format, suffix in FORMATS.items():
        assert sorted(path.stem for path in (WRITTEN / format).glob(f"*{suffix}") if path.stem != "classes") == STEMS


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("format", FORMATS)
def test_label_that_labelimg_wrote_is_written_back_the_same(tmp_path: Path, format: str, stem: str) -> None:
    path = WRITTEN / format / f"{stem}{FORMATS[format]}"
    label = parse(path, PHOTO.get(stem, "desk.jpg"))
    write_label(label, tmp_path / path.name, format, NAMES)
    assert (tmp_path / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("format", FORMATS)
def test_nothing_is_wrong_with_what_labelimg_wrote(format: str, stem: str) -> None:
    label = parse(WRITTEN / format / f"{stem}{FORMATS[format]}", PHOTO.get(stem, "desk.jpg"))
    wrong = {problem.kind for problem in label.problems}
    assert wrong == ({Kind.LABEL_EMPTY} if stem in ("empty", "several") else set())


@pytest.mark.parametrize("stem", STEMS)
def test_the_three_formats_of_one_label_say_the_same(stem: str) -> None:
    """VOC and YOLO hold whole pixels, truncated and from 1; CreateML what was drawn."""
    read = {
        format: parse(WRITTEN / format / f"{stem}{suffix}", PHOTO.get(stem, "desk.jpg")).boxes
        for format, suffix in FORMATS.items()
    }
    assert [box.class_name for box in read["voc"]] == [box.class_name for box in read["createml"]]
    for yolo, voc, createml in zip(read["yolo"], read["voc"], read["createml"], strict=True):
        assert yolo.edges == pytest.approx(voc.edges, abs=0.01)
        assert voc.edges == tuple(max(int(edge), 1) for edge in createml.edges)


@pytest.mark.parametrize("stem", STEMS)
@pytest.mark.parametrize("source", FORMATS)
@pytest.mark.parametrize("target", FORMATS)
def test_no_box_moves_by_more_than_half_a_pixel(tmp_path: Path, source: str, target: str, stem: str) -> None:
    label = parse(WRITTEN / source / f"{stem}{FORMATS[source]}", PHOTO.get(stem, "desk.jpg"))
    path = write_text(tmp_path / f"{stem}{FORMATS[target]}", format_label(label, target, NAMES))
    assert_same_boxes(parse(path, label.photo), label)


def test_korean_names_are_the_same_class_in_either_unicode_form() -> None:
    names = [
        [box.class_name for box in parse(WRITTEN / f"{place}").boxes]
        for place in ("voc/names.xml", "createml/names.json")
    ]
    assert names == [list(NAMES), list(NAMES)]
    assert unicodedata.normalize("NFD", "만화") in (WRITTEN / "voc" / "names.xml").read_text(encoding="utf-8")


def test_class_list_that_labelimg_wrote_is_read_in_its_order() -> None:
    assert read_class_list(WRITTEN / "yolo" / "classes.txt") == (*NAMES[:2], "two blanks", *NAMES[3:])


def test_what_only_voc_says_is_read(tmp_path: Path) -> None:
    label = parse(WRITTEN / "voc" / "korean.xml", tmp_path / "책 상 (1).jpg")
    assert label.details == VocDetails("여름 휴가", "책 상 (1).jpg", "/photos/여름 휴가/책 상 (1).jpg")
    assert [box.difficult for box in parse(WRITTEN / "voc" / "difficult.xml").boxes] == [True, False]
    verified, grey = (parse(WRITTEN / "voc" / name).details for name in ("verified.xml", "grey.xml"))
    assert isinstance(verified, VocDetails)
    assert isinstance(grey, VocDetails)
    assert (verified.verified, verified.depth, grey.verified, grey.depth) == (True, "3", False, "1")


def test_other_photos_of_a_createml_file_stay_in_it() -> None:
    path = WRITTEN / "createml" / "several.json"
    for photo, count in (("another.jpg", 1), ("desk.jpg", 2), ("책.jpg", 0)):
        label = parse(path, photo)
        assert len(label.boxes) == count
        assert format_label(label, "createml", NAMES) == path.read_text(encoding="utf-8")


def test_label_of_another_format_gets_the_photos_own_name_and_folder(tmp_path: Path) -> None:
    photo = tmp_path / "my  photos" / "책 & 상.jpg"
    label = parse_label(photo, SIZE, WRITTEN / "yolo" / "plain.txt", NAMES)
    text = format_label(label, "voc", NAMES)
    assert "<folder>my\tphotos</folder>\n\t<filename>책 &amp; 상.jpg</filename>" in text
    assert json.loads(format_label(label, "createml", NAMES))[0]["image"] == "책 & 상.jpg"


def test_box_beyond_the_edge_is_written_back_beyond_the_edge(tmp_path: Path) -> None:
    for name, text in (
        ("a.txt", "0 0.000000 0.500000 0.500000 1.200000\n"),
        ("a.xml", voc([(NAMES[0], -7, -3, 700, 481)], SIZE)),
    ):
        path = write_text(tmp_path / name, text)
        assert format_label(parse(path), {".txt": "yolo", ".xml": "voc"}[path.suffix], NAMES).count(
            ">-7<"
        ) == text.count(">-7<")
        assert parse(path).boxes[0].edges[0] < 0


def test_letters_that_xml_cannot_hold_do_not_spoil_the_file(tmp_path: Path) -> None:
    photo = Path("bell\a.jpg")
    path = write_text(tmp_path / "a.xml", format_label(parse(WRITTEN / "yolo" / "plain.txt", photo), "voc", NAMES))
    assert len(parse(path, photo).boxes) == 2


def assert_same_boxes(label: Label, expected: Label) -> None:
    """Half a pixel from VOC's whole ones; YOLO's six digits add less than a millionth of the photo's side."""
    within = 0.5 + 1e-6 * max(label.size)
    assert [box.class_name for box in label.boxes] == [box.class_name for box in expected.boxes]
    for box, other in zip(label.boxes, expected.boxes, strict=True):
        assert box.edges == pytest.approx(other.edges, abs=within)


@st.composite
def labels(draw: st.DrawFn) -> Label:
    """Boxes as they are drawn in LabelImg: fractions of pixels, inside the photo."""
    size = draw(st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)))
    boxes = []
    for _ in range(draw(st.integers(0, 5))):
        xs = sorted(draw(st.lists(st.floats(0, size[0]), min_size=2, max_size=2)))
        ys = sorted(draw(st.lists(st.floats(0, size[1]), min_size=2, max_size=2)))
        boxes.append(LabelledBox(draw(st.sampled_from(NAMES)), (xs[0], ys[0], xs[1], ys[1])))
    return Label(Path("a"), Path("/photos/a.jpg"), size, tuple(boxes), ())


@settings(max_examples=50, deadline=None)
@given(label=labels(), formats=st.lists(st.sampled_from(sorted(FORMATS)), min_size=1, max_size=4))
def test_no_box_moves_by_more_than_half_a_pixel_through_any_formats(
    folder: Path, label: Label, formats: list[str]
) -> None:
    now = label
    for format in formats:
        path = write_text(folder / f"a{FORMATS[format]}", format_label(now, format, NAMES))
        now = parse(path, label.photo, label.size)
        assert format_label(now, format, NAMES) == path.read_text(encoding="utf-8")
        assert_same_boxes(now, label)


PARTS = st.integers(0, 1_000_000)


@settings(max_examples=50, deadline=None)
@given(
    rows=st.lists(st.tuples(st.integers(0, len(NAMES) - 1), PARTS, PARTS, PARTS, PARTS), max_size=5),
    size=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
)
def test_every_row_that_yolo_can_hold_is_written_back_the_same(
    folder: Path, rows: list[tuple[int, ...]], size: tuple[int, int]
) -> None:
    text = "".join(f"{row[0]} " + " ".join(f"{part / 1e6:.6f}" for part in row[1:]) + "\n" for row in rows)
    assert format_label(parse(write_text(folder / "y.txt", text), size=size), "yolo", NAMES) == text


NUMBERS = st.floats(0, 1e5) | st.integers(0, 10**5)


@settings(max_examples=50, deadline=None)
@given(boxes=st.lists(st.tuples(st.sampled_from(NAMES), NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=5))
def test_every_number_of_createml_is_written_back_the_same(
    folder: Path, boxes: list[tuple[str, float, float, float, float]]
) -> None:
    items = [
        {"label": name, "coordinates": dict(zip(("x", "y", "width", "height"), numbers, strict=True))}
        for name, *numbers in boxes
    ]
    text = json.dumps([{"image": "desk.jpg", "annotations": items}])
    assert format_label(parse(write_text(folder / "c.json", text)), "createml", NAMES) == text


@settings(max_examples=50, deadline=None)
@given(
    boxes=st.lists(
        st.tuples(
            st.sampled_from(NAMES),
            st.integers(2, 300),
            st.integers(2, 200),
            st.integers(301, 639),
            st.integers(201, 479),
        ),
        max_size=5,
    )
)
def test_every_corner_of_voc_is_written_back_the_same(folder: Path, boxes: list[Drawn]) -> None:
    text = voc(boxes, SIZE).replace("two  blanks", "two\tblanks")
    assert format_label(parse(write_text(folder / "v.xml", text)), "voc", NAMES) == text


def test_label_is_found_whatever_the_case_of_its_ending(tmp_path: Path) -> None:
    label = write_text(tmp_path / "a.XML", voc([(NAMES[0], 6, 4, 36, 24)], SIZE))
    found = find_label(tmp_path / "a.jpg")
    assert found is not None
    assert found.samefile(label)
    assert len(parse(label).boxes) == 1
