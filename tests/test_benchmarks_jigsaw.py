"""The benchmark of puzzles goes to its end, and does not do again what it has done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.environment import ROOT


@pytest.mark.slow
def test_it_trains_and_judges_once(tmp_path: Path) -> None:
    told = _run(tmp_path)
    rows = [line.split("|")[1].strip() for line in told.stdout.splitlines() if line.startswith("| ")]
    assert rows[:4] == ["drawn, 2 x 2", "tiles", "pictures", "held_out"]
    again = _run(tmp_path)
    assert again.stdout.splitlines()[-len(rows) :] == told.stdout.splitlines()[-len(rows) :]
    assert "epoch" not in again.stdout.replace("epochs", "")


def _run(work: Path) -> subprocess.CompletedProcess[str]:
    sizes = ["--photos", "12", "--epochs", "1", "--threads", "1", "--work", str(work)]
    return subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "jigsaw.py"), *sizes],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=300,
    )
