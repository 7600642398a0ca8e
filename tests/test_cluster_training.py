"""A group that was named is a class that training learns."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from corrections import BOXES, draw, make_home
from grouped import adopt, gather_drawn, group_by_hand, name_groups, write_groups
from PIL import Image

from pipeline.check import check_dataset
from pipeline.config import read_config
from pipeline.environment import ROOT
from pipeline.sorter import load

DATA = """\
train: photos/train
val: photos/val
names: [green, red]
name: shelf
classes_from: folders
device: cpu
classifier: {model: yolo11n-cls, imgsz: 32, batch: 8, epochs: 12, augment: light, color: 0}
"""
COLOURS = {"green": (20, 200, 40), "red": (210, 30, 20), "파랑": (20, 30, 210)}


def write_noise(path: Path, name: str, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(-30, 30, (48, 64, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.clip(np.array(COLOURS[name]) + noise, 0, 255).astype(np.uint8)).save(path)


@pytest.mark.slow
def test_a_class_that_was_found_is_learnt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: Run) -> None:
    monkeypatch.chdir(tmp_path)
    for part, count in (("train", 8), ("val", 3)):
        for name in ("green", "red"):
            for number in range(count):
                write_noise(Path("photos", part, name, f"{name}-{number}.jpg"), name, len(part) + number)
    names = [f"{number:02}.jpg" for number in range(18)]
    labels = [number % 3 for number in range(18)]
    for seed, (name, label) in enumerate(zip(names, labels, strict=True)):
        write_noise(Path("phone", name), list(COLOURS)[label], 100 + seed)
    Path("data.yaml").write_text(DATA, encoding="utf-8")
    grouped = group_by_hand(gather_drawn(Path("phone"), names), labels)
    workbook = write_groups(Path("report"), grouped, Path("phone").resolve(), Path("data.yaml").resolve())
    name_groups(workbook, {"group 3": "파랑"})
    assert adopt(workbook).adoption.new_classes == ("파랑",)
    for number in range(3):  # without any the epoch would be chosen by how well the two old classes are told apart
        write_noise(Path("photos", "val", "파랑", f"{number}.jpg"), "파랑", 200 + number)
    made = here("train")
    assert made.returncode == 0, made.stderr
    assert "22 sorted photos to learn from" in made.stdout
    write_noise(Path("blue.jpg"), "파랑", 7)
    sorter = load("weights/shelf", device="cpu")
    assert sorter.class_names == ("green", "red", "파랑")
    assert sorter("blue.jpg")[0].class_name == "파랑"


@pytest.mark.slow
def test_a_kill_in_the_middle_costs_nothing(tmp_path: Path) -> None:
    names = [f"{number:02}.jpg" for number in range(24)]
    for number, name in enumerate(names):
        draw(tmp_path / "phone" / name, number, size=(1600, 1200))
    for number, place in enumerate(("train/ace/1", "val/ace/2")):
        draw(tmp_path / "photos" / f"{place}.jpg", 900 + number)
    data = "train: photos/train\nval: photos/val\nnames: [ace]\nclasses_from: folders\n"
    (tmp_path / "data.yaml").write_text(data, encoding="utf-8")
    grouped = group_by_hand(gather_drawn(tmp_path / "phone", names), [0] * 23 + [1])
    workbook = write_groups(tmp_path / "report", grouped, tmp_path / "phone", tmp_path / "data.yaml")
    name_groups(workbook, {"group 1": "사과"})
    copies = tmp_path / "photos" / "train" / "사과"
    for wanted in (3, 12):
        command = [sys.executable, "-m", "pipeline", "cluster", "--yes", "--adopt", str(workbook)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL) as process:
            while process.poll() is None and len(list(copies.glob("[0-9]*.jpg"))) < wanted:
                time.sleep(0.002)
            process.kill()
    assert not (tmp_path / "corrections" / "applied.jsonl").exists(), "it was over before it was killed"
    assert not adopt(workbook).refused
    assert sorted(path.name for path in copies.glob("[0-9]*.jpg")) == names[:23]
    assert read_config(tmp_path / "data.yaml").names == ("ace", "사과")
    assert not adopt(workbook).adoption.plan.changes


def test_crops_of_a_new_class_are_learnt_by_the_classifier(tmp_path: Path) -> None:
    home, phone = make_home(tmp_path / "home"), tmp_path / "phone"
    grouped = group_by_hand(gather_drawn(phone, {"a.jpg": BOXES, "b.jpg": BOXES[:1]}), (0, 0, 1, 1))
    workbook = write_groups(tmp_path / "report", grouped, phone, home / "data.yaml")
    name_groups(workbook, {"group 1": "사과"})
    adopt(workbook)
    dataset = check_dataset(home / "data.yaml", read_config(home / "data.yaml"))
    assert [[one.class_name for one in photo.subjects] for photo in dataset.corrected] == [["사과", "사과"]]
    assert not [problem for problem in dataset.problems if problem.kind.severity == "error"]
