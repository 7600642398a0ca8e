"""Corrections survive what readers, LibreOffice and a kill do to them."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest
from corrections import BOXES, answer, boxes_of, correct, draw, found, make_home, make_report, result_of
from round_trip import RoundTrip, round_trip

from pipeline.corrections.ledger import LEDGER
from pipeline.environment import ROOT


@pytest.mark.slow
def test_two_hundred_corrections_survive_sorts_and_filters(tmp_path: Path) -> None:
    assert round_trip(tmp_path) == RoundTrip(asked=200, applied=200, wrong=(), again=0)


@pytest.mark.slow
def test_a_kill_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    photos = tmp_path / "phone"
    names = [f"{number:02}.jpg" for number in range(24)]
    for number, name in enumerate(names):
        draw(photos / name, number, size=(1600, 1200))
    big = [box.scaled(10) for box in BOXES]
    results = [result_of(photos, name, [found("ace", box) for box in big]) for name in names]
    report = make_report(make_home(tmp_path / "home"), photos, results)
    answer(report.workbook, {report.key(name): "yes" for name in names[:16]}, sheet="Photos")
    answer(report.workbook, {report.key(name, 1): "king" for name in names})
    copies, crops = report.home / "images" / "train" / "corrected", report.home / "corrections"
    for wanted in (3, 9, 18):
        command = [sys.executable, "-m", "pipeline", "correct", "--yes", "--data", str(report.data)]
        with subprocess.Popen([*command, str(report.workbook)], cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and len([*copies.glob("[0-9]*.jpg"), *crops.glob("[0-9]*.jpg")]) < wanted:
                time.sleep(0.002)
            process.kill()
    assert not (crops / LEDGER).exists(), "it was over before it was killed"
    assert not correct(report).refused
    assert sorted(path.name for path in copies.glob("[0-9]*.jpg")) == names[:16]
    assert sorted(path.name for path in crops.glob("[0-9]*.jpg")) == names[16:]
    named = ["ace", "king", "ace"]
    assert all([name for name, _ in boxes_of(copies / one)] == named for one in names[:16])
    assert all([name for name, _ in boxes_of(crops / one)] == ["king"] for one in names[16:])
    assert not correct(report).plan.changes
