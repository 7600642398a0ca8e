"""The benchmark of pretraining goes to its end on the sample, and does not do again what it has done."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.environment import ROOT


@pytest.mark.slow
def test_both_ways_are_scored_once_for_each_seed(tmp_path: Path) -> None:
    told = _run(tmp_path)
    rows = [line.split("|")[1].strip() for line in told.stdout.splitlines() if line.startswith("| ")]
    assert rows == ["seed", "0", "1"]
    assert "; difference " in told.stdout
    assert told.stderr.count(", jigsaw: ") == 2
    again = _run(tmp_path)
    assert (again.stdout, again.stderr) == (told.stdout, "")
    assert "made with other options" in _run(tmp_path, "--labels", "3", code=1).stderr


def _run(work: Path, *options: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    sizes = ["--imgsz", "64", "--epochs", "1", "--pretrain-epochs", "1", "--seeds", "2", "--labels", "2"]
    told = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "pretraining.py"), *sizes, "--work", str(work), *options],
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert told.returncode == code, told.stderr
    return told
