"""The CSV that a contest's grader reads."""

from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path

import pytest
from conftest import Run
from hypothesis import given
from hypothesis import strategies as st

from pipeline.boxes import Box
from pipeline.errors import CropsortError, DataError, OutputError
from pipeline.results import Detection, PhotoResult, Prediction, read_results
from pipeline.submission import Submission, check_ids, choose_label, parse_header, write_submission

BOX = Box(0, 0, 10, 10)
HEADER = ("id", "label")


def found(photo: str, *subjects: tuple[float, str, float]) -> PhotoResult:
    """A photo with subjects: the detector's confidence, the class, and its probability."""
    predictions = tuple(
        Prediction(Detection(BOX, confidence), {name: probability, "other": 1 - probability})
        for confidence, name, probability in subjects
    )
    return PhotoResult(photo, "ok" if predictions else "empty", (10, 10), predictions=predictions)


def write(tmp_path: Path, *results: PhotoResult) -> list[list[str]]:
    """The rows as a grader reads them, without the heading."""
    write_submission(tmp_path / "submission.csv", HEADER, results)
    with (tmp_path / "submission.csv").open(encoding="utf-8", newline="") as file:
        heading, *rows = csv.reader(file)
    assert tuple(heading) == HEADER
    return rows


@pytest.mark.parametrize("text", ["id,label", " id , label "])
def test_two_names_are_the_heading(text: str) -> None:
    assert parse_header(text) == HEADER
    assert parse_header("파일,등급") == ("파일", "등급")


@pytest.mark.parametrize("text", ["", "id", "id;label", "id,", ",label", ",", "id,label,score", "id,id", "id, id"])
def test_other_headings_are_refused_in_a_line(text: str) -> None:
    with pytest.raises(CropsortError) as refused:
        parse_header(text)
    assert str(refused.value).startswith(f"--submission - '{text}' - expected two different names with a comma")
    assert refused.value.exit_code == 2


def test_every_photo_has_a_row_and_nothing_else_has(tmp_path: Path) -> None:
    rows = write(
        tmp_path,
        found("test/0/b.tar.jpg", (1.0, "dog", 0.9)),
        found("a.JPG"),
        PhotoResult("cut.jpg", "unreadable", error="cut"),
        PhotoResult("huge.png", "too large", error="large"),
        PhotoResult("notes.txt", "unsupported", error="no photo"),
    )
    assert rows == [["a", ""], ["b.tar", "dog"], ["cut", ""], ["huge", ""]]


def test_rows_are_in_the_natural_order_of_names(tmp_path: Path) -> None:
    names = ["10", "1", "02", "2", "b2", "b10", "b1c3", "b1c20", "b", "_", "사진 2", "사진 11", "٣"]
    shuffled = sorted(names, key=lambda name: name[::-1])
    rows = write(tmp_path, *(found(f"{name}.jpg") for name in shuffled))
    assert [row[0] for row in rows] == [
        "1",
        "02",
        "2",
        "٣",
        "10",
        "_",
        "b",
        "b1c3",
        "b1c20",
        "b2",
        "b10",
        "사진 2",
        "사진 11",
    ]


@given(
    st.lists(st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=6))
)
def test_any_names_are_written_and_read_back(tmp_path_factory: pytest.TempPathFactory, names: list[str]) -> None:
    photos = {name: found(f"x{name}.jpg", (0.5, name, 0.8)) for name in names}
    rows = write(tmp_path_factory.mktemp("any"), *photos.values())
    assert sorted(rows) == sorted([f"x{name}", name] for name in photos)


def test_names_stay_exactly_as_they_are(tmp_path: Path) -> None:
    """A grader compares letter by letter, and is no spreadsheet that runs formulas."""
    rows = write(tmp_path, found("-7.jpg", (1.0, "=1+1", 0.9)), found("@x.png", (1.0, 'a, "b"', 0.9)))
    assert rows == [["-7", "=1+1"], ["@x", 'a, "b"']]
    text = (tmp_path / "submission.csv").read_bytes()
    assert text == b'id,label\n-7,=1+1\n@x,"a, ""b"""\n'


def test_korean_is_plain_utf8_without_a_mark(tmp_path: Path) -> None:
    write(tmp_path, found("사진 1.jpg", (1.0, "사과", 0.9)))
    assert (tmp_path / "submission.csv").read_bytes() == "id,label\n사진 1,사과\n".encode()


@pytest.mark.parametrize(
    ("subjects", "label"),
    [
        ((), ""),
        (((0.9, "dog", 0.6),), "dog"),
        (((0.9, "dog", 0.6), (0.8, "cat", 0.99)), "dog"),
        (((0.8, "cat", 0.99), (0.9, "dog", 0.6)), "dog"),
        (((0.9, "dog", 0.6), (0.9, "cat", 0.7)), "cat"),
        (((0.9, "dog", 0.7), (0.9, "cat", 0.7)), "dog"),
    ],
    ids=["nothing", "one", "surest", "surest wherever", "tie: surer class", "tie: first"],
)
def test_surest_subject_says_the_class(subjects: tuple[tuple[float, str, float], ...], label: str) -> None:
    assert choose_label(found("a.jpg", *subjects)) == label


def test_rows_without_a_class_are_counted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "submission.csv"
    made = write_submission(path, HEADER, [found("1.jpg"), found("2.jpg", (1.0, "dog", 0.9))])
    assert made == Submission(path, rows=2, unlabelled=1)
    assert str(made) == f"2 photos in {path}, 1 of them without a class: most contests want each filled in"
    assert str(Submission(path, 2, 0)) == f"2 photos in {path}"


def test_photos_of_one_name_are_refused(tmp_path: Path) -> None:
    photos = ["a/1.jpg", "a/2.jpg", "b/1.png", "b/2.jpg", "3.jpg"]
    with pytest.raises(DataError) as refused:
        check_ids(photos, tmp_path)
    assert "a/1.jpg and b/1.png would both be '1' in submission.csv, and 1 more such names" in str(refused.value)
    check_ids(photos[:2] + photos[4:], tmp_path)


def test_folder_in_its_place_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").mkdir()
    with pytest.raises(OutputError):
        write_submission(tmp_path / "submission.csv", HEADER, [])


@pytest.fixture
def photos(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Photos 1, 2, 10 and one that is cut; the current folder is the one above it."""
    folder = tmp_path / "test"
    folder.mkdir()
    drawn = sorted((home / "images" / "val").iterdir())
    for name, photo in zip(("10", "2", "1"), drawn, strict=False):
        shutil.copyfile(photo, folder / f"{name}.jpg")
    monkeypatch.chdir(tmp_path)
    return folder


def test_predict_writes_it_beside_the_report(photos: Path, eager: Path, here: Run) -> None:
    for _ in range(2):
        made = here("predict", photos, "--weights", eager, "--out", photos / "out", "--submission", "id,label")
        assert (made.returncode, made.stderr) == (0, "")
        assert f"3 photos in {photos / 'out' / 'submission.csv'}\n" in made.stdout
    rows = list(csv.reader(io.StringIO((photos / "out" / "submission.csv").read_text(encoding="utf-8"))))
    results = {result.photo: result for result in read_results(photos / "out" / "results.jsonl")}
    assert rows == [["id", "label"], *([name, choose_label(results[f"{name}.jpg"])] for name in ("1", "2", "10"))]
    assert all(label for _, label in rows)


def test_photo_that_cannot_be_read_has_its_row_and_the_exit_code_of_predict(
    photos: Path, eager: Path, here: Run
) -> None:
    (photos / "3.jpg").write_bytes((photos / "2.jpg").read_bytes()[:900])
    (photos / "notes.txt").write_text("no photo")
    made = here("predict", photos, "--weights", eager, "--submission", "파일,등급")
    assert made.returncode == 1
    assert ", 1 of them without a class" in made.stdout
    lines = Path("reports", "test", "submission.csv").read_text(encoding="utf-8").splitlines()
    assert [line.split(",")[0] for line in lines] == ["파일", "1", "2", "3", "10"]
    assert lines[3] == "3,"


def test_without_the_option_there_is_none(photos: Path, eager: Path, here: Run) -> None:
    assert here("predict", photos, "--weights", eager).returncode == 0
    assert not Path("reports", "test", "submission.csv").exists()


@pytest.mark.parametrize("heading", ["", "id", "id,label,x"])
def test_wrong_heading_is_said_before_anything_is_done(photos: Path, eager: Path, here: Run, heading: str) -> None:
    made = here("predict", photos, "--weights", eager, "--submission", heading)
    assert (made.returncode, made.stdout, made.stderr.count("\n")) == (2, "", 1)
    assert made.stderr.startswith(f"cropsort: --submission - '{heading}' - expected two different names")
    assert not Path("reports").exists()


def test_same_name_twice_is_said_before_anything_is_done(photos: Path, eager: Path, here: Run) -> None:
    (photos / "b").mkdir()
    shutil.copyfile(photos / "2.jpg", photos / "b" / "2.JPEG")
    made = here("predict", photos, "--weights", eager, "--submission", "id,label")
    assert (made.returncode, made.stdout, made.stderr.count("\n")) == (1, "", 1)
    assert "2.jpg and b/2.JPEG would both be '2' in submission.csv" in made.stderr
    assert not Path("reports").exists()
