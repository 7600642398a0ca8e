"""Notes come back whole."""

from __future__ import annotations

import pytest

from pipeline.workbook.notes import read_note, split_note
from pipeline.workbook.tables import count_units


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("", 1),
        ("a", 1),
        ("가" * 255, 1),
        ("가" * 256, 2),
        ("😀" * 127 + "a", 1),
        ("😀" * 128, 2),
        ("a" + "😀" * 300, 3),
    ],
)
def test_a_note_is_read_as_it_was_split(text: str, count: int) -> None:
    parts = dict(split_note("where", text))
    assert read_note(parts, "where") == text
    assert all(count_units(piece) <= 255 for piece in parts.values())
    assert len(parts) == count


def test_a_note_takes_no_part_of_another() -> None:
    properties = dict(split_note("a", "x" * 300)) | {"a (4)": "no", "b (2)": "no"}
    assert read_note(properties, "a") == "x" * 300
    assert read_note(properties, "b") is None
