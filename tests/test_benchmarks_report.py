"""The benchmark of the report goes to its end, and does not do again what it has done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.environment import ROOT


@pytest.mark.slow
def test_it_measures_every_way_once(tmp_path: Path) -> None:
    told = _run(tmp_path)
    rows = [line.split("|")[1].strip() for line in told.stdout.splitlines() if line.startswith("| ")]
    assert rows == ["way", "report", "plain", "pandas-openpyxl", "pandas-xlsxwriter"]
    assert len(told.stderr.splitlines()) == 4
    assert _run(tmp_path).stdout == told.stdout


def _run(work: Path) -> subprocess.CompletedProcess[str]:
    sizes = ["--detections", "41", "--thumbnails", "3", "--rounds", "1", "--work", str(work)]
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "report.py"), *sizes],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=300,
    )
