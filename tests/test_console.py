"""What a training says, epoch by epoch."""

from __future__ import annotations

import io
import os
import re
import subprocess
import sys
from collections import Counter

import pytest
from rich.console import Console

from pipeline.console import Following, TrainingLog, libraries_hushed
from pipeline.environment import ROOT
from pipeline.yolo import Epoch


@pytest.fixture
def console() -> Console:
    return Console(file=io.StringIO(), markup=False, highlight=False, soft_wrap=True, width=40)


def told(console: Console) -> list[str]:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue().splitlines()


def describe(number: int, seconds: float) -> Epoch:
    losses = {"train": 12.3456 / number, "val": 0.66}
    return Epoch(number, 30, losses, {"top-1": 0.8125}, rate=9.1e-4, seconds=seconds)


def test_epoch_is_a_line(console: Console) -> None:
    with TrainingLog(console, "classifier") as log:
        log.on_epoch(describe(3, 12.4))
    line = (
        "classifier  epoch   3/30  top-1 0.812  loss: train  4.115  val  0.660  rate 9.1e-04   0:12, at most 5:35 left"
    )
    assert told(console) == [line]


def test_columns_stay_where_they_are(console: Console) -> None:
    with TrainingLog(console, "detector") as log:
        for number, seconds in ((1, 5.0), (9, 59.6), (10, 600.0)):
            log.on_epoch(describe(number, seconds))
    places = {
        (line.index("top-1"), line.index("val"), line.index("rate"), line.index(", at most")) for line in told(console)
    }
    assert len(places) == 1


def test_time_left_is_as_the_last_epochs_took(console: Console) -> None:
    """The head alone is soon through an epoch, and the whole network then is not."""
    with TrainingLog(console, "classifier") as log:
        log.resume([describe(number, 1.0) for number in (1, 2, 3)])
        for number in (4, 5, 6):
            log.on_epoch(describe(number, 200.0))
    assert [line.split(", ")[1] for line in told(console)] == [
        "at most 29:11 left",
        "at most 55:42 left",
        "at most 1:20:00 left",
    ]


def test_after_the_last_epoch_no_time_is_left_to_be_said(console: Console) -> None:
    with TrainingLog(console, "classifier") as log:
        log.on_epoch(describe(30, 7.0))
    assert told(console)[0].endswith("rate 9.1e-04   0:07")


def test_what_is_said_beside_them_is_not_marked_up(console: Console) -> None:
    with TrainingLog(console, "classifier") as log:
        log.on_step(0.5)
        log.say("[red] is the only class")
    assert told(console) == ["classifier  [red] is the only class"]


def test_long_run_says_a_line_now_and_then_where_there_is_no_terminal(console: Console) -> None:
    with Following(console, "sorting photos", 100, Counter(ok=40, empty=2), every=0) as progress:
        progress.advance("ok")
        progress.advance("truncated")
    lines = told(console)
    assert len(lines) == 2
    counted = r"sorting photos: 44 of 100, [\d.]+/s, \d+:\d\d left \(41 ok, 2 empty, 1 truncated\)"
    assert re.fullmatch(counted, lines[1])


def test_short_run_says_nothing_where_there_is_no_terminal(console: Console) -> None:
    with Following(console, "sorting photos", 1, Counter()) as progress:
        progress.advance("ok")
    assert told(console) == []


def test_terminal_has_a_bar_with_rate_time_left_and_counts() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=120)
    with Following(terminal, "sorting photos", 3, Counter(ok=1)) as progress:
        progress.advance("unreadable")
    assert isinstance(terminal.file, io.StringIO)
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.file.getvalue())
    assert re.search(r"━ sorting photos: 2 of 3, [\d.]+/s, 0:\d\d left \(1 ok, 1 unreadable\)", shown)


def test_narrow_terminal_cuts_counts_off_and_nothing_else() -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=60)
    with Following(terminal, "sorting photos", 20_000, Counter(ok=11_000, empty=900, unsupported=9)) as progress:
        progress.advance("unreadable")
    assert isinstance(terminal.file, io.StringIO)
    assert re.search(r"sorting photos: 11910 of 20000, [\d.]+/s, [\d:]+ left \(11000 .*…", terminal.file.getvalue())


def test_libraries_are_hushed_and_python_is_not(capfd: pytest.CaptureFixture[str]) -> None:
    script = """
import os, sys
from pipeline.console import libraries_hushed
with libraries_hushed():
    os.write(2, b"libtiff\\n")
    print("python 밤", file=sys.stderr)
os.write(2, b"after\\n")
print("as before", file=sys.stderr)
"""
    for closed in ("", "import os; os.close(2)"):
        subprocess.run([sys.executable, "-c", closed + script], cwd=ROOT, check=not closed, encoding="utf-8")
    assert capfd.readouterr().err == "python 밤\nafter\nas before\n"


def test_hush_ends_with_an_error() -> None:
    before = os.fstat(2)
    with pytest.raises(KeyError), libraries_hushed():
        raise KeyError
    assert (os.fstat(2).st_dev, os.fstat(2).st_ino) == (before.st_dev, before.st_ino)
