"""Readings kept on disk, so that a second start measures nothing: one file for each machine, software and task."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.cache import usual_cache
from pipeline.errors import OutputError
from pipeline.files import write_text
from pipeline.memory import Room
from pipeline.tune.trials import Reading, Stage, TrainedPairs, Trial

Key = Mapping[str, str | int]

_PACKAGES = ("torch", "torchvision", "ultralytics", "timm", "lightning")


class ReadingsFile:
    """The readings of one machine, software and task.

    A file that cannot be read or holds something else counts as empty and is replaced; one that cannot be written is
    a note, never a failure.

    Args:
        key: what the readings depend on.
        forget: begin without those that are there.

    Attributes:
        readings: what is known, one of each trial.
        note: why they are not kept, in words; empty where they are.
    """

    def __init__(self, key: Key, *, forget: bool = False) -> None:
        self.note = ""
        self.readings: tuple[Reading, ...] = ()
        self._key = dict(key)
        base = usual_cache()
        self._path = None if base is None else base / "tune" / f"{_hash_key(key)}.json"
        if forget:
            self._write()
        else:
            self.readings = self._read()

    def keep(self, reading: Reading) -> None:
        """Add a reading in the place of an earlier one of the same trial, and write all of them to disk."""
        known = {other.trial: other for other in (*self._read(), *self.readings)}  # another process may have added some
        known.pop(reading.trial, None)
        self.readings = (*known.values(), reading)
        self._write()

    def _read(self) -> tuple[Reading, ...]:
        try:
            record = json.loads(self._path.read_text(encoding="utf-8")) if self._path else {}
            if record.get("key") != self._key:
                return ()
            return tuple(_parse_reading(reading) for reading in record["readings"])
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return ()

    def _write(self) -> None:
        if self._path is None:
            self.note = "measurements are not kept: there is no home to keep them in; set XDG_CACHE_HOME"
            return
        record = {"key": self._key, "readings": [asdict(reading) for reading in self.readings]}
        try:
            write_text(self._path, json.dumps(record, indent=1, ensure_ascii=False) + "\n")
        except OutputError as error:
            self.note = f"measurements are not kept, the next start will take them again: {error}"


def open_readings(
    stage: Stage, room: Room, class_count: int, pairs: TrainedPairs | None = None, *, forget: bool = False
) -> ReadingsFile:
    """What was measured before on this device with these versions.

    Args:
        stage: what is run.
        room: the device.
        class_count: classes that are told apart.
        pairs: prediction only: what it is done with.
        forget: measure anew.
    """
    return ReadingsFile(make_key(stage, room, class_count, pairs), forget=forget)


def make_key(stage: Stage, room: Room, class_count: int, pairs: TrainedPairs | None) -> Key:
    """Everything that memory and speed depend on and a trial does not say."""
    import torch

    return {
        "stage": stage,
        "device": room.device,
        "name": room.name,
        "driver": room.driver,
        "threads": torch.get_num_threads(),
        "classes": class_count if stage != "prediction" else 0,
        "weights": "" if pairs is None else " ".join(map(_hash_weights, pairs.folders)),
        "engine": "" if pairs is None else f"{pairs.engine} {_version('openvino')}",
        "python": platform.python_version(),
        "cropsort": __version__,
        **{package: version(package) for package in _PACKAGES},
    }


def _version(package: str) -> str:
    """Empty where it is not installed: torch does its work."""
    try:
        return version(package)
    except PackageNotFoundError:
        return ""


def _hash_weights(folder: Path) -> str:
    """Of the pair's files, whatever folder they lie in."""
    whole = hashlib.sha256()
    for name in ("detector.pt", "classifier.pt"):
        try:
            with (folder / name).open("rb") as file:
                whole.update(hashlib.file_digest(file, "sha256").digest())
        except OSError:  # whoever loads it says what is wrong
            whole.update(name.encode())
    return whole.hexdigest()[:16]


def _hash_key(key: Key) -> str:
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16]


def _parse_reading(record: Mapping[str, Any]) -> Reading:
    """Raises ``ValueError`` or ``TypeError`` where it is none."""
    reading = Reading(**{**record, "trial": Trial(**record["trial"])})
    trial, known = reading.trial, reading.peak_bytes is not None
    numbers = trial.imgsz, trial.batch, trial.boxes, reading.limit_bytes, reading.peak_bytes if known else 1
    texts = trial.stage, trial.model, trial.device, reading.said
    if not all(isinstance(number, int) for number in numbers) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"no reading: {record}")
    return reading
