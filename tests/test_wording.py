"""Whatever a report says, it says in Korean as well; and nothing is translated that nobody says."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import get_args

import pytest

import pipeline
from pipeline.deciding import Rule
from pipeline.report.korean import TEXTS
from pipeline.report.meanings import COUNTED, MEANINGS
from pipeline.report.wording import Words, all_forms
from pipeline.results import STATUSES
from pipeline.workbook.tables import SheetWords

ENGLISH, KOREAN = Words("en"), Words("ko")
_REPORT = ("columns", "meanings", "sheets", "summary", "wording")
SAYING = (*(f"report/{name}" for name in _REPORT), "workbook/tables", "deciding", "results")
"""Modules that have the words of a report."""


def _constants() -> Iterator[str]:
    folder = Path(pipeline.__file__).parent
    for name in SAYING:
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_nothing_is_translated_that_nobody_says() -> None:
    assert TEXTS.keys() - set(_constants()) == {"no"}  # the value of a setting


def test_what_a_report_says_is_translated() -> None:
    told = {text for name, meaning in MEANINGS.items() for text in (name, *meaning) if text}
    told |= {*COUNTED, *STATUSES, *get_args(Rule), *asdict(SheetWords()).values()}
    assert {text for text in told if not re.search("[가-힣]", KOREAN(text))} == set()


@pytest.mark.parametrize("english", TEXTS)
def test_a_translation_has_the_same_blanks_to_fill(english: str) -> None:
    blanks = re.findall(r"\{(\w*)\}", english)
    assert set(re.findall(r"\{(\w*)\}", TEXTS[english])) == set(blanks)


def test_names_of_sheets_stay_apart() -> None:
    names = ["Summary", "Detections", "Photos", "Classes", "To check", "Problems", "Data dictionary"]
    assert len({KOREAN(name) for name in names}) == len(names)


def test_a_count_is_in_the_singular_or_the_plural() -> None:
    words = "{count} box", "{count} boxes"
    assert [ENGLISH.some(count, *words) for count in (0, 1, 2_000)] == ["0 boxes", "1 box", "2,000 boxes"]
    assert [KOREAN.some(count, *words) for count in (1, 2_000)] == ["1건", "2,000건"]


def test_a_name_is_found_in_every_language() -> None:
    assert all_forms("correct class") == {"correct class", "올바른 분류"}
    assert all_forms("yes") == {"yes", "예"}
    assert all_forms("nobody says this") == {"nobody says this"}


def test_what_is_filled_in_is_never_a_blank_itself() -> None:
    assert KOREAN("boxes: {name}", name="{count}%s{0}") == "검출: {count}%s{0}"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("the file is empty", "빈 파일입니다"),
        ("its end is missing: 43% of its pixels", "파일 끝부분이 없습니다(화소의 43%)"),
        ("its end is missing: 1,234 bytes or more", "파일 끝부분이 없습니다(1,234바이트 이상)"),
        ("its end is missing: some of its pixels", "파일 끝부분이 없습니다"),
        ("cannot be read (Permission denied)", "읽을 수 없습니다(Permission denied)"),
        ("60000 x 12000 pixels are more than 500 million", "60000×12000픽셀로 한계인 500백만 픽셀을 넘습니다"),
        ("broke off after 1,000 of 2000 bytes", "2000바이트 가운데 1,000바이트에서 끊겼습니다"),
        ("cannot be opened (a {brace})", "열 수 없습니다(a {brace})"),
        ("something that nobody translated", "something that nobody translated"),
    ],
)
def test_a_reason_is_told_in_the_language_of_the_report(reason: str, said: str) -> None:
    assert KOREAN.explain(reason) == said
    assert ENGLISH.explain(reason) == reason
