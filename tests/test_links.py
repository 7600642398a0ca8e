"""Links lead from a report to a file wherever both lie, whatever the file is called."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path
from urllib.parse import unquote

import pytest

from pipeline.report.links import link_file, link_photo

NAMES = [
    "공원 산책 #3.jpg",
    unicodedata.normalize("NFD", "우리집 고양이.jpg"),
    "100% 확실 %20.jpg",
    "a [1] {2} & b?.jpg",
    "하위 폴더/밤.jpg",
    "javascript:alert(1).jpg",
    'x" onerror="alert(1)<img>.jpg',
    "two\nlines\tand a tab.jpg",
]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("folder", ["reports/사진", "사진", "사진/report", "."])
def test_link_leads_to_the_photo(tmp_path: Path, folder: str, name: str) -> None:
    link = link_photo(tmp_path / "사진", name, tmp_path / folder)
    assert link is not None
    assert link.startswith(("./", "../"))
    assert not set(link) & set(' "<>?#\n\t')
    assert Path(os.path.normpath(tmp_path / folder / unquote(link))) == tmp_path / "사진" / name


def test_photo_from_the_web_is_linked_to_where_it_is(tmp_path: Path) -> None:
    url = "https://example.org/여름/a b.jpg?size=1&b=%20#top"
    assert link_photo(tmp_path, url, tmp_path) == url.replace(" ", "%20")
    assert link_photo(tmp_path, "http://example.org/\x00", tmp_path) is None


@pytest.mark.parametrize("name", ["\udcff.jpg", "a\x0b.jpg"])
def test_name_that_is_no_text_has_no_link(tmp_path: Path, name: str) -> None:
    assert link_photo(tmp_path, name, tmp_path) is None
    assert link_file(tmp_path / name, tmp_path) is None
