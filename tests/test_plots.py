"""Letters of pictures are letters, names fit, and a figure is written whole."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from PIL import Image

from pipeline.plots import draw_box, find_font, is_legible, make_figure, readable_names, shorten, text_width

KOREAN = ("고양이", "강아지", "까치")
UNKNOWN = ("\U0001f408", "\ue123\U00012345", "ᚠ")
"""No one font has an emoji, a letter of private use, cuneiform and a rune."""


def test_plain_letters_need_no_other_font() -> None:
    assert find_font("cat dog") is None


def test_font_for_korean_has_korean() -> None:
    from matplotlib import font_manager
    from matplotlib.ft2font import FT2Font

    name = find_font("".join(KOREAN))
    if name is None:
        pytest.skip("no Korean font on this machine")
    assert "Last Resort" not in name  # it has every letter, as a box
    known = FT2Font(font_manager.findfont(name)).get_charmap()
    assert all(ord(letter) in known for letter in "".join(KOREAN))


def test_no_font_is_made_up_for_letters_that_none_has() -> None:
    assert find_font("".join(UNKNOWN)) is None


def test_names_that_would_print_as_boxes_become_numbers() -> None:
    assert readable_names(("a", "b")) == ("a", "b")
    assert readable_names(UNKNOWN) == ("class 0", "class 1", "class 2")
    assert is_legible("cat") and not is_legible("".join(UNKNOWN))


def test_names_from_a_mac_are_put_together() -> None:
    if not is_legible("".join(KOREAN)):
        pytest.skip("no Korean font on this machine")
    assert readable_names(tuple(unicodedata.normalize("NFD", name) for name in KOREAN)) == KOREAN


@pytest.mark.parametrize(
    ("text", "width", "short"),
    [
        ("apple", 5, "apple"),
        ("apple pie", 7, "app…pie"),
        ("동화책", 6, "동화책"),
        ("아주 긴 동화책", 8, "아주…책"),
        ("", 4, ""),
    ],
)
def test_long_names_keep_both_ends(text: str, width: int, short: str) -> None:
    assert shorten(text, width) == short
    assert text_width(short) <= width


def test_a_figure_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="stop"), make_figure(tmp_path / "a.png", (2, 2)):
        raise ValueError("stop")
    assert not list(tmp_path.iterdir())


def test_dollars_are_no_formula(tmp_path: Path) -> None:
    """Matplotlib reads text between dollars as mathematics, and fails where it is none."""
    with make_figure(tmp_path / "a.png", (3, 2), names=("$5 \\frac$",)) as (_, axes):
        axes[0][0].set(xlim=(0, 100), ylim=(100, 0))
        draw_box(axes[0][0], (10, 10, 90, 90), "#1f77b4", "$5 \\frac$")
        draw_box(axes[0][0], (20, 20, 80, 80), "#1f77b4", "")
    with Image.open(tmp_path / "a.png") as image:
        assert image.size == (330, 220)
