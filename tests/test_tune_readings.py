"""Readings on disk."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.memory import GB, Room
from pipeline.tune.readings import ReadingsFile, make_key, open_readings
from pipeline.tune.trials import Reading, TrainedPairs, Trial

KEY: dict[str, str | int] = {"stage": "detector", "name": "한국 GPU", "threads": 2}
TRIAL = Trial("detector", "yolov5n", 640, 4, 12, "0")
READING = Reading(TRIAL, 2 * GB, 0.25, "", 3 * GB)
FAILED = Reading(replace(TRIAL, batch=8), None, 0.0, "메모리 부족", 3 * GB)
ROOM = Room("0", "NVIDIA GeForce GTX 1650", 4 * GB, 3 * GB, "550.1")


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = tmp_path / "cache" / "cropsort" / "tune"
    yield folder
    for path in (folder, folder.parent, folder.parent.parent):
        if path.is_dir():
            path.chmod(0o700)


def test_what_was_kept_is_there_again() -> None:
    kept = ReadingsFile(KEY)
    assert kept.readings == ()
    kept.keep(READING)
    kept.keep(FAILED)
    again = ReadingsFile(KEY)
    assert again.readings == (READING, FAILED)
    assert (kept.note, again.note) == ("", "")


def test_later_reading_of_a_trial_takes_the_place_of_the_earlier() -> None:
    kept = ReadingsFile(KEY)
    kept.keep(READING)
    kept.keep(FAILED)
    kept.keep(replace(READING, peak_bytes=5))
    assert ReadingsFile(KEY).readings == (FAILED, replace(READING, peak_bytes=5))


def test_what_another_process_kept_meanwhile_stays() -> None:
    one, other = ReadingsFile(KEY), ReadingsFile(KEY)
    one.keep(READING)
    other.keep(FAILED)
    assert set(ReadingsFile(KEY).readings) == {READING, FAILED}
    assert other.readings == (READING, FAILED)


def test_file_holds_its_key_in_clear(place: Path) -> None:
    ReadingsFile(KEY).keep(READING)
    (file,) = place.iterdir()
    assert json.loads(file.read_text(encoding="utf-8"))["key"] == KEY
    assert "한국 GPU" in file.read_text(encoding="utf-8")


def test_another_key_has_a_file_of_its_own(place: Path) -> None:
    ReadingsFile(KEY).keep(READING)
    assert ReadingsFile(KEY | {"threads": 4}).readings == ()
    ReadingsFile(KEY | {"threads": 4}).keep(FAILED)
    assert len(list(place.iterdir())) == 2
    assert ReadingsFile(dict(reversed(KEY.items()))).readings == (READING,)


def test_forgetting_empties_the_file() -> None:
    ReadingsFile(KEY).keep(READING)
    assert ReadingsFile(KEY, forget=True).readings == ()
    assert ReadingsFile(KEY).readings == ()


def write(place: Path, **changed: Any) -> None:
    ReadingsFile(KEY).keep(READING)
    (file,) = place.iterdir()
    record = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(record | changed), encoding="utf-8")


BAD_READINGS: dict[str, Any] = {
    "a number": 5,
    "no list": [5],
    "an empty reading": [{}],
    "no trial": [{"trial": None, "peak_bytes": 1, "seconds": 1.0, "said": "", "limit_bytes": 1}],
    "another field": [{"trial": {"stage": "detector"}, "more": 1}],
}


@pytest.mark.parametrize("readings", BAD_READINGS.values(), ids=BAD_READINGS.keys())
def test_readings_that_are_none_are_passed_over_and_replaced(place: Path, readings: Any) -> None:
    write(place, readings=readings)
    again = ReadingsFile(KEY)
    assert (again.readings, again.note) == ((), "")
    again.keep(FAILED)
    assert ReadingsFile(KEY).readings == (FAILED,)


@pytest.mark.parametrize(
    "changed",
    [
        {"peak_bytes": "much"},
        {"peak_bytes": -5},
        {"peak_bytes": 1.5},
        {"seconds": None},
        {"seconds": float("nan")},
        {"said": 3},
        {"limit_bytes": "4GB"},
        {"trial": {"stage": "detector", "model": 5, "imgsz": 640, "batch": 4, "boxes": 1, "device": "0"}},
        {"trial": {"stage": "detector", "model": "yolov5n", "imgsz": 640, "batch": "4", "boxes": 1, "device": "0"}},
        {"trial": {"stage": "detector", "model": "yolov5n", "imgsz": 640, "batch": 0, "boxes": 1, "device": "0"}},
    ],
)
def test_reading_with_something_else_in_a_field_is_passed_over(place: Path, changed: dict[str, Any]) -> None:
    ReadingsFile(KEY).keep(READING)
    (file,) = place.iterdir()
    record = json.loads(file.read_text(encoding="utf-8"))
    record["readings"][0] |= changed
    file.write_text(json.dumps(record), encoding="utf-8")
    assert ReadingsFile(KEY).readings == ()


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b'{"key": 1}', b"\xff\xfe\x00", b"[" * 100_000])
def test_damaged_file_is_passed_over_and_replaced(place: Path, content: bytes) -> None:
    write(place)
    (file,) = place.iterdir()
    file.write_bytes(content)
    again = ReadingsFile(KEY)
    assert (again.readings, again.note) == ((), "")
    again.keep(FAILED)
    assert ReadingsFile(KEY).readings == (FAILED,)


def test_file_of_another_key_under_this_name_is_passed_over(place: Path) -> None:
    write(place, key=KEY | {"threads": 64})
    assert ReadingsFile(KEY).readings == ()


def test_file_in_the_place_of_the_folder_is_a_note(place: Path) -> None:
    place.parent.mkdir(parents=True)
    place.write_text("in the way", encoding="utf-8")
    kept = ReadingsFile(KEY)
    assert (kept.readings, kept.note) == ((), "")
    kept.keep(READING)
    assert kept.readings == (READING,)
    assert kept.note.startswith("measurements are not kept, the next start will take them again: ")
    assert "\n" not in kept.note


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_folder_that_may_not_be_written_to_is_a_note(place: Path) -> None:
    place.mkdir(parents=True)
    place.chmod(0o500)
    kept = ReadingsFile(KEY)
    kept.keep(READING)
    assert "may not be written" in kept.note


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no disk that is always full")
def test_full_disk_is_a_note_and_what_was_kept_stays(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ReadingsFile(KEY).keep(READING)
    (file,) = place.iterdir()
    temporary = place / f".{file.stem}.{os.getpid()}.part.json"  # where files.replacing writes to
    temporary.symlink_to("/dev/full")
    kept = ReadingsFile(KEY)
    kept.keep(FAILED)
    assert "the disk is full" in kept.note
    monkeypatch.undo()
    assert json.loads(file.read_text(encoding="utf-8"))["readings"][0]["peak_bytes"] == 2 * GB


def test_key_says_device_versions_and_task() -> None:
    key = make_key("classifier", ROOM, 7, None)
    assert key["name"] == "NVIDIA GeForce GTX 1650"
    assert key["driver"] == "550.1"
    assert key["classes"] == 7
    assert {"stage", "device", "threads", "python", "cropsort", "torch", "ultralytics"} <= key.keys()
    assert make_key("prediction", ROOM, 7, None)["classes"] == 0


def test_key_moves_with_what_matters_and_not_with_free_memory(tmp_path: Path) -> None:
    key = make_key("detector", ROOM, 7, None)
    assert make_key("detector", replace(ROOM, free_bytes=1), 7, None) == key
    for other in (
        make_key("classifier", ROOM, 7, None),
        make_key("detector", ROOM, 3, None),
        make_key("detector", replace(ROOM, name="other"), 7, None),
        make_key("detector", replace(ROOM, driver="551"), 7, None),
        make_key("detector", replace(ROOM, device="1"), 7, None),
        make_key("prediction", ROOM, 7, TrainedPairs((tmp_path,), "openvino")),
    ):
        assert other != key


def test_key_of_prediction_moves_with_the_weights_and_not_with_their_folder(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "classifier.pt").write_bytes(b"weights")
    one, two = (TrainedPairs((tmp_path / folder,), "torch") for folder in ("one", "two"))
    key = make_key("prediction", ROOM, 7, one)
    assert make_key("prediction", ROOM, 7, two) == key
    (tmp_path / "two" / "classifier.pt").write_bytes(b"others")
    assert make_key("prediction", ROOM, 7, two) != key


def test_key_of_prediction_moves_with_the_engine_and_with_further_pairs(tmp_path: Path) -> None:
    asked = (
        TrainedPairs((tmp_path,), "openvino"),
        TrainedPairs((tmp_path,), "int8"),
        TrainedPairs((tmp_path,) * 2, "int8"),
    )
    assert len({str(make_key("prediction", ROOM, 7, pairs)) for pairs in asked}) == 3


def test_second_start_finds_what_the_first_measured() -> None:
    open_readings("detector", ROOM, 3).keep(READING)
    assert open_readings("detector", replace(ROOM, free_bytes=GB), 3).readings == (READING,)
    assert open_readings("classifier", ROOM, 3).readings == ()
    assert open_readings("detector", ROOM, 3, forget=True).readings == ()
    assert open_readings("detector", ROOM, 3).readings == ()
