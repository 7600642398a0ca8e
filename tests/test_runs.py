"""A stopped training is found again; one that is finished, other, or somebody else's is left alone."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipeline.environment import ROOT
from pipeline.errors import CropsortError
from pipeline.runs import claimed, keep_epoch, open_run, read_epochs
from pipeline.yolo import Epoch


def epoch(number: int, loss: float = 1.0) -> Epoch:
    return Epoch(number, 9, {"box": loss}, {"mAP50": 0.5})


def test_first_run_is_number_one(tmp_path: Path) -> None:
    run = open_run(tmp_path / "cards", "a")
    assert (run.folder, run.continued) == (tmp_path / "cards" / "1", False)


def test_stopped_run_goes_on_with_what_was_noted(tmp_path: Path) -> None:
    run = open_run(tmp_path, "a")
    run.note(plan={"batch": 8})
    run.note(detector_peak_bytes=7)
    again = open_run(tmp_path, "a")
    assert (again.folder, again.continued) == (run.folder, True)
    assert again.state == {"plan": {"batch": 8}, "detector_peak_bytes": 7}


@pytest.mark.parametrize(
    ("fingerprint", "finished", "fresh"), [("b", False, False), ("a", True, False), ("a", False, True)]
)
def test_other_finished_or_unwanted_run_is_left_alone(
    tmp_path: Path, fingerprint: str, finished: bool, fresh: bool
) -> None:
    open_run(tmp_path, "a").note(finished=finished)
    run = open_run(tmp_path, fingerprint, fresh=fresh)
    assert (run.folder, run.continued) == (tmp_path / "2", False)


def test_only_the_last_run_goes_on(tmp_path: Path) -> None:
    open_run(tmp_path, "a").note(plan={})
    open_run(tmp_path, "b").note(plan={})
    assert open_run(tmp_path, "a").folder == tmp_path / "3"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\xff"])
def test_damaged_note_is_a_run_that_does_not_go_on(tmp_path: Path, text: str) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "run.json").write_text(text, encoding="latin-1")
    assert open_run(tmp_path, "a").folder == tmp_path / "2"


def test_epochs_are_kept_each_once_in_order(tmp_path: Path) -> None:
    for one in (epoch(1), epoch(2), epoch(2, loss=0.5), epoch(3)):
        keep_epoch(tmp_path / "detector", one)
    assert read_epochs(tmp_path / "detector") == [epoch(1), epoch(2, loss=0.5), epoch(3)]


def test_half_written_epoch_swallows_no_other(tmp_path: Path) -> None:
    keep_epoch(tmp_path, epoch(1))
    with (tmp_path / "epochs.jsonl").open("a") as file:
        file.write(json.dumps({"number": 2})[:-4])
    keep_epoch(tmp_path, epoch(2))
    assert read_epochs(tmp_path) == [epoch(1), epoch(2)]


def test_no_epochs_before_there_are_some(tmp_path: Path) -> None:
    assert read_epochs(tmp_path / "missing") == []


def test_second_training_is_refused_while_the_first_is_at_work(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from pipeline.runs import claimed\n"
        "with claimed(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as other:  # type: ignore[call-overload]  # the pipes' types
        assert other.stdout.readline() == b"in\n"
        with pytest.raises(CropsortError, match="another training is at work here - let it finish"), claimed(tmp_path):
            pass
        other.kill()
    with claimed(tmp_path):  # killed, it holds nothing any more
        pass
