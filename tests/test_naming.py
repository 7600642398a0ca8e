"""Names that every file system takes, each given away once."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest

from pipeline.naming import Taken, plain_name, plain_parts

NFD = unicodedata.normalize("NFD", "고양이")
NAMES = {
    "cat": "cat",
    "고양이": "고양이",
    NFD: "고양이",
    "manga/コミック": "manga_コミック",
    'a<b>c:d"e\\f|g?h*i': "a_b_c_d_e_f_g_h_i",
    "..": "_",
    "": "_",
    " .hidden. ": "hidden",
    "CON": "_CON",
    "com1.jpg": "_com1.jpg",
    "a\x00b\udcff": "a_b_",
}


@pytest.mark.parametrize("text", NAMES, ids=ascii)
def test_plain_name_is_a_file_name_everywhere(text: str, tmp_path: Path) -> None:
    name = plain_name(text)
    assert name == NAMES[text]
    (tmp_path / name).mkdir()
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_long_names_are_cut_between_letters() -> None:
    name = plain_name("가" * 200)
    assert name == "가" * 40
    assert plain_name("a" * 119 + ". x") == "a" * 119


@pytest.mark.parametrize(
    ("photo", "parts"),
    [
        ("a.jpg", ("a.jpg",)),
        ("여름/a.jpg", ("여름", "a.jpg")),
        ("/home/me/a.jpg", ("home", "me", "a.jpg")),
        ("../../etc/a.jpg", ("etc", "a.jpg")),
        ("https://example.org/x/a.jpg?size=1", ("example.org", "x", "a.jpg_size=1")),
        ("C:\\a.jpg", ("C__a.jpg",)),
        ("", ("_",)),
    ],
)
def test_no_photo_leads_out_of_the_folder(photo: str, parts: tuple[str, ...]) -> None:
    assert plain_parts(photo) == parts


def test_name_is_given_away_once_whatever_its_case_and_unicode_form() -> None:
    taken = Taken(["a.jpg"])
    assert taken.claim("A", ".jpg") == "A-2.jpg"
    assert taken.claim("a", ".jpg") == "a-3.jpg"
    assert [taken.claim("고양이"), taken.claim(NFD)] == ["고양이", f"{NFD}-2"]
