"""The networks of a classifier: which there are, what each learns from, and how they are trained and joined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pipeline import yolo
from pipeline.boxes import Box
from pipeline.ensemble import Material, describe_members, list_members, read_starts
from pipeline.errors import ConfigError
from pipeline.prepare import CropSource
from pipeline.settings import ClassifierSettings


def settings(**said: object) -> ClassifierSettings:
    return ClassifierSettings.model_validate({"model": "yolo11n-cls", **said})


def test_single_network_is_the_classifier_with_the_seed_of_the_training() -> None:
    (only,) = list_members(settings(), 7)
    assert (only.name, only.title, only.model_name, only.fold, only.seed) == (
        "classifier",
        "classifier",
        "yolo11n-cls",
        None,
        7,
    )
    assert describe_members(settings()) == "yolo11n-cls"


def test_each_backbone_is_trained_once_a_fold() -> None:
    several = settings(ensemble=["densenet201"], folds=2)
    members = list_members(several, 7)
    assert [one.name for one in members] == ["classifier", "classifier-2", "classifier-3", "classifier-4"]
    assert [one.title for one in members] == [f"classifier {number}/4" for number in (1, 2, 3, 4)]
    assert [(one.model_name, one.fold) for one in members] == [
        ("yolo11n-cls", 0),
        ("yolo11n-cls", 1),
        ("densenet201", 0),
        ("densenet201", 1),
    ]
    assert describe_members(several) == "yolo11n-cls + densenet201 (2 folds)"


def test_seeds_differ_between_networks_and_between_trainings() -> None:
    seeds = [one.seed for seed in range(4) for one in list_members(settings(folds=20), seed)]
    assert len(set(seeds)) == 80
    assert seeds[::20] == [0, 1, 2, 3]
    assert max(seeds) < 2**32


def test_fold_is_what_its_network_does_not_learn_from() -> None:
    sources = tuple(CropSource(Path(f"{number}.jpg"), Box(0, 0, 4, 4), "a") for number in range(6))
    material = Material(sources[:5], sources[5:], ("a",), (np.array([1, 3]), np.array([0, 2, 4])))
    learnt, held = material.parts(0)
    assert [source.file.stem for source in learnt] == ["0", "2", "4"]
    assert [source.file.stem for source in held] == ["1", "3"]
    assert material.parts(None) == (sources[:5], sources[5:])


@pytest.mark.parametrize("start", ["scratch", "auto"])
def test_word_for_the_start_holds_for_all_backbones(start: str) -> None:
    starts = read_starts(settings(ensemble=["yolo11s-cls", "yolo11n-cls"], start=start))
    assert list(starts) == ["yolo11n-cls", "yolo11s-cls"]
    assert bool(starts["yolo11n-cls"].tensors) == (start == "auto")
    assert not starts["yolo11s-cls"].tensors


def test_file_to_start_from_is_the_first_backbones(tmp_path: Path) -> None:
    own = tmp_path / "own.pt"
    tensors = yolo.build_classifier("yolo11n-cls", class_count=2).state_dict()
    yolo.write_checkpoint(own, yolo.Checkpoint("yolo11n-cls", yolo.CLASSIFY, tensors))
    starts = read_starts(settings(ensemble=["yolo11s-cls"], start=str(own)))
    assert "own.pt" in starts["yolo11n-cls"].told
    assert starts["yolo11s-cls"].told.startswith("yolo11s-cls from scratch, as no weights for it are on disk")


def test_backbone_that_cannot_see_so_small_is_said_before_any_is_trained() -> None:
    with pytest.raises(ConfigError, match=r"^imgsz - halonet26t cannot work with images of 32 pixels"):
        read_starts(settings(ensemble=["halonet26t"], imgsz=32))
