"""What a process does at its end, and leaves out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.environment import ROOT

CODE = """
import atexit, sys
from pipeline.ending import run_and_end

class Loaded:
    def __del__(self):
        print("taken apart")

loaded = Loaded()

def work():
    atexit.register(print, "registered")
    sys.stdout.write("worked\\n")
    {end}

run_and_end(work)
"""


def run(end: str, output: Path | None = None) -> subprocess.CompletedProcess[str]:
    with (output or Path("/dev/null")).open("w") as place:
        return subprocess.run(
            [sys.executable, "-c", CODE.format(end=end)],
            cwd=ROOT,
            stdout=place if output else subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            env={"PYTHONPATH": str(ROOT)},
        )


@pytest.mark.parametrize(
    ("end", "code", "said"),
    [("pass", 0, ""), ("sys.exit()", 0, ""), ("sys.exit(3)", 3, ""), ("sys.exit('so it is')", 1, "so it is\n")],
)
def test_all_is_said_and_done_and_nothing_taken_apart(end: str, code: int, said: str) -> None:
    done = run(end)
    assert (done.returncode, done.stderr) == (code, said)
    assert done.stdout == "worked\nregistered\n"


def test_error_that_nobody_answered_ends_as_in_any_python() -> None:
    done = run("raise ValueError('so it is')")
    assert done.returncode == 1
    assert done.stderr.endswith("ValueError: so it is\n")
    assert done.stdout == "worked\nregistered\ntaken apart\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_finds_no_room_is_told() -> None:
    done = run("pass", Path("/dev/full"))
    assert done.returncode == 120
    assert "No space left on device" in done.stderr
