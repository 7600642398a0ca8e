"""Trained pairs and their cards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from conftest import Run, hash_files

from pipeline.errors import OutputError, WeightsError
from pipeline.settings import ClassifierSettings, DetectorSettings
from pipeline.training import Training
from pipeline.weights import (
    SHIPPED,
    check_owner,
    default_weights,
    has_pair,
    install_pair,
    portable_path,
    read_card,
    read_cards,
)


def test_installing_cut_off_between_its_two_moves_loses_no_pair(eager: Path, tmp_path: Path) -> None:
    folder = tmp_path / "weights" / "mine"
    shutil.copytree(eager, folder.with_name(".mine.old"))
    assert read_cards(folder).classifier.stage == "classifier"
    assert has_pair(folder)


def test_cards_say_what_the_pair_needs_and_was_made_of(trained: Training) -> None:
    cards = read_cards(trained.weights)
    assert cards.detector is not None
    assert (cards.detector.model_name, cards.classifier.model_name) == ("yolov5n", "yolo11n-cls")
    assert (cards.detector.imgsz, cards.classifier.imgsz) == (64, 32)
    assert cards.detector.class_names == cards.classifier.class_names == ("comic", "fairy tale", "novel", "science")
    assert cards.detector.confidence == trained.scores.confidence
    assert (cards.detector.iou, cards.classifier.margin) == (0.6, 0.05)
    assert cards.detector.metrics == trained.scores.as_dict()
    assert cards.detector.data != cards.detector.val
    assert cards.detector.data_file == "data.yaml"
    assert cards.classifier.versions["torch"] == torch.__version__.partition("+")[0]


def test_cards_say_how_each_stage_was_set_and_calibrated(trained: Training) -> None:
    cards = read_cards(trained.weights)
    assert cards.detector is not None
    assert cards.detector.settings["epochs"] == cards.classifier.settings["epochs"] == 1
    assert ClassifierSettings.model_validate(cards.classifier.settings).sure_precision == 0.95
    assert DetectorSettings.model_validate(cards.detector.settings).imgsz == 64
    figures = {"log_loss", "ece", "log_loss_uncalibrated", "ece_uncalibrated"}
    assert cards.classifier.metrics.keys() - cards.detector.metrics.keys() == figures
    assert cards.classifier.metrics["log_loss"] <= cards.classifier.metrics["log_loss_uncalibrated"]
    assert 0.25 <= cards.classifier.temperature <= 4
    assert cards.classifier.test_flips


def test_cards_of_before_there_was_calibration_are_read(trained: Training, tmp_path: Path) -> None:
    shutil.copytree(trained.weights, tmp_path / "pair")
    for stage in ("detector", "classifier"):
        path = tmp_path / "pair" / f"{stage}.json"
        record = json.loads(path.read_text(encoding="utf-8"))
        kept = {name: record[name] for name in record.keys() - {"temperature", "sure_from", "test_flips", "settings"}}
        path.write_text(json.dumps(kept), encoding="utf-8")
    card = read_cards(tmp_path / "pair").classifier
    assert (card.temperature, card.sure_from, card.test_flips, card.settings) == (1.0, 0.0, False, {})


@pytest.mark.parametrize(
    "change", [{"temperature": 0}, {"temperature": -1}, {"temperature": "warm"}, {"sure_from": 1.1}, {"sure_from": []}]
)
def test_calibration_that_cannot_be_is_refused(trained: Training, tmp_path: Path, change: dict[str, object]) -> None:
    shutil.copytree(trained.weights, tmp_path / "pair")
    path = tmp_path / "pair" / "classifier.json"
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | change), encoding="utf-8")
    with pytest.raises(WeightsError, match=r"classifier\.json - not a card of weights"):
        read_card(path, "classifier")


def test_pair_is_replaced_as_a_whole(trained: Training, tmp_path: Path) -> None:
    target = tmp_path / "weights" / "tiny"
    target.mkdir(parents=True)
    (target / "left-over").write_text("of another version")
    install_pair(trained.weights, target)
    assert hash_files(target) == hash_files(trained.weights)
    assert list(target.parent.iterdir()) == [target]


def test_pair_stays_whole_where_the_new_one_cannot_be_written(trained: Training, tmp_path: Path) -> None:
    target, half = tmp_path / "weights" / "tiny", tmp_path / "half"
    install_pair(trained.weights, target)
    before = hash_files(target)
    shutil.copytree(trained.weights, half)
    (half / "classifier.pt").unlink()
    with pytest.raises(OutputError):
        install_pair(half, target)
    assert hash_files(target) == before


@pytest.mark.parametrize("name", ["detector.pt", "detector.json", "classifier.pt", "classifier.json"])
def test_half_a_pair_is_none(trained: Training, tmp_path: Path, name: str) -> None:
    shutil.copytree(trained.weights, tmp_path / "pair")
    assert has_pair(tmp_path / "pair")
    (tmp_path / "pair" / name).unlink()
    assert not has_pair(tmp_path / "pair")
    with pytest.raises(WeightsError, match="no trained detector and classifier here - train first: make train"):
        read_cards(tmp_path / "pair")


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "{",
        "[]",
        "null",
        '{"stage": "detector"}',
        '{"unknown": 1, "class_names": []}',
        "no confidence",
        "no stage",
        "class_names a number",
    ],
)
def test_damaged_card_is_refused_in_a_line(trained: Training, tmp_path: Path, damage: str) -> None:
    shutil.copytree(trained.weights, tmp_path / "pair")
    card = tmp_path / "pair" / "detector.json"
    record = json.loads(card.read_text(encoding="utf-8"))
    texts = {
        "no confidence": {key: value for key, value in record.items() if key != "confidence"},
        "no stage": record | {"stage": "classifier"},
        "class_names a number": record | {"class_names": 3},
    }
    card.write_text(json.dumps(texts[damage]) if damage in texts else damage, encoding="utf-8")
    with pytest.raises(WeightsError, match=r"detector\.json - not (a card of weights|the card of a detector)") as told:
        read_cards(tmp_path / "pair")
    assert "make train" in str(told.value)


def test_stages_of_different_classes_are_no_pair(trained: Training, tmp_path: Path) -> None:
    shutil.copytree(trained.weights, tmp_path / "pair")
    card = tmp_path / "pair" / "classifier.json"
    card.write_text(card.read_text(encoding="utf-8").replace("comic", "manga"), encoding="utf-8")
    with pytest.raises(WeightsError, match="different classes"):
        read_cards(tmp_path / "pair")


def test_starting_points_are_never_predicted_with() -> None:
    with pytest.raises(WeightsError, match="starting points, never predicted with - train first"):
        read_cards(SHIPPED)


def test_weights_of_another_data_yaml_are_not_replaced(trained: Training, tiny: Path) -> None:
    shutil.copytree(trained.weights, tiny / "weights" / "tiny")
    check_owner(Path("weights/tiny"), Path("data.yaml"))
    shutil.copyfile("data.yaml", "other.yaml")
    with pytest.raises(WeightsError, match=r"belongs to data\.yaml - give this one a name of its own: a line 'name:"):
        check_owner(Path("weights/tiny"), Path("other.yaml"))
    Path("data.yaml").rename("gone.yaml")
    check_owner(Path("weights/tiny"), Path("other.yaml"))


def test_path_below_the_current_folder_is_relative(tiny: Path) -> None:
    assert portable_path(tiny / "data.yaml") == "data.yaml"
    outside = tiny.parent / "data.yaml"
    assert portable_path(outside) == str(outside.resolve())


def test_pair_lies_where_the_name_says(tiny: Path) -> None:
    assert default_weights(tiny / "data.yaml") == Path("weights/tiny")


def test_predict_and_evaluate_refuse_without_a_pair(tiny: Path, here: Run) -> None:
    for command in (("predict", tiny / "images"), ("evaluate",)):
        answer = here(*command)
        assert answer.returncode == 2
        assert answer.stderr.count("\n") == 1
        where = Path("weights/tiny")
        assert answer.stderr.startswith(f"cropsort: {where} - no trained detector and classifier here - train first: ")
        assert "make train" in answer.stderr
    assert sorted(path.name for path in tiny.iterdir()) == ["data.yaml", "images", "labels"]


def test_predict_refuses_starting_points(tiny: Path, here: Run) -> None:
    answer = here("predict", tiny / "images", "--weights", SHIPPED)
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert "starting points, never predicted with" in answer.stderr
