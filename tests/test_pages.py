from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from pipeline.pages import render_page


def test_page_that_cannot_be_filled_in_leaves_the_old_one(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("old", encoding="utf-8")
    with pytest.raises(UndefinedError):
        render_page(page, "check.html")
    assert page.read_text(encoding="utf-8") == "old"
    assert list(tmp_path.iterdir()) == [page]
