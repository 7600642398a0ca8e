"""Photos that are sorted and not labelled train stage two, on whole photos or on what a detector crops."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import Run
from PIL import Image

from pipeline.results import read_results
from pipeline.sorter import load
from pipeline.weights import has_pair, install_pair, read_card, read_cards

DATA = """\
train: photos/train
val: photos/val
names: [green, red]
name: shelf
classes_from: folders
device: cpu
classifier: {model: yolo11n-cls, start: scratch, imgsz: 32, batch: 4, epochs: 2, degrees: 0}
"""
COLOURS = {"green": (20, 200, 40), "red": (210, 30, 20)}


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photos sorted by colour and a data.yaml, which is the current folder."""
    for part, count in (("train", 8), ("val", 3)):
        for name, colour in COLOURS.items():
            folder = tmp_path / "photos" / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                noise = np.random.default_rng(len(part) + index).integers(-40, 40, (48, 64, 3))
                pixels = np.clip(np.array(colour) + noise, 0, 255).astype(np.uint8)
                Image.fromarray(pixels).save(folder / f"{name}-{index}.jpg")
    (tmp_path / "data.yaml").write_text(DATA, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.slow
def test_classifier_of_whole_photos_is_trained_scored_and_used(shelf: Path, here: Run) -> None:
    made = here("train")
    assert made.returncode == 0, made.stderr
    assert "no detector is trained: every photo is one subject" in made.stdout
    assert "16 sorted photos to learn from" in made.stdout
    weights = shelf / "weights" / "shelf"
    assert sorted(path.name for path in weights.iterdir()) == ["classifier.json", "classifier.pt"]
    assert read_cards(weights).detector is None
    scored = here("evaluate")
    assert scored.returncode == 0, scored.stderr
    assert "\n6 photos\nclassifier   top-1 " in scored.stdout
    compared = here("evaluate", "--cropping")
    assert compared.returncode == 2
    assert compared.stderr.startswith(
        f"cropsort: {Path('weights', 'shelf')} - takes photos whole: there is no cropping"
    )
    predicted = here("predict", "photos/val")
    assert predicted.returncode == 0, predicted.stderr
    results = list(read_results(shelf / "reports" / "val" / "results.jsonl"))
    assert [len(result.predictions) for result in results] == [1] * 6
    assert results[0].predictions[0].detection.box.edges == (0, 0, 64, 48)


@pytest.mark.slow
@pytest.mark.usefixtures("shelf")
def test_training_again_keeps_the_classifier_in_use(here: Run) -> None:
    assert here("train").returncode == 0
    assert "the pair in use stays" in here("train").stdout


@pytest.mark.slow
def test_trained_detector_crops_sorted_photos(shelf: Path, home: Path, eager: Path, here: Run) -> None:
    drawn = sorted((home / "images" / "train").iterdir())
    for photo, own in zip(drawn, sorted((shelf / "photos").rglob("*.jpg")), strict=False):
        shutil.copyfile(photo, own)  # the detector sees something in these
    with (shelf / "data.yaml").open("a", encoding="utf-8") as data:
        data.write(f"detector: {{weights: {eager / 'detector.pt'}}}\n")
    made = here("train")
    assert made.returncode == 0, made.stderr
    assert f"no detector is trained: {eager / 'detector.pt'} crops the subject out" in made.stdout
    cards = read_cards(shelf / "weights" / "shelf")
    assert cards.detector is not None
    shipped = read_card(eager / "detector.json", "detector")
    assert cards.detector == replace(shipped, class_names=("green", "red"))  # it was not trained here
    assert cards.detector.confidence == 0.001
    assert not cards.classifier.whole_photo
    predictions = load(shelf / "weights" / "shelf", device="cpu")(drawn[0])
    assert any(one.detection.box.edges != (0, 0, 160, 128) for one in predictions)
    scored = here("evaluate", "--cropping")
    assert scored.returncode == 0, scored.stderr
    assert "one stage: not tried: the photos are sorted, and nobody has drawn boxes to learn from" in scored.stdout
    record = json.loads((shelf / "runs" / "shelf" / "evaluate" / "val" / "evaluate.json").read_text(encoding="utf-8"))
    ours, whole, one = record["worth"]["rows"]
    assert record["worth"]["photos_of_one_class"] == 6
    assert ours["seconds"] > 0 and ours["right_class"] is not None is not whole["right_class"]
    assert ours["f1"] is one["right_class"] is None


@pytest.mark.parametrize(
    ("weights", "told"),
    [
        ("none.pt", "none.pt - no such file - expected a trained detector, such as weights/<data set>/detector.pt"),
        ("photos/val/red/red-0.jpg", "photos/val/red/red-0.json - not a card of weights"),
    ],
)
@pytest.mark.usefixtures("shelf")
def test_detector_that_is_none_is_said_in_a_line(here: Run, weights: str, told: str) -> None:
    with Path("data.yaml").open("a", encoding="utf-8") as data:
        data.write(f"detector: {{weights: {weights}}}\n")
    made = here("train")
    assert made.returncode == 2
    assert made.stderr.startswith(f"cropsort: {told}")
    assert not Path("runs", "shelf", "1").exists()


def test_pair_whose_detector_is_lost_is_no_pair(eager: Path, tmp_path: Path) -> None:
    folder = tmp_path / "pair"
    shutil.copytree(eager, folder)
    (folder / "detector.pt").unlink()
    assert not has_pair(folder)


def test_installing_a_pair_leaves_no_detector_of_the_old_one(eager: Path, tmp_path: Path) -> None:
    install_pair(eager, tmp_path / "used")
    alone = tmp_path / "alone"
    alone.mkdir()
    for suffix in ("pt", "json"):
        shutil.copyfile(eager / f"classifier.{suffix}", alone / f"classifier.{suffix}")
    install_pair(alone, tmp_path / "used")
    assert sorted(path.name for path in (tmp_path / "used").iterdir()) == ["classifier.json", "classifier.pt"]
