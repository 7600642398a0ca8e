"""Under limits on a real GPU: what was chosen trains without running out of memory, and leaves little unused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from conftest import Run

from pipeline.sample import draw_photos

pytestmark = pytest.mark.gpu

GB = 2**30


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """Enough photos that memory, not the data, is what stops the batch."""
    for part, first, count in (("train", 0, 640), ("val", 640, 40)):
        folders = tmp_path / "images" / part, tmp_path / "labels" / part
        draw_photos(*folders, count=count, seed=5, size=(640, 480), first=first)
    return tmp_path


@pytest.mark.parametrize("model", ["yolov5n", "yolo11s", "yolov5l"])
@pytest.mark.parametrize("limit", [2, 4, 8, 24])
def test_choice_trains_within_its_limit_and_uses_it(many: Path, cropsort: Run, model: str, limit: int) -> None:
    total = torch.cuda.get_device_properties(0).total_memory if torch.cuda.is_available() else 0
    if total < limit * GB:
        pytest.skip(f"needs a CUDA GPU with {limit} GB")
    data = many / "data.yaml"
    names = "comic, fairy tale, novel, science"
    data.write_text(
        f"train: images/train\nval: images/val\nnames: [{names}]\nname: gpu\ndevice: 0\nmemory: {limit}GB\n"
        f"detector: {{model: {model}, start: scratch, imgsz: 640, epochs: 2}}\n"
        "classifier: {model: yolo11n-cls, start: scratch, epochs: 1}\n",
        encoding="utf-8",
    )
    cache = str(many / "cache")
    advice = cropsort("tune", "--json", cwd=many, XDG_CACHE_HOME=cache)
    assert advice.returncode == 0, advice.stderr
    fit = json.loads(advice.stdout)["stages"]["detector"]["fit"]
    answer = cropsort("train", cwd=many, XDG_CACHE_HOME=cache)
    assert answer.returncode == 0, answer.stderr
    assert "memory ran out" not in answer.stdout
    state = json.loads((many / "runs" / "gpu" / "1" / "run.json").read_text(encoding="utf-8"))
    taken = state["detector_peak_bytes"]
    assert taken <= limit * GB
    stopped_by_memory = not any(words in fit["reasons"][2] for words in ("gains nothing", "faster"))
    assert not stopped_by_memory or taken >= 0.85 * fit["limit_bytes"]
