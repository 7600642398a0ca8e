"""The scripts beside the report's page: whole or not at all, and none of an earlier page left."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.errors import OutputError
from pipeline.report.page_data import replacing_parts

HOSTILE = "</script><img onerror=alert(1)>'\"\\\u2028\u2029\udcff\x00 사진"


def write(folder: Path, records: list[object], part: int = 2) -> list[str]:
    with replacing_parts(folder, records, part=part) as names:
        return list(names)


def read(folder: Path, names: list[str]) -> list[object]:
    calls = [(folder / name).read_text(encoding="utf-8") for name in names]
    return [record for call in calls for record in json.loads(call.removeprefix("cropsort(").removesuffix(");\n"))]


def list_names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_records_are_shared_out_to_scripts_in_their_order(tmp_path: Path) -> None:
    names = write(tmp_path / "data", [1, 2, 3, 4, 5])
    assert len(names) == 3
    assert read(tmp_path / "data", names) == [1, 2, 3, 4, 5]
    assert list_names(tmp_path / "data") == set(names)


def test_nothing_to_tell_makes_no_folder(tmp_path: Path) -> None:
    assert write(tmp_path / "data", []) == []
    assert not (tmp_path / "data").exists()


def test_any_text_is_one_string_of_a_script(tmp_path: Path) -> None:
    names = write(tmp_path, [HOSTILE])
    text = (tmp_path / names[0]).read_text(encoding="utf-8")
    assert read(tmp_path, names) == [HOSTILE]
    assert "사진" in text
    assert not re.search("[<\u2028\u2029]", text)


def test_scripts_of_an_earlier_page_go_and_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    earlier = write(tmp_path, [1, 2, 3])
    (tmp_path / f".{earlier[0].removesuffix('.js')}.123.part.js").touch()  # the power went
    later = write(tmp_path, [1, 2])
    assert later == earlier[:1]
    assert list_names(tmp_path) == {*later, "notes.txt"}
    write(tmp_path, [])
    assert list_names(tmp_path) == {"notes.txt"}


def test_page_that_fails_leaves_the_scripts_of_the_earlier_one(tmp_path: Path) -> None:
    earlier = write(tmp_path, [1, 2, 3])
    with pytest.raises(KeyboardInterrupt), replacing_parts(tmp_path, [1, 2, 4], part=2):
        raise KeyboardInterrupt
    assert list_names(tmp_path) == set(earlier)
    assert read(tmp_path, earlier) == [1, 2, 3]


def test_results_that_break_off_leave_the_scripts_of_the_earlier_page(tmp_path: Path) -> None:
    def records() -> object:
        yield from (7, 8, 9)
        raise ValueError("a line that is no result")

    earlier = write(tmp_path, [1, 2, 3])
    with pytest.raises(ValueError, match="no result"), replacing_parts(tmp_path, records(), part=2):  # type: ignore[arg-type]
        pytest.fail("the page must not be written")
    assert list_names(tmp_path) == set(earlier)


def test_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write(tmp_path / "data", [1])
