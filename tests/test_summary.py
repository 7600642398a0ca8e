"""The first sheet says what was run, what came out, and what somebody should look at, in plain words."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from pipeline.report.summary import summarise
from pipeline.report.survey import Doubt, Survey, Tally
from pipeline.report.wording import Words
from pipeline.results import STATUSES, Status
from pipeline.run_info import RunInfo
from pipeline.workbook.tables import MAX_ROWS, Summary, Table, Value

ENGLISH, KOREAN = Words("en"), Words("ko")


@pytest.fixture
def run(tmp_path: Path) -> RunInfo:
    return RunInfo(tmp_path, Path("weights/a"), ("cat",), 0.25, datetime(2025, 4, 30, 17, 42), 0, "0.1.0")


def _survey(boxes: int = 3, doubts: int = 0, **statuses: int) -> Survey:
    names: dict[str, Status] = {status.replace(" ", "_"): status for status in STATUSES}
    counts = Counter({names[name]: count for name, count in statuses.items()})
    return Survey({"cat": Tally(boxes, 0.9 * boxes)}, counts, boxes, doubts=[Doubt(0.1, 0.5, 0, 0)] * doubts)


def _facts(summary: Summary) -> dict[str, Value]:
    return {name: value for name, value, _ in summary.facts}


def _table(summary: Summary, name: str) -> list[tuple[Value, ...]]:
    table: Table[Any] = next(table for table in summary.tables if table.name == name)
    return [tuple(column.value(row) for column in table.columns) for row in table.rows]


def test_a_run_that_went_well_has_no_warnings(run: RunInfo) -> None:
    made = summarise(_survey(ok=2, empty=1), run, ENGLISH)
    assert made.warnings == []
    assert made.headline == "3 boxes found in 2 of 3 files."
    assert _facts(made)["to check"] == "nothing: no box is unsure"


def test_an_interrupted_run_is_marked_partial(run: RunInfo) -> None:
    stopped = replace(run, finished=None)
    made = summarise(_survey(ok=1), stopped, ENGLISH)
    assert _facts(made)["finished"] == "interrupted: not all photos are in"
    assert made.warnings[0].startswith("This report is partial: the run was stopped before its end.")
    assert "일부 사진만" in summarise(_survey(ok=1), stopped, KOREAN).warnings[0]


def test_photos_that_have_moved_are_warned_of(run: RunInfo) -> None:
    some, one = _survey(ok=3), _survey(ok=3)
    some.gone, one.gone = 2, 1
    (said,) = summarise(some, run, ENGLISH).warnings
    assert said == "2 files are not where they were: links to them lead nowhere."
    assert summarise(one, run, ENGLISH).warnings == ["1 file is not where it was: the link to it leads nowhere."]
    (said,) = summarise(some, replace(run, photos=run.photos / "gone"), ENGLISH).warnings
    assert said == "The folder of photos is not there any more: links to photos lead nowhere."


def test_crops_that_have_gone_are_warned_of(run: RunInfo) -> None:
    seen = _survey(ok=3)
    seen.crops_lost = 12
    (said,) = summarise(seen, run, ENGLISH).warnings
    assert said == "The crops of 12 boxes cannot be shown: their pictures have gone."


def test_limits_are_told(run: RunInfo) -> None:
    made = summarise(_survey(MAX_ROWS + 1, ok=70_000), run, ENGLISH)
    assert made.warnings == [
        "Crops are shown for the first 10,000 boxes only.",
        "Detections goes on on Detections 2 and so on: a sheet of Excel has room for 1,048,575 rows.",
        "Excel has room for 65,530 links a sheet: below them paths are plain text.",
    ]
    drawn = _survey(ok=40_000)
    drawn.drawn = True
    assert len(summarise(drawn, run, ENGLISH).warnings) == 1
    assert "‘검출 목록 2’" in summarise(_survey(MAX_ROWS + 1, ok=1), run, KOREAN).warnings[1]


def test_scores_and_settings_are_told(run: RunInfo) -> None:
    known = replace(
        run,
        trained_on="data.yaml",
        scores={"top1_true": 0.963, "f1": 0.9455, "our own": 0.5},
        settings={"device": "cpu", "int8": "no", "sure_from": "0.62", "mood": "good"},
    )
    made = summarise(_survey(ok=3), known, ENGLISH)
    assert _table(made, "Scores of the weights on val") == [
        ("F1", 0.9455, "precision and recall in one"),
        ("top-1", 0.963, "right class, of subjects as people framed them"),
        ("our own", 0.5, ""),
    ]
    facts = _facts(made)
    assert facts["trained on"] == "data.yaml"
    assert facts["settings"] == "device cpu · 8-bit networks no · sure from 0.62 · mood good"
    assert (
        _facts(summarise(_survey(ok=3), known, KOREAN))["설정"]
        == "장치 cpu · 8비트 모델 아니요 · 확실 기준 0.62 · mood good"
    )
    assert "Scores of the weights on val" not in [table.name for table in summarise(_survey(ok=3), run, ENGLISH).tables]


def test_spread_is_drawn_where_there_is_any(run: RunInfo) -> None:
    seen = _survey(ok=1)
    seen.spread[9].boxes, seen.spread[5].boxes, seen.spread[5].unsure = 2, 1, 1
    made = summarise(seen, run, ENGLISH)
    rows = _table(made, "Confidence spread")
    assert (rows[0], rows[5], rows[9]) == (("0–10 %", 0, 0), ("50–60 %", 1, 1), ("90–100 %", 2, 0))
    assert [table.chart for table in made.tables] == [None, "bars", "columns"]
    empty = summarise(_survey(0, empty=1), run, ENGLISH)
    assert [table.chart for table in empty.tables] == [None, "bars", None]


def test_it_is_all_in_korean(run: RunInfo) -> None:
    seen = _survey(1_000, 12, ok=3, empty=1, unreadable=1, truncated=2, too_large=1, unsupported=4)
    made = summarise(seen, replace(run, hidden_files=2), KOREAN)
    assert made.headline == "파일 12개 가운데 3개에서 대상 1,000건을 찾았습니다."
    assert _facts(made)["확인할 대상"] == "1,000건 가운데 12건: ‘확인 필요’ 시트 참조 (의심스러운 순)"
    assert [row[:2] for row in _table(made, "상태별 파일 수")][:2] == [("검출됨", 3), ("검출 없음", 1)]
    assert made.warnings == [
        "사진 1장을 열지 못했습니다. ‘문제 파일’ 시트를 보십시오.",
        "사진 2장은 끝부분이 없습니다. ‘문제 파일’ 시트를 보십시오.",
        "사진 1장은 너무 커서 처리하지 못했습니다. ‘문제 파일’ 시트를 보십시오.",
        "파일 4개는 사진이 아닙니다. ‘문제 파일’ 시트를 보십시오.",
        "숨김 파일 2개는 건너뛰었습니다.",
    ]
