"""Trainings that are stopped, killed or out of memory, for real: the same command goes on where they were."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from conftest import Run

from pipeline.environment import ROOT
from pipeline.members import read_members
from pipeline.runs import open_run, read_epochs
from pipeline.weights import has_pair, read_cards
from pipeline.yolo import read_checkpoint

pytestmark = [pytest.mark.slow, pytest.mark.skipif(os.name == "nt", reason="Windows sends no signals")]


def change(data: Path, stage: str, **changes: int | str) -> None:
    """Replace settings of a stage in data.yaml; the others stay pinned."""
    text = data.read_text(encoding="utf-8")
    for name, value in changes.items():
        text = re.sub(rf"^({stage}: .*{name}: )[^,}}]+", rf"\g<1>{value}", text, flags=re.MULTILINE)
    data.write_text(text, encoding="utf-8")


@contextmanager
def training(folder: Path, until: str) -> Iterator[subprocess.Popen[str]]:
    """A training that has just said ``until``."""
    command = [sys.executable, "-m", "pipeline", "train"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
    with subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes) as run:  # type: ignore[call-overload]  # the pipes' types
        for line in run.stdout:
            if until in line:
                break
        else:
            pytest.fail(f"it never said {until!r}")
        yield run


def worker_of(run: subprocess.Popen[str]) -> psutil.Process:
    """The process that trains: the one that takes the most memory."""
    return max(psutil.Process(run.pid).children(recursive=True), key=lambda process: process.memory_info().rss)


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not is_so() and time.monotonic() < end:
        time.sleep(0.05)
    assert is_so()


def test_other_limit_changes_the_batch_of_a_training_that_goes_on(tiny: Path, cropsort: Run) -> None:
    data = tiny / "data.yaml"
    change(data, "detector", epochs=6)
    with training(tiny, until="detector  epoch   2/6") as run:
        run.kill()
    noted = json.loads((tiny / "runs" / "tiny" / "1" / "run.json").read_text(encoding="utf-8"))
    data.write_text(data.read_text(encoding="utf-8") + "memory: 4GB\n", encoding="utf-8")
    answer = cropsort("train", cwd=tiny)
    assert answer.returncode == 0, answer.stderr
    assert "going on with runs/tiny/1" in answer.stdout
    after = json.loads((tiny / "runs" / "tiny" / "1" / "run.json").read_text(encoding="utf-8"))
    assert (noted["machine"], after["machine"]) == (["cpu", None], ["cpu", "4GB"])
    assert after["plan"]["detector"]["limit_bytes"] == 4 * 2**30
    assert after["plan"]["detector"]["imgsz"] == noted["plan"]["detector"]["imgsz"]


@pytest.mark.parametrize("stage", ["detector", "classifier"])
def test_killed_training_goes_on_with_the_same_command(tiny: Path, cropsort: Run, stage: str) -> None:
    change(tiny / "data.yaml", stage, epochs=6)
    with training(tiny, until=f"{stage}  epoch   3/6") as run:
        worker = worker_of(run)
        run.kill()
        wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    answer = cropsort("train", cwd=tiny)
    assert answer.returncode == 0, answer.stderr
    assert "going on with runs/tiny/1, which was stopped" in answer.stdout
    numbers = [int(number) for number in re.findall(rf"{stage}  epoch +(\d+)/6", answer.stdout)]
    assert numbers in ([4, 5, 6], [3, 4, 5, 6], [5, 6])  # killed before or after its checkpoint was there
    assert [epoch.number for epoch in read_epochs(tiny / "runs" / "tiny" / "1" / stage)] == [1, 2, 3, 4, 5, 6]
    assert has_pair(tiny / "weights" / "tiny")
    assert open_run(tiny / "runs" / "tiny", "any").folder.name == "2"


def test_networks_that_are_done_are_not_trained_again(tiny: Path, cropsort: Run) -> None:
    change(tiny / "data.yaml", "classifier", epochs="3, folds: 2, ensemble: mobilenetv3_small_050")
    with training(tiny, until="classifier 3/4  epoch   1/3") as run:
        worker = worker_of(run)
        run.kill()
        wait_until(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)
    folder = tiny / "runs" / "tiny" / "1"
    done = {path: path.stat().st_mtime_ns for path in folder.glob("classifier*/trained.pt")}
    assert {path.parent.name for path in done} == {"classifier", "classifier-2"}
    assert not (folder / "weights" / "classifier.pt").exists()
    answer = cropsort("train", cwd=tiny)
    assert answer.returncode == 0, answer.stderr
    assert not re.search(r"classifier [12]/4", answer.stdout)
    assert "classifier 4/4: mobilenetv3_small_050, held out: fold 2 of 2\n" in answer.stdout
    assert done == {path: path.stat().st_mtime_ns for path in done}
    names = ["classifier", *(f"classifier-{number}" for number in (2, 3, 4))]
    assert [[epoch.number for epoch in read_epochs(folder / name)] for name in names] == [[1, 2, 3]] * 4
    members = read_members(tiny / "weights" / "tiny" / "classifier.pt")
    assert [one.model_name for one in members] == ["yolo11n-cls"] * 2 + ["mobilenetv3_small_050"] * 2
    for name, member in zip(names, members, strict=True):
        own = read_checkpoint(folder / name / "trained.pt").tensors
        assert all(torch.equal(own[key], tensor) for key, tensor in member.tensors.items())
    state = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert list(state["plan"]) == ["detector", "classifier", "classifier:mobilenetv3_small_050"]
    assert {f"{name}_peak_bytes" for name in names} < state.keys()
    card = read_cards(tiny / "weights" / "tiny").classifier
    assert card.model_name == "yolo11n-cls + mobilenetv3_small_050 (2 folds)"


def test_training_that_the_system_kills_goes_on_by_itself_with_half_the_batch(tiny: Path) -> None:
    change(tiny / "data.yaml", "detector", epochs=6)
    with training(tiny, until="detector  epoch   3/6") as run:
        worker_of(run).send_signal(signal.SIGKILL)
        said, _ = run.communicate(timeout=300)
    assert run.returncode == 0, said
    assert re.search(r"memory ran out with batch 4 \(.*killed.*\): going on after epoch [345] with batch 2\n", said)
    state = read_run(tiny, 1)
    assert (state["plan"]["detector"]["batch"], state["plan"]["detector"]["accumulate"]) == (2, 2)
    card = read_cards(tiny / "weights" / "tiny").detector
    assert card is not None
    assert card.settings["batch"] == 2


def test_training_stays_within_its_memory_with_smaller_batches(tiny: Path, cropsort: Run) -> None:
    change(tiny / "data.yaml", "detector", imgsz=640, batch=8)
    assert cropsort("train", cwd=tiny).returncode == 0
    peak = read_run(tiny, 1)["detector_peak_bytes"]
    limit = 3 * peak // 4 // 2**20  # what eight photos take is another thing on each processor
    with (tiny / "data.yaml").open("a", encoding="utf-8") as data:
        data.write(f"memory: {limit}MB\n")
    answer = cropsort("train", cwd=tiny)
    assert answer.returncode == 0, answer.stderr
    assert re.search(r"memory ran out with batch 8 \(took .* of memory\): beginning again with batch 4", answer.stdout)
    state = read_run(tiny, 2)
    assert state["plan"]["detector"]["batch"] < 8
    assert state["detector_peak_bytes"] <= limit * 2**20


def read_run(project: Path, number: int) -> dict[str, Any]:
    state: dict[str, Any] = json.loads((project / f"runs/tiny/{number}/run.json").read_text(encoding="utf-8"))
    return state


def test_not_even_one_photo_fits_is_one_line(tiny: Path, cropsort: Run) -> None:
    with (tiny / "data.yaml").open("a", encoding="utf-8") as data:
        data.write("memory: 100MB\n")
    answer = cropsort("train", cwd=tiny)
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert answer.stderr.startswith("cropsort: detector - ")
    assert answer.stderr.rstrip().endswith("cropsort tune says what would fit")
