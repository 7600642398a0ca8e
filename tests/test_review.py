"""``cropsort check --model``: every photo judged once by networks that have not seen it, and nothing else touched."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import pytest
from conftest import Run, hash_files

from pipeline.config import read_config
from pipeline.dataset import load_dataset
from pipeline.out_of_fold import list_reviewed, one_network, take_fingerprint

pytest.importorskip("cleanlab")


def edit(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")


@pytest.mark.slow
def test_each_photo_is_judged_once_and_the_second_time_trains_nothing(tiny: Path, here: Run) -> None:
    before = hash_files(tiny / "images") | hash_files(tiny / "labels")
    first = here("check", "--model", "--folds", "2")
    assert (first.returncode, first.stderr) == (0, "")
    assert "to be trained: 2 detectors and 2 classifiers, each on 1 of 2 parts of the 12 photos" in first.stdout
    assert "tiny: 12 photos reviewed, likely to be wrong: " in first.stdout
    kept = Path("runs/tiny/check/model/1")
    texts = [file.read_text(encoding="utf-8") for file in kept.glob("fold-*/out-of-fold.jsonl")]
    records = [json.loads(line) for text in texts for line in text.splitlines()]
    reviewed = list_reviewed(load_dataset(Path("data.yaml"), read_config(Path("data.yaml"))))
    assert sorted(Path(one["photo"]).name for one in records) == sorted(one.photo.name for one in reviewed)
    assert not list(kept.glob("fold-*/prepared"))
    assert Path("runs/tiny/check/model.html").is_file()
    assert not Path("weights").exists()
    assert before == hash_files(tiny / "images") | hash_files(tiny / "labels")

    (kept / "fold-2" / "out-of-fold.jsonl").unlink()  # stopped there
    going_on = here("check", "--model", "--folds", "2")
    assert "going on with runs/tiny/check/model/1" in going_on.stdout
    assert "epoch   1/1" not in going_on.stdout  # the weights are there
    again = here("check", "--model", "--folds", "2", "--json")
    assert "trained" not in again.stderr
    record = json.loads(again.stdout)
    assert (record["dataset"], record["folds"], record["photos"]) == ("tiny", 2, 12)
    assert all(one["line"] for one in record["suspects"] if one["kind"] != "overlooked")


@pytest.mark.slow
def test_sorted_photos_train_no_detector(tiny: Path, here: Run) -> None:
    shutil.rmtree("labels")
    for number, photo in enumerate(sorted((tiny / "images").rglob("*.jpg"))):
        folder = tiny / "sorted" / ("comic", "novel")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        photo.rename(folder / photo.name)
    text = "train: sorted\nclasses_from: folders\nnames: [comic, novel]\nname: tiny\ndevice: cpu\n"
    classifier = "classifier: {model: yolo11n-cls, start: scratch, imgsz: 32, batch: 4, epochs: 1}\n"
    Path("data.yaml").write_text(text + classifier, encoding="utf-8")
    told = here("check", "--model", "--folds", "2")
    assert (told.returncode, told.stderr) == (0, "")
    assert "to be trained: 2 classifiers, " in told.stdout
    assert told.stdout.splitlines()[-2].startswith("tiny: 12 photos reviewed, likely to be wrong: ")
    assert "without a box" not in told.stdout


def test_more_folds_than_photos_are_refused_before_any_training(tiny: Path, here: Run) -> None:
    (tiny / "own.pt").write_bytes(b"weights")
    edit(tiny / "data.yaml", "classifier: {model: yolo11n-cls, start: scratch", "classifier: {start: own.pt")
    told = here("check", "--model", "--folds", "20")
    assert told.returncode == 1
    assert told.stderr.count("\n") == 1
    assert "expected at least 20 of both, one for each fold - fewer folds, or more photos" in told.stderr
    assert "to be trained" not in told.stdout
    assert "note: classifier.start is own.pt: where it was trained on these photos it has seen" in told.stdout


def test_sorted_photos_of_one_class_are_refused(tiny: Path, here: Run) -> None:
    text = "train: images/train\nval: images/val\nclasses_from: names\nnames: [photo]\nname: tiny\n"
    (tiny / "data.yaml").write_text(text, encoding="utf-8")
    told = here("check", "--model")
    assert told.returncode == 1
    assert "data.yaml - all photos are of one class (photo) - expected at least two" in told.stderr
    assert told.stderr.count("\n") == 1


def test_errors_of_the_labels_come_first(tiny: Path, here: Run) -> None:
    label = next((tiny / "labels" / "train").glob("photo-*.txt"))
    label.write_text("9 0.5 0.5 0.2 0.2\n", encoding="utf-8")
    told = here("check", "--model")
    assert told.returncode == 1
    assert label.name in told.stderr
    assert told.stderr.count("\n") == 1


def test_folds_need_the_model(here: Run, tiny: Path) -> None:
    told = here("check", "--folds", "3")
    assert (told.returncode, told.stderr) == (2, "cropsort: --folds 3 without --model - add --model\n")
    assert here("check", "--model", "--folds", "1").returncode == 2
    assert not (tiny / "runs").exists()


def test_missing_cleanlab_is_said_before_anything_is_done(
    here: Run, tiny: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab", None)
    told = here("check", "--model")
    assert told.returncode == 2
    assert "cleanlab is not installed" in told.stderr
    assert "pip install cleanlab" in told.stderr
    assert not (tiny / "runs").exists()


def test_fingerprint_follows_labels_settings_and_folds_and_nothing_else(tiny: Path) -> None:
    def take(folds: int = 3) -> str:
        config = one_network(read_config(Path("data.yaml")))
        return take_fingerprint(config, load_dataset(Path("data.yaml"), config), None, folds)

    first = take()
    assert take(4) != first
    edit(tiny / "data.yaml", "device: cpu", "device: cpu\nmemory: 3GB")
    assert take() == first
    edit(tiny / "data.yaml", "classifier: {", "classifier: {ensemble: [densenet201], folds: 5, ")
    assert take() == first  # only the first backbone is trained
    edit(tiny / "data.yaml", "imgsz: 32", "imgsz: 64")
    changed = take()
    assert changed != first
    label = next(file for file in sorted((tiny / "labels" / "train").glob("photo-*.txt")) if file.stat().st_size)
    rows = label.read_text().splitlines()
    label.write_text("\n".join([f"{(int(rows[0][0]) + 1) % 4}{rows[0][1:]}", *rows[1:]]) + "\n")
    assert take() != changed
