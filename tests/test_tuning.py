"""``cropsort tune`` for real: what is measured, chosen, remembered, and said where nothing fits."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Run
from rich.console import Console

from pipeline.errors import WeightsError
from pipeline.memory import Room
from pipeline.tune.probe import measure, unseen_bytes
from pipeline.tune.table import as_record, print_tuned
from pipeline.tune.trials import Fit, Reading, TrainedPairs, Trial
from pipeline.tune.tuning import Tuned

GB = 2**30
ROOM = Room("cpu", "a processor", 16 * GB, 12 * GB, "")


def unpin(data: Path, *, models: bool = False) -> None:
    """Leave image sizes and batches to the tuner, and models where wanted."""
    names = "imgsz|batch|model" if models else "imgsz|batch"
    text = re.sub(rf"({names}): [^,}}]+, ", "", data.read_text(encoding="utf-8"))
    data.write_text(text, encoding="utf-8")


def make_tuned() -> Tuned:
    trials = [Trial("detector", "yolov5n", 640, batch, 4, "cpu") for batch in (2, 4, 8)]
    readings = (
        Reading(trials[0], GB, 0.7, "", 3 * GB),
        Reading(trials[1], 2 * GB, 1.3, "", 3 * GB),
        Reading(trials[2], None, 0.0, "3.4 GB taken, over the limit of 3.0 GB", 3 * GB),
    )
    reasons = ("image size 640: because", "yolov5n: because", "batch 4: because")
    return Tuned(Fit("detector", "yolov5n", 640, 4, 2, 2 * GB, 3 * GB, 31.0, "cpu", reasons), readings, 12.3)


def test_table_says_what_was_tried_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    print_tuned({"detector": make_tuned()}, ROOM, 3 * GB, Console(width=100))
    said = capsys.readouterr().out
    assert said.startswith("a processor: 16.0 GB, 12.0 GB free; limit 3.0 GB\n")
    assert "detector: yolov5n at 640 px, batch 4, 2 gathered\n" in said
    assert all(f"  {reason}\n" in said for reason in make_tuned().fit.reasons)
    assert "2.0 GB of 3.0 GB, 31 s an epoch" in said
    assert re.search(r"yolov5n +640 +4 +2\.0 GB +3\.1 +chosen", said)
    assert re.search(r"yolov5n +640 +8 +- +- +3\.4 GB taken, over the limit", said)


def test_prediction_is_measured_with_the_engine_and_all_pairs_that_will_run(eager: Path, tmp_path: Path) -> None:
    trial = Trial("prediction", "a pair", 64, 1, 1, "cpu")
    with pytest.raises(WeightsError, match="has no network of 8 bits"):
        measure(trial, 4, TrainedPairs((eager,), "int8"), 8 * GB, tmp_path, print)
    with pytest.raises(WeightsError, match="nowhere"):
        measure(trial, 4, TrainedPairs((eager, tmp_path / "nowhere"), "torch"), 8 * GB, tmp_path, print)


def test_json_holds_the_same_in_bytes_and_seconds() -> None:
    record = json.loads(json.dumps(as_record({"detector": make_tuned()}, ROOM, 3 * GB)))
    assert record["limit_bytes"] == 3 * GB
    assert record["stages"]["detector"]["fit"]["peak_bytes"] == 2 * GB
    assert [one["peak_bytes"] for one in record["stages"]["detector"]["readings"]] == [GB, 2 * GB, None]


@pytest.mark.parametrize(
    ("memory", "said"),
    [
        ("4 gigs", "cropsort: memory - '4 gigs' is no amount of memory - expected 4GB, 900MB or 80%"),
        ("120%", "cropsort: memory - a limit of 120% - expected no more than the "),
        ("9000GB", "cropsort: memory - a limit of 9000GB - expected no more than the "),
        ("0GB", "cropsort: memory - a limit of 0GB - expected more than nothing"),
    ],
)
def test_limit_that_cannot_be_is_one_line(tiny: Path, here: Run, memory: str, said: str) -> None:
    assert tiny.is_dir()
    answer = here("tune", "--memory", memory)
    assert answer.returncode == 2
    assert answer.stderr.startswith(said)
    assert answer.stderr.count("\n") == 1


def test_device_that_is_not_there_is_one_line(tiny: Path, here: Run) -> None:
    data = tiny / "data.yaml"
    data.write_text(data.read_text(encoding="utf-8").replace("device: cpu", "device: 7"), encoding="utf-8")
    answer = here("tune")
    assert (answer.returncode, answer.stderr.count("\n")) == (2, 1)
    assert answer.stderr.startswith("cropsort: device - device 7 is not on this machine")


def test_what_is_pinned_is_not_measured(tiny: Path, here: Run) -> None:
    assert tiny.is_dir()
    record = json.loads(here("tune", "--json").stdout)
    assert [stage["readings"] for stage in record["stages"].values()] == [[], []]
    fits = {stage: one["fit"] for stage, one in record["stages"].items()}
    assert (fits["detector"]["model"], fits["detector"]["imgsz"], fits["detector"]["batch"]) == ("yolov5n", 64, 4)


def test_each_backbone_has_a_choice_of_its_own_at_the_same_image_size(tiny: Path, here: Run) -> None:
    data = tiny / "data.yaml"
    several = "folds: 2, ensemble: [mobilenetv3_small_050, yolo11n-cls, mobilenetv3_small_050], model: yolo11n-cls"
    data.write_text(data.read_text(encoding="utf-8").replace("model: yolo11n-cls", several), encoding="utf-8")
    record = json.loads(here("tune", "--json").stdout)
    fits = {key: one["fit"] for key, one in record["stages"].items()}
    assert list(fits) == ["detector", "classifier", "classifier:mobilenetv3_small_050"]
    assert [(fit["stage"], fit["model"], fit["imgsz"], fit["batch"]) for fit in fits.values()] == [
        ("detector", "yolov5n", 64, 4),
        ("classifier", "yolo11n-cls", 32, 4),
        ("classifier", "mobilenetv3_small_050", 32, 4),
    ]
    told = here("tune").stdout
    assert "\nclassifier: yolo11n-cls at 32 px, batch 4\n" in told
    assert "\nclassifier: mobilenetv3_small_050 at 32 px, batch 4\n" in told


@pytest.mark.parametrize(("photos", "batch", "kept"), [(1000, 8, 64 - 32), (40, 8, 40 - 32), (20, 8, 0), (3, 1, 0)])
def test_photos_that_are_kept_for_mosaics_and_were_not_seen_count(photos: int, batch: int, kept: int) -> None:
    trial = Trial("detector", "yolov5n", 640, batch, 4, "cpu")
    assert unseen_bytes(trial, photos) == kept * 3 * 640 * 640
    assert unseen_bytes(replace(trial, stage="classifier"), photos) == 0


@pytest.mark.slow
def test_choice_is_measured_fits_and_is_remembered(tiny: Path, cropsort: Run, tmp_path: Path) -> None:
    unpin(tiny / "data.yaml", models=True)
    first, again = (
        cropsort("tune", "--memory", "1500MB", "--json", cwd=tiny, XDG_CACHE_HOME=str(tmp_path / "cache"))
        for _ in range(2)
    )
    assert first.returncode == 0, first.stderr
    record, second = json.loads(first.stdout), json.loads(again.stdout)
    for stage, one in record["stages"].items():
        fit, readings = one["fit"], one["readings"]
        chosen = [reading for reading in readings if reading["trial"]["batch"] == fit["batch"]]
        assert [reading["peak_bytes"] for reading in chosen] == [fit["peak_bytes"]]
        assert 0 < fit["peak_bytes"] <= record["limit_bytes"] == 1500 * 2**20
        assert second["stages"][stage]["fit"] == fit
        assert second["stages"][stage]["readings"] == readings
    assert {one["fit"]["model"] for one in record["stages"].values()} == {"yolov5n", "yolo11n-cls"}


@pytest.mark.slow
def test_smallest_model_that_does_not_fit_says_what_would(tiny: Path, cropsort: Run, tmp_path: Path) -> None:
    unpin(tiny / "data.yaml")
    answer = cropsort("tune", "--memory", "300MB", cwd=tiny, XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert answer.returncode == 2
    assert answer.stderr.count("\n") == 1
    assert "detector" in answer.stderr
    assert "300 MB" in answer.stderr
