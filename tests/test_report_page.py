"""The report's page, read as text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import datetime
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from pipeline.boxes import Box
from pipeline.errors import OutputError
from pipeline.report.page import write_report_page
from pipeline.report.page_summary import NOT_SORTED
from pipeline.report.page_words import choose_words
from pipeline.results import Detection, PhotoResult, Prediction
from pipeline.run_info import Language, RunInfo
from pipeline.thumbnails import Thumbnails

HOSTILE = "</script><img src=x onerror=\"document.title='hit'\"><!-- '&amp;\u2028\u2029 {{ 1 }} ${1} 사진"
BOX = Box(120, 60, 200, 180)


def predict(probabilities: dict[str, float] | None = None, *, box: Box = BOX, sure: bool = True) -> Prediction:
    return Prediction(Detection(box, 0.8), probabilities or {"고양이": 0.9, "강아지": 0.1}, sure=sure)


def describe_run(photos: Path, class_names: tuple[str, ...] = ("고양이", "강아지"), **more: Any) -> RunInfo:
    return RunInfo(photos, Path("weights/동물"), class_names, 0.25, datetime(2025, 4, 30, 17, 42), 0, "0.1.0", **more)


def no_picture(_result: PhotoResult, _index: int) -> None:
    return None


def write(folder: Path, results: list[PhotoResult], run: RunInfo | None = None, **more: Any) -> Path:
    return write_report_page(results, run or describe_run(folder / "photos"), folder, thumbnails=no_picture, **more)


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.setup: dict[str, Any] = {}
        self._inside = ""
        self.feed(file.read_text(encoding="utf-8"))
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._inside = "setup" if tag == "script" and ("id", "setup") in attrs else tag

    def handle_endtag(self, _tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "setup":
            self.setup = json.loads(data)
        elif self._inside not in ("script", "style"):
            self.words.append(data)

    def list_attributes(self, tag: str, name: str) -> list[str | None]:
        return [attributes[name] for found, attributes in self.tags if found == tag and name in attributes]


def read_records(folder: Path, page: Page) -> list[Any]:
    sources = [source for source in page.list_attributes("script", "src") if source]
    calls = [(folder / source).read_text(encoding="utf-8") for source in sources]
    return [record for call in calls for record in json.loads(call.removeprefix("cropsort(").removesuffix(");\n"))]


def test_summary_says_what_was_run_what_came_out_and_what_to_look_at(tmp_path: Path) -> None:
    results = [
        PhotoResult(
            "a.jpg", "ok", (400, 300), predictions=(predict(), predict({"강아지": 0.6, "고양이": 0.4}, sure=False))
        ),
        PhotoResult("b.jpg", "empty", (400, 300)),
        PhotoResult("c.jpg", "unreadable", error="the file is empty"),
        PhotoResult("d.txt", "unsupported", error="no photo by its name or its first bytes"),
    ]
    run = describe_run(tmp_path / "여름", trained_on="동물.yaml", scores={"f1": 0.91}, settings={"int8": "yes"})
    page = Page(write(tmp_path, results, replace(run, hidden_files=2, further_weights=(Path("weights/둘"),))))
    for said in (
        "Report on 여름 2 boxes found in 1 of 4 files.",
        "The folder of photos is not there any more: links to photos lead nowhere.",
        "1 photo could not be read: see Problems below.",
        "1 file is not a photo: see Problems below.",
        "2 hidden files were skipped.",
        "to check 1 the class is not sure enough",
        "고양이 1 50% 90% – 강아지 1 50% 60% 1",
        "60 to 70%: 1 box, 1 to check",
        "finished 2025-04-30 17:42",
        f"weights {Path('weights/동물')} weights {Path('weights/둘')} trained on 동물.yaml",
        "detector confidence 25% or more",
        "8-bit networks yes",
        "cropsort version 0.1.0",
        "F1 precision and recall in one 0.910",
        "ok something found 1 empty nothing found 1 unreadable cannot be opened 1 unsupported not a photo 1",
        "c.jpg unreadable: the file is empty d.txt unsupported: no photo by its name or its first bytes",
        "Photos in which nothing was found (1) b.jpg",
    ):
        assert said in page.text
    links = page.list_attributes("a", "href")
    assert [link for link in links if link != "#crops"] == [f"./여름/{name}" for name in ("c.jpg", "d.txt", "b.jpg")]


def test_run_that_was_stopped_says_so(tmp_path: Path) -> None:
    page = Page(
        write(tmp_path, [PhotoResult("a.jpg", "empty", (9, 9))], replace(describe_run(tmp_path), finished=None))
    )
    assert "This report is partial: the run was stopped before its end." in page.text
    assert "finished interrupted: not all photos are in" in page.text


def test_moved_photos_are_counted(tmp_path: Path) -> None:
    page = Page(write(tmp_path, [PhotoResult("a.jpg", "empty", (9, 9))], describe_run(tmp_path)))
    assert "1 file is not where it was: the link to it leads nowhere." in page.text


@pytest.mark.parametrize("results", [[], [PhotoResult("a.jpg", "empty", (9, 9))]])
def test_run_that_found_nothing_has_a_page_too(tmp_path: Path, results: list[PhotoResult]) -> None:
    page = Page(write(tmp_path, results, describe_run(tmp_path, ())))
    assert "Nothing was found in any photo." in page.text
    assert page.list_attributes("script", "src") == []
    assert not (tmp_path / "report-data").exists()


def test_list_of_many_files_says_how_many_more_there_are(tmp_path: Path) -> None:
    results = [PhotoResult(f"{number}.jpg", "unreadable", error="the file is empty") for number in range(203)]
    page = Page(write(tmp_path, results))
    assert "Problems (203)" in page.text
    assert page.text.count("unreadable: the file is empty") == 200
    assert "and 3 files more: see the workbook" in page.text


def test_each_photo_has_its_link_its_boxes_and_its_crops(tmp_path: Path) -> None:
    (tmp_path / "thumbnails").mkdir()
    boxes = predict(), predict({"까치": 0.51, "너구리": 0.49}, box=Box(1.4, 2.6, 3, 4), sure=False)
    taken = PhotoResult(
        "밤 #1.jpg", "ok", (400, 300), "2025-01-02 03:04:05", 0.1, boxes, camera="삼성", gps=(37.5, -0.5)
    )
    plain = PhotoResult("b.jpg", "ok", predictions=(predict({"고양이": 1.0}),))
    run = describe_run(tmp_path / "사진", further_weights=(Path("둘"),))
    page = Page(write(tmp_path, [taken, plain], run, drawn={"b.jpg": tmp_path / "boxes" / "b 1.jpg"}.get))
    assert page.setup["classes"] == ["고양이", "강아지", "까치", "너구리"]
    (first, link, drawn, *size, captured, camera, gps, crops, found), second = read_records(tmp_path, page)
    assert (first, link, drawn) == ("밤 #1.jpg", "./사진/밤%20%231.jpg", 0)
    assert (size, captured, camera, gps) == ([400, 300], "2025-01-02 03:04:05", "삼성", 0)
    assert found == [
        [0, 9000, 1, 1, 1000, 8000, 120, 60, 200, 180, "one"],
        [2, 5100, 0, 3, 4900, 8000, 1, 3, 3, 4, "one"],
    ]
    Thumbnails(tmp_path / "thumbnails").write(first, 1, b"picture")
    assert (tmp_path / page.setup["thumbnails"] / f"{crops}-1.jpg").read_bytes() == b"picture"
    assert second[2:8] == ["./boxes/b%201.jpg", 0, 0, 0, 0, 0]
    assert second[-1][0][3:5] == [-1, 0]


def test_where_a_photo_was_taken_is_told_only_if_asked_for(tmp_path: Path) -> None:
    results = [PhotoResult("a.jpg", "ok", (9, 9), predictions=(predict(),), gps=(37.566535, -0.5))]
    asked = Page(write(tmp_path, results, describe_run(tmp_path, gps=True)))
    assert read_records(tmp_path, asked)[0][7] == [37.566535, -0.5]
    plain = Page(write(tmp_path, results))
    assert read_records(tmp_path, plain)[0][7] == 0


def test_crops_are_in_the_data_where_the_folder_has_none(tmp_path: Path) -> None:
    def second_only(_result: PhotoResult, index: int) -> bytes | None:
        return b"picture" if index else None

    results = [PhotoResult("a.jpg", "ok", (9, 9), predictions=(predict(), predict()))]
    file = write_report_page(results, describe_run(tmp_path), tmp_path, thumbnails=second_only)
    assert read_records(tmp_path, Page(file))[0][8] == [0, "cGljdHVyZQ=="]


def test_report_of_other_results_takes_the_place_of_the_earlier_one(tmp_path: Path) -> None:
    write(tmp_path, [PhotoResult("a.jpg", "ok", (9, 9), predictions=(predict(),))])
    page = Page(write(tmp_path, [PhotoResult("b.jpg", "ok", (9, 9), predictions=(predict(),))]))
    assert [record[0] for record in read_records(tmp_path, page)] == ["b.jpg"]
    assert len(list((tmp_path / "report-data").iterdir())) == 1


def test_page_that_cannot_be_written_leaves_no_data_behind(tmp_path: Path) -> None:
    (tmp_path / "report.html").mkdir()
    with pytest.raises(OutputError, match=r"report\.html"):
        write(tmp_path, [PhotoResult("a.jpg", "ok", (9, 9), predictions=(predict(),))])
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]


def test_hostile_names_are_only_text(tmp_path: Path) -> None:
    results = [
        PhotoResult(HOSTILE, "ok", (9, 9), HOSTILE, predictions=(predict({HOSTILE: 1.0}),), camera=HOSTILE),
        PhotoResult(f"{HOSTILE}2", "unreadable", error=HOSTILE),
        PhotoResult("\udcff.jpg", "unreadable", error="x"),
        PhotoResult("\udcff2.jpg", "ok", (9, 9), predictions=(predict(),)),
    ]
    run = describe_run(tmp_path / HOSTILE.replace("/", ""), (HOSTILE,), trained_on=HOSTILE, settings={HOSTILE: HOSTILE})
    page = Page(write(tmp_path, results, run))
    assert page.list_attributes("img", "src") == []
    assert len(page.list_attributes("script", "src")) == 1
    assert page.setup["classes"][0] == HOSTILE
    assert page.text.count("{{ 1 }} ${1} 사진") >= 5
    assert "?.jpg unreadable: x" in page.text
    first, second = read_records(tmp_path, page)
    assert (first[0], first[5], first[6]) == (HOSTILE, HOSTILE, HOSTILE)
    assert (second[0], second[1]) == ("\udcff2.jpg", 0)


def test_nothing_is_fetched(tmp_path: Path) -> None:
    file = write(tmp_path, [PhotoResult("a.jpg", "ok", (9, 9), predictions=(predict(),))])
    text = file.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
    assert not re.search("https?:|//[a-z]|@import|url\\(|fetch\\(", text)


@pytest.mark.parametrize("language", ["en", "ko"])
def test_each_language_has_every_word(language: Language, tmp_path: Path) -> None:
    words, english = choose_words(language), choose_words("en")
    assert set(words) == set(english)
    for name, text in words.items():
        assert set(re.findall(r"{(\w+)}", text)) == set(re.findall(r"{(\w+)}", english[name])), name
        assert (language == "en") == (text == english[name]) or name == "alt_crop", name
    results = [PhotoResult("a.jpg", "empty", (9, 9)), PhotoResult("b.jpg", "unreadable", error="the file is empty")]
    page = Page(write(tmp_path, results, describe_run(tmp_path, language=language)))
    assert page.list_attributes("html", "lang") == [language]
    for said in (words["run"], words["unreadable one"].format(count=1), words["problems"]):
        assert said in page.text
    assert (
        ("something" in page.text)
        == ("finished" in page.text)
        == ("the file is empty" in page.text)
        == (language == "en")
    )


def test_every_word_is_used() -> None:
    names = ("report.html", "report.js", "report/page_summary.py")
    code = "".join(files("pipeline").joinpath(name).read_text(encoding="utf-8") for name in names)
    unused = [name for name in choose_words("en") if not re.search(rf"\b{name.removesuffix(' one')}\b", code)]
    by_their_value = {*NOT_SORTED, *(f"{status} one" for status in NOT_SORTED)}
    by_their_value |= {f"instead_{way}" for way in ("drawn", "crop", "none")}
    assert set(unused) <= by_their_value <= set(choose_words("en"))
