"""From data.yaml to a pair in use; nothing that was good is replaced or half replaced."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from conftest import hash_files
from PIL import Image
from rich.console import Console

from pipeline import yolo
from pipeline.config import read_config
from pipeline.dataset import load_dataset
from pipeline.environment import ROOT
from pipeline.errors import WeightsError
from pipeline.finder import Cropper
from pipeline.sorter import Sorter
from pipeline.training import Training, take_fingerprint, train
from pipeline.weights import has_pair, read_card, read_cards


@pytest.fixture
def used(tiny: Path, trained: Training) -> dict[str, str]:
    """Hashes of the pair in use in ``tiny``, which was trained before."""
    shutil.copytree(trained.weights, tiny / "weights" / "tiny")
    return hash_files(tiny / "weights" / "tiny")


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def test_pair_is_put_into_use(trained: Training) -> None:
    assert trained.replaced
    assert has_pair(trained.weights)
    assert hash_files(trained.weights).keys() == {
        f"tiny/{stage}.{suffix}" for stage in ("detector", "classifier") for suffix in ("pt", "json")
    }
    assert [path.read_bytes() for path in sorted(trained.weights.iterdir())] == [
        path.read_bytes() for path in sorted((trained.run / "weights").iterdir())
    ]


@pytest.mark.parametrize(
    "name", ["curves.png", "confusion.png", "examples.jpg", "augmented.jpg", "detector/results.png"]
)
def test_figures_and_pictures_open(trained: Training, name: str) -> None:
    with Image.open(trained.run / name) as image:
        image.load()
        assert min(image.size) > 100


def test_scores_are_written_down(trained: Training) -> None:
    assert json.loads((trained.run / "scores.json").read_text()) == trained.scores.as_dict()
    assert (trained.scores.photos, trained.scores.subjects) == (4, 7)


def test_copies_of_the_photos_are_gone(trained: Training) -> None:
    assert not (trained.run / "prepared").exists()
    assert not list(trained.run.rglob("*.part*"))


def test_another_data_sets_weights_are_not_touched(tiny: Path, used: dict[str, str]) -> None:
    shutil.copyfile("data.yaml", "other.yaml")
    with pytest.raises(WeightsError, match=r"belongs to data\.yaml - give this one a name of its own"):
        train(Path("other.yaml"), Console(file=io.StringIO()))
    assert hash_files(tiny / "weights" / "tiny") == used
    assert not (tiny / "runs").exists()


def test_fingerprint_is_of_the_weights_that_data_yaml_names(tiny: Path, eager: Path) -> None:
    """A file of the same name may hold others by the time a stopped training goes on."""
    own = tiny / "own"
    shutil.copytree(eager, own)
    text = (tiny / "data.yaml").read_text(encoding="utf-8").replace("yolo11n-cls, start: scratch", "yolo11n-cls")
    (tiny / "data.yaml").write_text(text.replace("classifier: {", "classifier: {start: own/classifier.pt, "))
    config = read_config(Path("data.yaml"))
    dataset = load_dataset(Path("data.yaml"), config)
    cropper = Cropper(own / "detector.pt", read_card(own / "detector.json", "detector"))
    taken = {take_fingerprint(config, dataset, None), take_fingerprint(config, dataset, cropper)}
    for file in (own / "classifier.pt", own / "detector.pt"):
        file.write_bytes(file.read_bytes() + b" ")
        taken.add(take_fingerprint(config, dataset, cropper))
    taken.add(take_fingerprint(config, dataset, replace(cropper, card=replace(cropper.card, confidence=0.9))))
    assert len(taken) == 5
    assert take_fingerprint(config, dataset, cropper) in taken


@pytest.mark.slow
def test_training_again_keeps_the_better_pair(tiny: Path, used: dict[str, str]) -> None:
    told = io.StringIO()
    made = train(Path("data.yaml"), Console(file=told, width=200))
    assert not made.replaced  # the same seed, the same pair: not better
    assert hash_files(tiny / "weights" / "tiny") == used
    assert "the pair in use stays: F1 " in told.getvalue()
    tensors = (tiny / "weights" / "tiny" / "classifier.pt", made.run / "weights" / "classifier.pt")
    assert tensors[0].read_bytes() == tensors[1].read_bytes()


@pytest.mark.slow
@pytest.mark.usefixtures("used")
def test_worse_pair_makes_way(tiny: Path) -> None:
    for label in (tiny / "labels").rglob("photo-*.txt"):
        label.write_text(re.sub("^[0-2]", "3", label.read_text(), flags=re.MULTILINE))
    data = (tiny / "data.yaml").read_text(encoding="utf-8")
    (tiny / "data.yaml").write_text(data.replace("imgsz: 32, batch: 4, epochs: 1", "imgsz: 32, batch: 4, epochs: 8"))
    weights = tiny / "weights" / "tiny" / "classifier.pt"
    record = yolo.read_checkpoint(weights)
    head = {name: torch.zeros_like(tensor) for name, tensor in record.tensors.items() if ".linear." in name}
    next(tensor for name, tensor in head.items() if name.endswith("bias"))[0] = 9  # always the class that nothing is of
    yolo.write_checkpoint(weights, yolo.Checkpoint(record.model_name, record.task, {**record.tensors, **head}))
    told = io.StringIO()
    made = train(Path("data.yaml"), Console(file=told, width=200))
    assert made.replaced, told.getvalue()
    assert "the new pair is better: F1 " in told.getvalue()
    assert weights.read_bytes() == (made.run / "weights" / "classifier.pt").read_bytes()
    card = read_cards(made.weights).detector
    assert card is not None
    assert card.metrics == made.scores.as_dict()


@pytest.mark.slow
@pytest.mark.usefixtures("used")
def test_pair_that_cannot_be_loaded_makes_way(tiny: Path) -> None:
    """Else every training would end in the same error, and the remedy be to train."""
    weights = tiny / "weights" / "tiny" / "classifier.pt"
    weights.write_bytes(weights.read_bytes()[:1000])
    told = io.StringIO()
    made = train(Path("data.yaml"), Console(file=told, width=200))
    assert made.replaced
    assert re.search(r"the pair in use cannot be used \(.+\) and makes way\n", told.getvalue())
    assert Sorter(Path("weights/tiny"), device="cpu").class_names


@pytest.mark.slow
def test_pair_for_other_classes_makes_way(tiny: Path, used: dict[str, str]) -> None:
    for file in (tiny / "data.yaml", *tiny.rglob("classes.txt")):
        file.write_text(file.read_text().replace("comic", "manga"))
    (tiny / "runs" / "tiny" / "7").mkdir(parents=True)
    told = io.StringIO()
    made = train(Path("data.yaml"), Console(file=told, width=200))
    assert made.replaced
    assert made.run == Path("runs/tiny/8")
    assert "the pair in use was for other classes and makes way" in told.getvalue()
    assert hash_files(tiny / "weights" / "tiny") != used
    assert Sorter(Path("weights/tiny"), device="cpu").class_names[0] == "manga"


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to another process")
@pytest.mark.parametrize("stage", ["detector", "classifier"])
def test_ctrl_c_stops_with_130_and_leaves_the_pair_in_use(tiny: Path, used: dict[str, str], stage: str) -> None:
    data = tiny / "data.yaml"
    text = data.read_text().replace("epochs: 1}", "epochs: 500, patience: 500}")
    if stage == "classifier":
        text = text.replace("epochs: 500, patience: 500", "epochs: 1", 1)
    data.write_text(text)
    command = [sys.executable, "-m", "pipeline", "train"]
    with subprocess.Popen(
        command, cwd=tiny, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if line.lstrip().startswith(f"{stage}  epoch   2/500"):
                break
        run.send_signal(signal.SIGINT)
        begin = time.monotonic()
        _, told = run.communicate(timeout=120)
    assert time.monotonic() - begin < 60
    assert run.returncode == 130
    assert told.strip() == "cropsort: stopped; what was finished stays"
    assert hash_files(tiny / "weights" / "tiny") == used


@pytest.mark.slow
@pytest.mark.parametrize("size", ["60k", "300k", "12m", "24m"])
def test_full_disk_is_one_line_and_leaves_the_pair_in_use(tiny: Path, used: dict[str, str], size: str) -> None:
    """Runs are written to a disk of their own; the smaller it is, the earlier it is full."""
    if sys.platform != "linux" or not shutil.which("unshare"):
        pytest.skip("needs Linux's unshare, to make a small disk")
    if subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "true"], check=False).returncode:
        pytest.skip("may not make a small disk here")
    script = f"mkdir runs && mount -t tmpfs -o size={size} tmpfs runs && exec '{sys.executable}' -m pipeline train"
    answer = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=tiny,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert "the disk is full - free some space and run the same command again" in answer.stderr
    assert hash_files(tiny / "weights" / "tiny") == used
