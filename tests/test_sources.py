"""What an argument of predict stands for, and what comes over the net."""

from __future__ import annotations

import io
import os
import socket
import sys
import threading
import time
import unicodedata
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from photos import write_photo

from pipeline.crop_folders import CROPS, UNSURE
from pipeline.drawing import BOXES
from pipeline.errors import DataError, PhotoError, TooLargeError, TruncatedError
from pipeline.fetching import fetch
from pipeline.report_folder import PICTURES, THUMBNAILS
from pipeline.sources import Source, default_folder, find_sources

KOREAN = "사진"
NFC, NFD = (unicodedata.normalize(form, KOREAN) for form in ("NFC", "NFD"))


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder is the one above it."""
    folder = tmp_path / "trip [1]"
    for name in ("a.jpg", "b/밤.PNG", "b/c/d.jpg"):
        write_photo(folder / name)
    (folder / "notes.md").write_text("no photo")
    (folder / "._a.jpg").write_bytes(b"")
    monkeypatch.chdir(tmp_path)
    return folder


def names(photos: str | Path) -> list[str]:
    return [one.name for one in find_sources(photos).files]


def test_folder_is_all_that_lies_in_it(photos: Path) -> None:
    sources = find_sources(photos.name)
    assert [one.name for one in sources.files] == ["a.jpg", "b/c/d.jpg", "b/밤.PNG", "notes.md"]
    assert (sources.label, sources.title, sources.hidden) == (str(photos), "trip [1]", 1)
    assert all(one.place == Path(photos.name, one.name) for one in sources.files)
    assert default_folder(sources) == Path("reports", "trip [1]")


def test_single_photo_is_itself(photos: Path) -> None:
    sources = find_sources(photos / "b" / "밤.PNG")
    assert (sources.files, sources.title) == ((Source("밤.PNG", photos / "b" / "밤.PNG"),), "밤")
    assert sources.label == str(photos / "b" / "밤.PNG")


def test_pattern_is_what_fits_it(photos: Path) -> None:
    (photos / "b").rename("plain")
    assert names("plain/**/*.jpg") == ["c/d.jpg"]
    assert names("pl*/**/*") == ["plain/c/d.jpg", "plain/밤.PNG"]
    assert find_sources("plain/*/*.jpg").label == str(Path.cwd() / "plain" / "*" / "*.jpg")
    with pytest.raises(DataError, match=r"plain/\*\.gif - nothing is there - expected JPEG"):
        find_sources("plain/*.gif")


def test_folder_whose_name_looks_like_a_pattern_is_a_folder(photos: Path) -> None:
    assert len(names(str(photos))) == 4


def test_list_names_paths_from_its_folder_on_and_urls(photos: Path) -> None:
    listed = photos / "b" / "some.txt"
    outside = write_photo(photos.parent / "e.jpg")
    lines = ["../a.jpg", "", "c/d.jpg", "./c/d.jpg", "gone.jpg", str(outside), "http://a.b/c%20d.jpg", ".hidden.jpg"]
    listed.write_text("\n".join(lines), encoding="utf-8-sig")
    sources = find_sources(listed)
    assert [one.name for one in sources.files] == sorted(
        [str(photos / "a.jpg"), "c/d.jpg", "gone.jpg", str(outside), "http://a.b/c%20d.jpg"]
    )
    assert (sources.title, sources.hidden) == ("some", 1)


def test_list_of_nothing_is_refused(photos: Path) -> None:
    (photos / "some.txt").write_text("\nnothing\nnowhere.md\n")
    with pytest.raises(DataError, match=r"some\.txt - no photos in it, 2 other files"):
        find_sources(photos / "some.txt")
    (photos / "some.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(DataError, match=r"cannot be read .* expected a path or URL a line"):
        find_sources(photos / "some.txt")


def test_names_come_on_standard_input(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"{photos.name}/a.jpg\n{photos}/b/밤.PNG\n"))
    sources = find_sources("-")
    assert [one.name for one in sources.files] == ["trip [1]/a.jpg", "trip [1]/b/밤.PNG"]
    assert (sources.label, sources.title) == (f"names on standard input in {photos.parent}", "stdin")


def test_url_is_itself() -> None:
    sources = find_sources("https://a.b:1/c/%EB%B0%A4.jpg?x=1")
    assert [(one.name, one.is_url, one.stat()) for one in sources.files] == [
        ("https://a.b:1/c/%EB%B0%A4.jpg?x=1", True, (None, None))
    ]
    assert sources.title == "밤"
    assert find_sources("http://a.b:1").title == "a.b-1"


@pytest.mark.parametrize(("there", "asked"), [(NFC, NFD), (NFD, NFC), (NFC, NFC), (NFD, NFD)])
def test_korean_in_either_form_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, asked: str
) -> None:
    write_photo(tmp_path / there / f"{there}.jpg")
    monkeypatch.chdir(tmp_path)
    assert names(asked) == [f"{there}.jpg"]
    assert names(f"{asked}/{asked}.jpg") == [f"{there}.jpg"]
    (tmp_path / "list.txt").write_text(f"{asked}/{asked}.jpg\n", encoding="utf-8")
    assert names("list.txt") == [f"{there}/{there}.jpg"]


def test_korean_in_both_forms_in_one_path_is_found(tmp_path: Path) -> None:
    write_photo(tmp_path / NFD / f"{NFC}.jpg")
    assert names(tmp_path / NFC / f"{NFD}.jpg") == [f"{NFC}.jpg"]


@pytest.mark.parametrize("there", [NFC, NFD])
@pytest.mark.parametrize("asked", [f"{NFC}/{NFD}*.jpg", f"{NFD}/**/{NFC}?.jpg"])
def test_korean_in_a_pattern_is_found_in_either_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: str, asked: str
) -> None:
    write_photo(tmp_path / there / f"{there}1.jpg")
    monkeypatch.chdir(tmp_path)
    assert names(asked) == [f"{there}1.jpg"]


def test_pattern_may_begin_with_a_folder_that_looks_like_one(photos: Path) -> None:
    assert names(f"{photos.name}/*.jpg") == ["a.jpg"]
    assert names(f"{photos.name}/**/*.jpg") == ["a.jpg", "b/c/d.jpg"]
    with pytest.raises(DataError, match=r"trip \[1\]/c\.jpg - no such folder"):
        find_sources(f"{photos.name}/c.jpg")


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux takes names of any bytes")
def test_names_of_any_bytes_come_on_standard_input(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    name = b"old\xb0\xa1.jpg"
    (photos / "a.jpg").rename(photos / os.fsdecode(name))
    typed = io.TextIOWrapper(io.BytesIO(os.fsencode(photos.name) + b"/" + name + b"\n"), encoding="utf-8")
    monkeypatch.setattr(sys, "stdin", typed)
    (one,) = find_sources("-").files
    assert (one.name, one.stat()[0] is not None) == (r"trip [1]/old\xb0\xa1.jpg", True)


@pytest.mark.parametrize(
    "url",
    [
        "http://a.b/c/..",
        "http://a.b/%2e%2e",
        "http://a.b:1/x%2F..%5C%3F%3A.jpg",
        "http://a.b/밤 (1).jpg",
        "http://[::1]:80/",
    ],
)
def test_report_of_a_url_stays_among_the_reports(url: str) -> None:
    made = default_folder(find_sources(url))
    assert made.parent == Path("reports")
    assert not set(made.name) & set('\\/:*?"<>|')
    assert made.name.strip(". ")


@pytest.mark.parametrize("missing", ["nowhere", "없음", "nowhere/a.jpg", "nowhere.txt"])
def test_what_is_not_there_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=f"{missing} - no such folder - check the spelling"):
        find_sources(missing)


def test_photos_without_a_suffix_are_photos(tmp_path: Path) -> None:
    write_photo(tmp_path / "a.jpg").rename(tmp_path / "a")
    assert names(tmp_path) == ["a"]
    (tmp_path / "a").write_text("text")
    with pytest.raises(DataError, match="no photos in it, 1 other files"):
        find_sources(tmp_path)


@pytest.mark.parametrize("by", ["{folder}", "{folder}/../{name}", "{name}"])
def test_report_among_the_photos_is_left_out(photos: Path, by: str) -> None:
    write_photo(photos / "report" / "thumbnails" / "a.jpg")
    write_photo(photos / "report2" / "a.jpg")
    sources = find_sources(by.format(folder=photos, name=photos.name)).leave_out(Path(photos.name) / "report")
    assert [one.name for one in sources.files] == ["a.jpg", "b/c/d.jpg", "b/밤.PNG", "notes.md", "report2/a.jpg"]


@pytest.mark.parametrize("given", ["{folder}", "{folder}/a.jpg", "{folder}/*.jpg"])
@pytest.mark.parametrize("out", [".", "trip [1]"])
def test_report_above_or_beside_the_photos_leaves_them_in(photos: Path, given: str, out: str) -> None:
    write_photo(photos / "thumbnails" / "ab" / "a.jpg")
    sources = find_sources(given.format(folder=photos.name))
    there = [one.name for one in sources.files if out == "." or "thumbnails" not in one.name]
    assert [one.name for one in sources.leave_out(Path(out)).files] == there
    assert "a.jpg" in there


@pytest.mark.parametrize("name", PICTURES)
def test_photos_that_a_report_would_write_over_are_refused(photos: Path, name: str) -> None:
    photos.rename(name)
    with pytest.raises(DataError, match=r"where the report's own pictures do - choose another one: OUT="):
        find_sources(name).leave_out(Path())


def test_pictures_of_a_report_are_all_known() -> None:
    assert {*PICTURES} == {THUMBNAILS, BOXES, CROPS, UNSURE}


def test_file_that_went_has_no_size(photos: Path) -> None:
    (one, *_) = find_sources(photos).files
    assert one.stat()[0] == (photos / "a.jpg").stat().st_size
    (photos / "a.jpg").unlink()
    assert one.stat() == (None, None)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Nothing on standard error."""


class Odd(BaseHTTPRequestHandler):
    """A server with faults."""

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/short":
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(bytes(10))
        elif self.path == "/promises":
            self.send_header("Content-Length", "100000")
            self.end_headers()
        else:
            self.end_headers()
            self._pour(0.02 if self.path == "/drops" else 0.0)

    def _pour(self, pause: float) -> None:
        for _ in range(1000):
            try:
                self.wfile.write(bytes(1000))
            except OSError:
                return
            time.sleep(pause)

    def log_message(self, format: str, *args: object) -> None:
        """As above."""


@pytest.fixture
def served(photos: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from serve(partial(Quiet, directory=str(photos)), monkeypatch)


@pytest.fixture
def odd(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    yield from serve(Odd, monkeypatch)


def serve(handler: type[BaseHTTPRequestHandler] | partial[Quiet], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "*")
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_photo_is_fetched_whole(photos: Path, served: str) -> None:
    assert fetch(f"{served}/a.jpg") == (photos / "a.jpg").read_bytes()
    assert fetch(f"{served}/b/%EB%B0%A4.PNG") == (photos / "b" / "밤.PNG").read_bytes()


def test_letters_and_spaces_in_a_url_are_quoted(photos: Path, served: str) -> None:
    write_photo(photos / "밤 낮" / "100%.jpg")
    wanted = (photos / "밤 낮" / "100%.jpg").read_bytes()
    for path in ("밤 낮/100%25.jpg", "%EB%B0%A4%20낮/100%25.jpg?크기=1#아래"):
        assert fetch(f"{served}/{path}") == wanted


def test_what_cannot_be_fetched_says_why(served: str) -> None:
    with pytest.raises(PhotoError, match=r"cannot be fetched \(the server says 404\)"):
        fetch(f"{served}/none.jpg")
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        with pytest.raises(PhotoError, match=r"cannot be fetched \(.*refused"):
            fetch(f"http://127.0.0.1:{nobody.getsockname()[1]}/a.jpg")
    with pytest.raises(PhotoError, match="cannot be fetched"):
        fetch("http://[bad/a.jpg")


def test_server_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(PhotoError, match="does not answer"):
        fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/a.jpg", seconds=0.2)


def test_time_and_size_are_limited(odd: str) -> None:
    with pytest.raises(PhotoError, match=r"/drops - cannot be fetched \(it takes too long\)$"):
        fetch(f"{odd}/drops", seconds=0.3)
    with pytest.raises(TooLargeError, match="more than 5,000 bytes"):
        fetch(f"{odd}/endless", most_bytes=5000)
    with pytest.raises(TooLargeError, match="100,000 bytes are more than 5,000"):
        fetch(f"{odd}/promises", most_bytes=5000)
    with pytest.raises(TruncatedError, match="broke off after 10 of 1000 bytes"):
        fetch(f"{odd}/short")
