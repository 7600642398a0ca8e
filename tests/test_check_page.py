"""The page that shows what is wrong: one file, whatever the files are called, small however much is wrong."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from photos import write_photo, write_text

from pipeline.boxes import Box
from pipeline.check_page import write_page
from pipeline.dataset import DataSet
from pipeline.errors import OutputError
from pipeline.labels import Annotation, Subject
from pipeline.problems import Kind, Problem

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
HOSTILE = "사진 <script>document.title='hit'<!-- \"&amp;' {{ 1 }}"


class Page(HTMLParser):
    """Tags, links and text of a page; every tag is closed."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.links: list[str] = []
        self.anchors: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(file.read_text(encoding="utf-8"))
        self.close()
        assert self._open == []
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in ("meta", "img", "br", "rect", "circle"):
            self._open.append(tag)
        for name, value in attrs:
            {"src": self.sources, "href": self.links, "id": self.anchors}.get(name, []).append(value or "")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


@pytest.fixture
def data(tmp_path: Path) -> DataSet:
    """A data set of four photos and nothing wrong."""
    photos = [write_photo(tmp_path / f"{HOSTILE[:8]} {number}.jpg", size=(80, 60), seed=number) for number in range(4)]
    subject = Subject(Box(8, 8, 40, 40), "만화 <i>")
    annotations = tuple(Annotation(photo, (80, 60), (subject,), None) for photo in photos)
    return DataSet(
        HOSTILE, tmp_path / "data.yaml", ("만화 <i>", "king"), annotations[:2], annotations[2:], (), ("a & b",)
    )


def with_problems(data: DataSet, *problems: Problem) -> DataSet:
    return replace(data, problems=problems)


def test_clean_data_set_says_so(data: DataSet, tmp_path: Path) -> None:
    page = Page(write_page(data, tmp_path / "page"))
    assert "Nothing is wrong The data set is ready to train on." in page.text
    assert "What was found" not in page.text
    assert "만화 <i> 2 2 king 0 0 boxes 2 2 photos 2 2 a & b" in page.text


def test_problem_is_shown_with_its_picture_file_line_and_remedy(data: DataSet, tmp_path: Path) -> None:
    photo, box = data.train[0].photo, Box(8, 8, 40, 40)
    problem = Problem(Kind.BOX_TINY, tmp_path / "a.txt", "a box of 1 x 1", line=3, photo=photo, boxes=(box,))
    file = write_page(with_problems(data, problem, problem), tmp_path / "page")
    page = Page(file)
    assert "0 errors, 2 warnings" in page.text
    assert f"2 × {Kind.BOX_TINY.title} What to do: {Kind.BOX_TINY.remedy}" in page.text
    assert page.text.count("만화 <i> a.txt, line 3 a box of 1 x 1") == 2
    assert page.links == ["#box-tiny"]
    assert page.anchors == ["box-tiny"]
    assert page.tags.count("rect") == 2


def test_everything_is_in_the_one_file(data: DataSet, tmp_path: Path) -> None:
    problem = Problem(Kind.PHOTO_SIMILAR, data.train[0].photo, "x", photo=data.train[0].photo)
    file = write_page(with_problems(data, replace(problem, others=(data.val[0].photo,))), tmp_path / "page")
    page = Page(file)
    assert len(page.sources) >= 3  # two photos, and pictures of the data set
    assert all(re.match("data:image/(jpeg|png);base64,", source) for source in page.sources)
    assert "script" not in page.tags
    assert not re.search("https?://", file.read_text(encoding="utf-8"))


def test_hostile_names_are_only_text(data: DataSet, tmp_path: Path) -> None:
    photo = data.train[0].photo
    found = Problem(Kind.ROW_MALFORMED, tmp_path / HOSTILE, HOSTILE, photo=photo, remedy=HOSTILE)
    page = Page(write_page(with_problems(data, found), tmp_path / "page"))
    assert page.text.count(HOSTILE) >= 5
    assert "script" not in page.tags
    assert "i" not in page.tags


def test_name_that_is_no_text_in_utf_8_ends_nothing(data: DataSet, tmp_path: Path) -> None:
    found = Problem(Kind.LABEL_ORPHAN, tmp_path / "a\udcff.txt", "no photo")
    assert "a?.txt" in Page(write_page(with_problems(data, found), tmp_path / "page")).text


def test_page_stays_small_however_much_is_wrong(data: DataSet, tmp_path: Path) -> None:
    photo = data.train[0].photo
    many = [Problem(kind, tmp_path / f"{i}.txt", "x", photo=photo) for kind in list(Kind)[:3] for i in range(100)]
    page = Page(write_page(with_problems(data, *many), tmp_path / "page"))
    assert "300 errors" in page.text
    assert sum("jpeg" in source for source in page.sources) <= 3 * 60 + 1
    assert page.text.count("and 40 more; cropsort check --json lists all") == 3


def test_group_shows_a_few_photos_and_counts_the_rest(data: DataSet, tmp_path: Path) -> None:
    photos = [write_photo(tmp_path / f"same-{number}.jpg") for number in range(10)]
    found = Problem(Kind.PHOTO_REPEATED, photos[0], "x", photo=photos[0], others=tuple(photos[1:]))
    page = Page(write_page(with_problems(data, found), tmp_path / "page"))
    assert "same-5.jpg and 4 more same-0.jpg x" in page.text


def test_photo_that_cannot_be_shown_is_told_without_picture(data: DataSet, tmp_path: Path) -> None:
    broken = write_text(tmp_path / "broken.jpg", "text")
    found = Problem(Kind.LABEL_MISSING, broken, "no label", photo=broken)
    assert "broken.jpg no label" in Page(write_page(with_problems(data, found), tmp_path / "page")).text


def test_page_that_cannot_be_written_is_an_output_error(data: DataSet, tmp_path: Path) -> None:
    write_text(tmp_path / "page", "")
    with pytest.raises(OutputError, match="cannot be written"):
        write_page(data, tmp_path / "page")


@pytest.mark.slow
@pytest.mark.skipif(BROWSER is None, reason="needs Chromium")
def test_browser_shows_boxes_on_their_subjects_and_runs_nothing(data: DataSet, tmp_path: Path) -> None:
    """The frame lies on the picture where the label says, however long the name below the picture is."""
    photo = write_photo(tmp_path / f"{'long ' * 10}.jpg", size=(120, 160))
    box = Box(30, 40, 90, 120)
    annotation = Annotation(photo, (120, 160), (Subject(box, "king"),), None)
    found = Problem(
        Kind.PHOTO_LEAKED, tmp_path / HOSTILE, HOSTILE, photo=photo, boxes=(box,), others=(data.train[0].photo,)
    )
    made = replace(data, train=(annotation, *data.train), problems=(found,))
    page = write_page(made, tmp_path / "page")
    script = (
        "<script>for (const svg of document.querySelectorAll('figure svg')) {"
        "const image = svg.parentElement.querySelector('img').getBoundingClientRect(),"
        " drawn = svg.getBoundingClientRect(), mark = svg.querySelector('.mark');"
        "const said = ['left', 'top', 'width', 'height'].every(edge => Math.abs(image[edge] - drawn[edge]) < 1);"
        "document.body.append('same place: ' + said + '; ');"
        "if (mark) { const frame = mark.getBoundingClientRect();"
        "document.body.append('frame: ' + [frame.left - image.left, frame.top - image.top, frame.width, frame.height]"
        ".map(Math.round).join(' ') + '; ') } }</script>"
    )
    measured = tmp_path / "measured.html"
    measured.write_text(page.read_text(encoding="utf-8").replace("</body>", f"{script}</body>"), encoding="utf-8")
    answers = [
        subprocess.run(
            [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}",
             f"--window-size={width},900", "--dump-dom", measured.as_uri()],
            check=True, capture_output=True, text=True, encoding="utf-8", timeout=120,
        ).stdout
        for width in (500, 1200)
    ]  # fmt: skip
    for answer in answers:
        assert answer.count("same place: true; ") == 2
        assert "same place: false" not in answer.partition("</script>")[2]
        assert "frame: 30 40 60 80; " in answer
        assert "<title>hit</title>" not in answer
