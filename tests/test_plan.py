"""Plans: what was chosen for each network, written down and read again, and in smaller steps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pipeline.config import Config, read_config
from pipeline.plan import Plan, backbone_key
from pipeline.tune.trials import Fit, Stage


def make_fit(stage: Stage, model: str, imgsz: int, batch: int, accumulate: int = 1) -> Fit:
    return Fit(stage, model, imgsz, batch, accumulate, 2**28, 2**30, 3.5, "cpu", ("size", "model", "batch"))


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Plan.from_fits(
        read(tmp_path, "{ensemble: [densenet201, yolo11s-cls], folds: 2}"),
        {
            "detector": make_fit("detector", "yolov5n", 320, 8),
            "classifier": make_fit("classifier", "yolo11s-cls", 96, 32),
            backbone_key("densenet201"): make_fit("classifier", "densenet201", 96, 10, 4),
        },
    )


def read(folder: Path, classifier: str) -> Config:
    (folder / "images").mkdir(exist_ok=True)
    file = folder / "data.yaml"
    file.write_text(f"train: images\nnames: [a, b]\nclassifier: {classifier}\n", encoding="utf-8")
    return read_config(file)


def test_settings_are_those_of_each_network(plan: Plan) -> None:
    assert (plan.config.detector.imgsz, plan.config.classifier.model) == (320, "yolo11s-cls")
    keys = [plan.key(model) for model in ("yolo11s-cls", "densenet201")]
    assert keys == ["classifier", "classifier:densenet201"]
    chosen = [plan.classifier(key) for key in keys]
    assert [(one.model, one.imgsz, one.batch) for one in chosen] == [("yolo11s-cls", 96, 32), ("densenet201", 96, 10)]
    assert chosen[1].folds == 2


def test_record_gives_the_same_plan(plan: Plan, tmp_path: Path) -> None:
    record = json.loads(json.dumps(plan.as_record()))
    assert Plan.from_record(read(tmp_path, "{ensemble: [densenet201, yolo11s-cls], folds: 2}"), record) == plan


def test_smaller_batch_is_one_networks_own(plan: Plan) -> None:
    smaller = plan.with_fit("classifier:densenet201", plan.fits["classifier:densenet201"].with_batch(3))
    assert (smaller.fits["classifier:densenet201"].batch, smaller.fits["classifier:densenet201"].accumulate) == (3, 14)
    assert smaller.classifier("classifier:densenet201").batch == 3
    assert smaller.classifier("classifier") == plan.classifier("classifier")
    assert plan.with_fit("classifier", plan.fits["classifier"].with_batch(16)).config.classifier.batch == 16
