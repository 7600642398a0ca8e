"""What a reader corrects in a workbook becomes training data, once, and nothing else changes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import openpyxl
import pytest
from corrections import (
    BOXES,
    DATA,
    NAMES,
    Reported,
    answer,
    boxes_of,
    copy_report,
    correct,
    draw,
    edges,
    found,
    make_home,
    make_report,
    picture,
    result_of,
    yolo,
)
from photos import hash_files
from PIL import Image

from pipeline.boxes import Box
from pipeline.config import read_config
from pipeline.corrections.applying import apply_plan
from pipeline.corrections.ledger import LEDGER
from pipeline.corrections.plan import preview
from pipeline.dataset import list_parts, load_dataset
from pipeline.errors import ConfigError, DataError
from pipeline.images import read_header, read_photo
from pipeline.labels import find_label
from pipeline.results import PhotoResult

ORIENTATION, GPS_IFD, EXIF_IFD, CAPTURED = 0x0112, 0x8825, 0x8769, 0x9003


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return make_home(tmp_path / "home")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Reported:
    folder = tmp_path_factory.mktemp("written")
    made = make_report(make_home(folder / "home"), folder / "phone", _results(folder / "phone"))
    book = openpyxl.load_workbook(made.workbook)
    for name in ("Summary", "Classes", "Problems", "Data dictionary"):  # which take openpyxl longer than all others
        del book[name]
    book.save(made.workbook)
    return made


@pytest.fixture
def report(written: Reported, tmp_path: Path) -> Reported:
    """Three boxes in a, two in b, nothing in c; file names as phones and people make them."""
    return copy_report(written, tmp_path)


def _results(photos: Path) -> list[PhotoResult]:
    for seed, name in enumerate(("a.jpg", "휴가/b (1).png", "c.jpg")):
        draw(photos / name, seed)
    return [
        result_of(photos, "a.jpg", [found(NAMES[at], BOXES[at]) for at in range(3)]),
        result_of(photos, "c.jpg", []),
        result_of(photos, "휴가/b (1).png", [found("ace", BOXES[0], 0.5), found("ace", BOXES[1])]),
    ]


def reasons(remarks: tuple[object, ...]) -> list[str]:
    return list(map(str, remarks))


def test_a_corrected_box_becomes_a_crop_for_the_classifier_alone(report: Reported) -> None:
    before = hash_files(report.home / "images") | hash_files(report.home / "labels")
    answer(report.workbook, {report.key("a.jpg", 1): "여왕"})
    made = correct(report)
    assert made.applied and not made.refused
    copy = report.home / "corrections" / "a.jpg"
    assert boxes_of(copy) == [("여왕", edges(BOXES[1]))]
    assert (copy.parent / "classes.txt").read_text(encoding="utf-8") == "ace\nking\n여왕\n"
    assert hash_files(report.home / "images") | hash_files(report.home / "labels") == before


def test_a_reviewed_photo_becomes_a_training_photo_with_the_boxes_as_corrected(report: Reported) -> None:
    answer(report.workbook, {report.key("a.jpg", 0): "not a subject", report.key("a.jpg", 1): "ace"})
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    assert correct(report).applied
    copy = report.home / "images" / "train" / "corrected" / "a.jpg"
    assert boxes_of(copy) == [("ace", edges(BOXES[1])), ("여왕", edges(BOXES[2]))]
    assert find_label(copy) == report.home / "labels" / "train" / "corrected" / "a.txt"
    config = read_config(report.data)
    assert copy in list_parts(report.data, config)["train"]
    dataset = load_dataset(report.data, config)
    assert {len(one.subjects) for one in dataset.train if one.photo == copy} == {2}
    assert not list((report.home / "corrections").glob("*.jpg"))


def test_a_reviewed_photo_without_boxes_is_a_background(report: Reported) -> None:
    answer(report.workbook, {report.key("c.jpg"): "yes"}, sheet="Photos")
    made = correct(report)
    assert preview(made.plan)[-1] == "  c.jpg - background"
    label = find_label(report.home / "images" / "train" / "corrected" / "c.jpg")
    assert label is not None and label.read_text() == ""


@pytest.mark.parametrize("format", ["voc", "createml"])
def test_labels_are_in_the_format_that_data_yaml_says(report: Reported, format: str) -> None:
    report.data.write_text(f"{DATA}label_format: {format}\n", encoding="utf-8")
    answer(report.workbook, {report.key("휴가/b (1).png", 0): "king"})
    answer(report.workbook, {report.key("a.jpg"): "yes", report.key("c.jpg"): "yes"}, sheet="Photos")
    correct(report)
    suffix = {"voc": ".xml", "createml": ".json"}[format]
    copies = [report.home / "images" / "train" / "corrected" / name for name in ("a.jpg", "c.jpg")]
    copies.append(report.home / "corrections" / "b (1).jpg")
    assert [label.suffix for label in map(find_label, copies) if label] == [suffix] * 3
    assert [len(boxes_of(copy)) for copy in copies] == [3, 0, 1]
    assert not (report.home / "corrections" / "classes.txt").exists()


def test_twice_is_once(report: Reported) -> None:
    answer(report.workbook, {report.key("휴가/b (1).png", 0): "king"})
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    correct(report)
    after = hash_files(report.home)
    again = correct(report)
    assert not again.plan.changes and not again.refused
    assert reasons(again.plan.settled) == [
        "a.jpg - applied before: all boxes right",
        "휴가/b (1).png - applied before: king",
    ]
    assert hash_files(report.home) == after
    shutil.rmtree(report.photos)  # what was applied stays so when the photos have gone
    assert not correct(report).refused


@pytest.mark.parametrize("kept", ["photos", "labels", "both"])
def test_what_was_stopped_goes_on(report: Reported, kept: str) -> None:
    """As a kill leaves it: nothing is said to be applied, and some files are there."""
    answer(report.workbook, {report.key("휴가/b (1).png", 0): "king"})
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    correct(report)
    whole = hash_files(report.home)
    (report.home / "corrections" / "applied.jsonl").unlink()
    if kept != "both":
        for folder in (report.home / "corrections", report.home / "images" / "train" / "corrected"):
            for copy in folder.glob("*.jpg"):
                copy.unlink()
    if kept == "photos":
        shutil.rmtree(report.home / "labels" / "train" / "corrected")
        (report.home / "corrections" / "b (1).txt").unlink()
    correct(report)
    assert hash_files(report.home) == whole


def test_wherever_it_is_interrupted_the_same_command_goes_on(report: Reported, tmp_path: Path) -> None:
    answer(report.workbook, {report.key("휴가/b (1).png", 0): "king"})
    answer(report.workbook, {report.key("a.jpg"): "yes", report.key("c.jpg"): "yes"}, sheet="Photos")
    other = copy_report(report, tmp_path / "other")
    correct(other)
    whole = {name: text for name, text in hash_files(other.home).items() if not name.startswith("reports")}
    assert len(correct(report, yes=False).plan.photos) == 2
    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            apply_plan(correct(report, yes=False).plan, on_photo=_interrupt)
    assert not (report.home / "corrections" / LEDGER).exists()
    assert not correct(report).plan.changes
    found_now = hash_files(report.home)
    assert {name for name in found_now if not name.startswith("reports")} == whole.keys()
    ours = ((name, found_now[name]) for name in whole if not name.endswith(LEDGER))  # which names the folder
    assert all(whole[name] == content for name, content in ours)


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_nothing_is_changed_where_the_user_does_not_agree(report: Reported) -> None:
    answer(report.workbook, {report.key("a.jpg", 1): "ace"})
    before = hash_files(report.home)
    assert not correct(report, yes=False).applied
    assert hash_files(report.home) == before


def test_a_workbook_without_answers_changes_nothing(report: Reported) -> None:
    made = correct(report)
    assert made.applied and preview(made.plan) == ["nothing is corrected in the workbook"]
    assert not (report.home / "corrections").exists()


def test_answers_are_found_wherever_their_rows_and_columns_are(report: Reported, tmp_path: Path) -> None:
    answer(report.workbook, {report.key("a.jpg", 1): "king", report.key("휴가/b (1).png", 1): "king"})
    answer(report.workbook, {report.key("휴가/b (1).png", 0): "여왕"}, sheet="To check")
    book = openpyxl.load_workbook(report.workbook)
    page = book["Detections"]
    rows = [[cell.value for cell in row] for row in page.iter_rows()]
    order = list(range(len(rows[0])))[::-1]
    rows = [[row[place] for place in order] for row in (rows[0], *rows[:0:-1])]
    page.delete_rows(1, page.max_row)
    page.append(["my own title"])
    for row in rows:
        page.append(row)
    for row_number in range(3, 6):
        page.row_dimensions[row_number].hidden = True
    page.sheet_state = "hidden"
    book.move_sheet("Photos", -2)
    book.save(tmp_path / "moved.xlsx")
    made = correct(report, tmp_path / "moved.xlsx")
    assert not made.refused
    assert boxes_of(report.home / "corrections" / "a.jpg") == [("king", edges(BOXES[1]))]
    assert [name for name, _ in boxes_of(report.home / "corrections" / "b (1).jpg")] == ["여왕", "king"]


def test_a_korean_report_is_read_like_an_english_one(home: Path, tmp_path: Path) -> None:
    report = make_report(home, tmp_path / "phone", _results(tmp_path / "phone"), language="ko")
    assert "Detections" not in openpyxl.load_workbook(report.workbook).sheetnames
    answer(report.workbook, {report.key("a.jpg", 0): "대상 아님"})
    answer(report.workbook, {report.key("a.jpg"): "예"}, sheet="Photos")
    assert not correct(report).refused
    assert len(boxes_of(home / "images" / "train" / "corrected" / "a.jpg")) == 2


def test_the_same_answer_twice_is_one_and_two_answers_are_none(report: Reported) -> None:
    one, other = report.key("휴가/b (1).png", 0), report.key("a.jpg", 0)
    answer(report.workbook, {one: "king", other: "king"})
    answer(report.workbook, {one: "King "}, sheet="To check")
    book = openpyxl.load_workbook(report.workbook)
    copied = book.copy_worksheet(book["Detections"])
    for row in copied.iter_rows(min_row=2):
        for cell in row:
            if cell.value == "king" and row[-1].value == other:
                cell.value = "여왕"
    book.save(report.workbook)
    made = correct(report)
    assert boxes_of(report.home / "corrections" / "b (1).jpg") == [("king", edges(BOXES[0]))]
    (reason,) = reasons(made.refused)
    assert reason.startswith("a.jpg - conflicting answers: 'king' (Detections, row 2) and '여왕'")


def test_answers_that_cannot_be_taken_are_named(report: Reported) -> None:
    a = [report.key("a.jpg", place) for place in range(3)]
    notes = {a[0]: "jack", a[2]: "king"}
    answer(report.workbook, {a[0]: "new class", a[1]: "kign", a[2]: "new class"}, notes=notes)
    answer(report.workbook, {report.key("c.jpg"): "perhaps", report.key("a.jpg"): ""}, sheet="Photos")
    answer(report.workbook, {report.key("휴가/b (1).png", 1): "new class"})
    made = correct(report)
    assert reasons(made.refused) == [
        "a.jpg - new class 'jack', as its note says: add it to names in data.yaml, then run the same command again",
        "a.jpg - unknown class 'kign': did you mean 'king'?",
        "c.jpg - 'perhaps' (Photos, row 3) says neither that it is reviewed nor nothing: 'yes' or empty",
        "휴가/b (1).png - new class, but which? write it into the note of the box, add it to names in data.yaml, then"
        " run the same command again",
    ]
    assert boxes_of(report.home / "corrections" / "a.jpg") == [("king", edges(BOXES[2]))]


def test_a_new_class_is_a_class_once_data_yaml_has_it(report: Reported) -> None:
    key = report.key("a.jpg", 0)
    answer(report.workbook, {key: "new class"}, notes={key: "jack"})
    assert len(correct(report).refused) == 1
    report.data.write_text(DATA.replace("여왕]", "여왕, jack]"), encoding="utf-8")
    assert not correct(report).refused
    assert boxes_of(report.home / "corrections" / "a.jpg", (*NAMES, "jack")) == [("jack", edges(BOXES[0]))]


def test_a_review_waits_until_all_its_answers_can_be_taken(report: Reported) -> None:
    answer(report.workbook, {report.key("a.jpg", 0): "what", report.key("a.jpg", 1): "ace"})
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    made = correct(report)
    assert not made.plan.changes and "until then it is not taken as reviewed" in str(made.refused[0])


def test_a_deleted_row_is_no_answer(report: Reported) -> None:
    book = openpyxl.load_workbook(report.workbook)
    book["Detections"].delete_rows(2)
    book.save(report.workbook)
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    (reason,) = reasons(correct(report).refused)
    assert reason == "a.jpg - reviewed, but rows of 1 of its boxes were deleted: answer 'not a subject' instead"


def test_rows_of_another_run_are_named(report: Reported) -> None:
    book = openpyxl.load_workbook(report.workbook)
    page = book["Detections"]
    keys = {cell.value: cell.column for cell in page[1]}
    for row, key in ((2, "0" * 16), (3, None)):
        page.cell(row, keys["key"]).value = key
        page.cell(row, keys["correct class"]).value = "ace"
    book.save(report.workbook)
    assert reasons(correct(report).refused) == [
        "Detections, row 3 - 'ace' in a row without a key",
        "a.jpg - the results have no such row: they are of another run, or the photo was predicted again",
    ]


def test_moved_and_changed_photos_are_named_and_others_go_on(report: Reported) -> None:
    answer(report.workbook, {report.key("a.jpg", 0): "king", report.key("휴가/b (1).png", 1): "king"})
    answer(report.workbook, {report.key("c.jpg"): "yes"}, sheet="Photos")
    (report.photos / "a.jpg").rename(report.photos / "z.jpg")
    draw(report.photos / "c.jpg", 77)
    made = correct(report)
    assert reasons(made.refused) == [
        f"a.jpg - is no longer at {report.photos / 'a.jpg'}: put it back, then run the same command again",
        "c.jpg - has changed since it was predicted: predict it again",
    ]
    assert [path.name for path in (report.home / "corrections").glob("*.jpg")] == ["b (1).jpg"]


def test_a_photo_of_the_web_is_named(home: Path, tmp_path: Path) -> None:
    web = PhotoResult("https://example.org/a.jpg", "ok", (160, 120), predictions=(found("ace", BOXES[0]),))
    report = make_report(home, tmp_path, [web], folder=tmp_path / "web")
    answer(report.workbook, {report.key(web.photo, 0): "king"})
    assert "lies on the web: download it, and predict it from your disk" in str(correct(report).refused[0])


def test_a_photo_that_was_not_read_cannot_be_reviewed(home: Path, tmp_path: Path) -> None:
    broken = PhotoResult("a.jpg", "unreadable", error="the file is empty")
    report = make_report(home, tmp_path, [broken], folder=tmp_path / "broken")
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    assert str(correct(report).refused[0]) == "a.jpg - reviewed, but it was not read: the file is empty"


def test_a_box_of_a_class_that_data_yaml_lacks_keeps_a_review_back(report: Reported) -> None:
    report.data.write_text(DATA.replace(", 여왕", ""), encoding="utf-8")
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    (reason,) = reasons(correct(report).refused)
    assert reason == "a.jpg - reviewed, but a box is of class '여왕', which names in data.yaml lacks"


def test_results_of_a_run_that_was_stopped_are_enough(report: Reported) -> None:
    with (report.folder / "results.jsonl").open("a", encoding="utf-8") as file:
        file.write('{"photo": "d.jpg", "sta')
    answer(report.workbook, {report.key("a.jpg", 0): "king"})
    assert not correct(report).refused and (report.home / "corrections" / "a.jpg").exists()


def test_a_class_list_in_another_order_is_not_written_into(home: Path, tmp_path: Path) -> None:
    report = _report_known(home, tmp_path, "train/one")
    (home / "labels" / "train" / "classes.txt").write_text("king\nace\n여왕\n", encoding="utf-8")
    answer(report.workbook, {report.key("sent.jpg", 0): "king"})
    assert "'king' stands where names in data.yaml has 'ace'" in str(correct(report).refused[0])


def test_copies_are_upright_and_say_nothing_of_the_place(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "phone"
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    exif.get_ifd(EXIF_IFD)[CAPTURED] = "2024:05:06 07:08:09"
    exif.get_ifd(GPS_IFD)[1] = "N"
    photos.mkdir()
    picture(5).transpose(Image.Transpose.ROTATE_90).save(photos / "turned.jpg", exif=exif, quality=95)
    report = make_report(home, photos, [result_of(photos, "turned.jpg", [found("ace", BOXES[1])])])
    answer(report.workbook, {report.key("turned.jpg"): "yes"}, sheet="Photos")
    before = hash_files(photos)
    correct(report)
    copy = home / "images" / "train" / "corrected" / "turned.jpg"
    header = read_header(copy)
    assert (header.size, header.orientation, header.captured) == ((160, 120), 1, "2024-05-06 07:08:09")
    with Image.open(copy) as image:
        assert not image.getexif().get_ifd(GPS_IFD)
    apart = read_photo(copy).pixels.astype(int) - read_photo(photos / "turned.jpg").pixels
    assert abs(apart).mean() < 3
    assert boxes_of(copy) == [("ace", edges(BOXES[1]))]
    assert hash_files(photos) == before


def test_names_are_plain_and_unique(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "phone"
    names = ["one/IMG.jpg", "two/IMG.png", "classes.jpg", "con.jpg"]
    results = []
    for seed, name in enumerate(names):
        draw(photos / name, seed)
        results.append(result_of(photos, name, [found("ace", BOXES[0])]))
    report = make_report(home, photos, results)
    answer(report.workbook, {report.key(name, 0): "king" for name in names})
    correct(report)
    copies = sorted(path.name for path in (home / "corrections").glob("*.jpg"))
    assert copies == ["IMG-2.jpg", "IMG.jpg", "_con.jpg", "classes-2.jpg"]
    assert all(boxes_of(home / "corrections" / name) == [("king", edges(BOXES[0]))] for name in copies)


def test_another_mind_changes_what_was_applied(report: Reported) -> None:
    key = report.key("a.jpg", 1)
    copy = report.home / "corrections" / "a.jpg"
    answer(report.workbook, {key: "ace", report.key("a.jpg", 0): "king"})
    correct(report)
    answer(report.workbook, {key: "여왕"})
    correct(report)
    assert sorted(boxes_of(copy)) == [("king", edges(BOXES[0])), ("여왕", edges(BOXES[1]))]
    answer(report.workbook, {key: "not a subject", report.key("a.jpg", 0): "not a subject"})
    correct(report)
    assert not copy.exists() and not copy.with_suffix(".txt").exists()
    assert not correct(report).plan.changes


def test_a_photo_that_is_reviewed_later_moves_to_the_training_photos(report: Reported) -> None:
    answer(report.workbook, {report.key("a.jpg", 1): "ace"})
    correct(report)
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    correct(report)
    assert not (report.home / "corrections" / "a.jpg").exists()
    copy = report.home / "images" / "train" / "corrected" / "a.jpg"
    assert [name for name, _ in boxes_of(copy)] == ["ace", "ace", "여왕"]
    answer(report.workbook, {report.key("a.jpg", 2): "king"})
    correct(report)
    assert [name for name, _ in boxes_of(copy)] == ["ace", "ace", "king"]
    assert [path.name for path in copy.parent.iterdir()] == ["a.jpg"]


def test_photos_of_one_name_in_two_folders_are_two(report: Reported, tmp_path: Path) -> None:
    """Their keys are the same: they are of the name in the folder."""
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    correct(report)
    draw(tmp_path / "other" / "a.jpg", 50)
    results = [result_of(tmp_path / "other", "a.jpg", [found(NAMES[at], BOXES[at]) for at in range(3)])]
    other = make_report(report.home, tmp_path / "other", results)
    answer(other.workbook, {other.key("a.jpg"): "yes"}, sheet="Photos")
    correct(other)
    copies = report.home / "images" / "train" / "corrected"
    assert sorted(path.name for path in copies.iterdir()) == ["a-2.jpg", "a.jpg"]
    assert not correct(report).plan.changes and not correct(other).plan.changes


def _report_known(home: Path, folder: Path, source: str, scale: int = 1) -> Reported:
    """A report of a photo of the data set, as somebody sent it on: another name, another size, saved again."""
    photos = folder / "sent"
    photos.mkdir()
    with Image.open(home / "images" / f"{source}.jpg") as image:
        image.resize((160 * scale, 120 * scale)).save(photos / "sent.jpg", quality=80)
    boxes = [Box(12, 9, 52, 41).scaled(scale), BOXES[1].scaled(scale)]
    return make_report(home, photos, [result_of(photos, "sent.jpg", [found("ace", box) for box in boxes])])


@pytest.mark.parametrize(("source", "scale"), [("train/one", 2), ("val/four", 1)])
def test_a_photo_of_the_data_set_stays_in_its_part(home: Path, tmp_path: Path, source: str, scale: int) -> None:
    report = _report_known(home, tmp_path, source, scale)
    answer(report.workbook, {report.key("sent.jpg", 0): "king"})
    made = correct(report)
    part, name = source.split("/")
    assert reasons(made.plan.labels) == [f"sent.jpg ({part}: {name}.jpg) - ace -> king"]
    photo = home / "images" / f"{source}.jpg"
    assert boxes_of(photo) == [("king", edges(BOXES[0]))]  # where it was drawn, not where it was found
    answer(report.workbook, {report.key("sent.jpg"): "yes"}, sheet="Photos")
    made = correct(report)
    assert reasons(made.plan.labels) == [f"sent.jpg ({part}: {name}.jpg) - ace added"]
    assert boxes_of(photo) == [("king", edges(BOXES[0])), ("ace", edges(BOXES[1]))]
    assert not (home / "images" / "train" / "corrected").exists()
    assert not list((home / "corrections").glob("*.jpg"))
    assert not correct(report).plan.changes


def test_what_contradicts_a_label_is_left_to_a_person(home: Path, tmp_path: Path) -> None:
    report = _report_known(home, tmp_path, "train/one")
    answer(report.workbook, {report.key("sent.jpg", 0): "not a subject", report.key("sent.jpg", 1): "king"})
    before = hash_files(home / "labels")
    made = correct(report)
    assert reasons(made.refused) == [
        "sent.jpg - not a subject, but it is labelled 'ace': remove that box with cropsort label",
        "sent.jpg - no box is labelled where 'king' was found: draw it with cropsort label, or mark the photo as"
        " reviewed",
    ]
    assert hash_files(home / "labels") == before


def test_a_box_found_twice_is_no_conflict(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "sent"
    shutil.copytree(home / "images" / "train", photos)
    twice = [found("ace", Box(11, 12, 50, 42), 0.9), found("king", Box(10, 10, 50, 41), 0.8)]
    report = make_report(home, photos, [result_of(photos, "two.jpg", twice)])
    answer(report.workbook, {report.key("two.jpg", 0): "not a subject", report.key("two.jpg", 1): "king"})
    assert not correct(report).refused
    assert boxes_of(home / "images" / "train" / "two.jpg") == [("king", edges(BOXES[0]))]


def test_photos_of_the_data_set_may_be_predicted_where_they_are(home: Path) -> None:
    photos = home / "images" / "val"
    report = make_report(home, photos, [result_of(photos, "four.jpg", [found("ace", BOXES[0])])])
    answer(report.workbook, {report.key("four.jpg", 0): "ace"})
    made = correct(report)
    assert not made.plan.changes and reasons(made.plan.settled) == ["four.jpg - its label in val says so already: ace"]
    assert reasons(correct(report).plan.settled) == ["four.jpg - applied before: ace"]


def test_a_photo_of_the_data_set_without_a_label_gets_one(home: Path, tmp_path: Path) -> None:
    report = _report_known(home, tmp_path, "train/one")
    (home / "labels" / "train" / "one.txt").unlink()
    answer(report.workbook, {report.key("sent.jpg", 0): "king"})
    assert "no box is labelled where 'king' was found" in str(correct(report).refused[0])
    answer(report.workbook, {report.key("sent.jpg"): "yes"}, sheet="Photos")
    assert not correct(report).refused
    assert [name for name, _ in boxes_of(home / "images" / "train" / "one.jpg")] == ["king", "ace"]


def test_a_label_with_errors_is_not_written_over(home: Path, tmp_path: Path) -> None:
    report = _report_known(home, tmp_path, "train/one")
    label = home / "labels" / "train" / "one.txt"
    text = f"{yolo((('ace', BOXES[0]),))}0 0.5 0.5\n"
    label.write_text(text, encoding="utf-8")
    answer(report.workbook, {report.key("sent.jpg", 0): "king"})
    (reason,) = reasons(correct(report).refused)
    assert reason.startswith(f"sent.jpg - its label in the data set cannot be corrected: {label}:2 - '0 0.5 0.5'")
    assert label.read_text(encoding="utf-8") == text


def test_one_picture_under_two_names_counts_once(report: Reported) -> None:
    shutil.copyfile(report.photos / "a.jpg", report.photos / "copy of a.jpg")
    results = [*report.results, result_of(report.photos, "copy of a.jpg", [found("ace", BOXES[0])])]
    both = make_report(report.home, report.photos, results)
    answer(both.workbook, {both.key("a.jpg"): "yes", both.key("copy of a.jpg"): "yes"}, sheet="Photos")
    made = correct(both)
    assert len(made.plan.photos) == 1
    assert "is the same picture as a.jpg" in str(made.refused[0])


def test_train_may_be_a_list(report: Reported) -> None:
    photos = sorted((report.home / "images" / "train").iterdir())
    listing = report.home / "data.train.txt"
    listing.write_text("".join(f"./{path.relative_to(report.home)}\n" for path in photos), encoding="utf-8")
    report.data.write_text(DATA.replace("images/train", "data.train.txt"), encoding="utf-8")
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    made = correct(report)
    assert f"the new photos are added to {listing}" in preview(made.plan)
    assert listing.read_text(encoding="utf-8").endswith("./images/train/two.jpg\n./corrected/a.jpg\n")
    dataset = load_dataset(report.data, read_config(report.data))
    assert sum(one.photo.name == "a.jpg" and len(one.subjects) == 3 for one in dataset.train) == 1
    assert not correct(report).plan.changes


def test_sorted_photos_take_crops_but_no_labels(report: Reported) -> None:
    for photo in list((report.home / "images").rglob("*.jpg")):
        (photo.parent / "ace").mkdir(exist_ok=True)
        photo.rename(photo.parent / "ace" / photo.name)
    report.data.write_text(f"{DATA}classes_from: folders\n", encoding="utf-8")
    answer(report.workbook, {report.key("휴가/b (1).png", 0): "king"})
    answer(report.workbook, {report.key("a.jpg"): "yes"}, sheet="Photos")
    made = correct(report)
    assert [path.name for path in (report.home / "corrections").glob("*.jpg")] == ["b (1).jpg"]
    assert "the folders of the photos say their classes in this data set" in str(made.refused[0])


def test_results_are_found_beside_the_workbook_or_where_the_user_says(report: Reported, tmp_path: Path) -> None:
    answer(report.workbook, {report.key("a.jpg", 0): "king"})
    moved = tmp_path / "moved"
    report.folder.rename(moved)
    assert correct(report, moved / "report.xlsx", yes=False).plan.crops
    sent = tmp_path / "mail" / "report.xlsx"
    sent.parent.mkdir()
    shutil.copyfile(moved / "report.xlsx", sent)
    with pytest.raises(DataError, match=r"no results\.jsonl here, which the workbook was made of - name the folder"):
        correct(report, sent)
    assert correct(report, sent, results=moved, yes=False).plan.crops
    assert correct(report, sent, results=moved / "results.jsonl", yes=False).plan.crops


def test_another_data_yaml_is_refused(report: Reported) -> None:
    report.data.write_text(DATA.replace("ace, king, 여왕", "cat, dog"), encoding="utf-8")
    with pytest.raises(DataError, match=r"its classes \(cat, dog\) are not those of the report \(ace, king, 여왕\)"):
        correct(report)
    report.data.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        correct(report)


def test_what_was_applied_is_a_line_each(report: Reported) -> None:
    answer(report.workbook, {report.key("a.jpg", 0): "king"})
    correct(report)
    (line,) = (report.home / "corrections" / "applied.jsonl").read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert (entry["key"], entry["to"], entry["photo"]) == (report.key("a.jpg", 0), "king", "a.jpg")
    (report.home / "corrections" / "applied.jsonl").write_text("{}\n", encoding="utf-8")
    with pytest.raises(DataError, match="move it away"):
        correct(report)


def test_the_preview_counts_first_and_cuts_long_lists(home: Path, tmp_path: Path) -> None:
    photos = tmp_path / "phone"
    results = []
    for seed in range(12):
        draw(photos / f"{seed:02}.jpg", seed)
        results.append(result_of(photos, f"{seed:02}.jpg", [found("ace", BOXES[0])]))
    report = make_report(home, photos, results)
    answer(report.workbook, {report.key(one.photo, 0): "king" for one in results})
    lines = preview(correct(report, yes=False).plan)
    assert lines[0] == "corrections to apply: 12"
    assert lines[1] == "photos whose corrected boxes become crops for the classifier: 12"
    assert lines[3] == "  00.jpg - 1 king"
    assert lines[-1] == "  ... and 2 more" and len(lines) == 14
