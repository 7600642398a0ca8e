"""The same race on an NVIDIA GPU, and how busy it is meanwhile."""

from __future__ import annotations

import threading
import time
from statistics import fmean, median

from prediction.drawn import count_cores
from prediction.options import Figures, Options, Row, empty, keep, not_measured
from prediction.pairs import Pair, pairs_for_drawn
from prediction.speed import Photos, drawn_photos, race, time_ours

GOALS = {"speed": ">= 5 times", "busy": ">= 0.85, or all cores busy"}

_PACE = 0.05


def show_gpu(options: Options) -> list[Row]:
    """Empty rows where there is no GPU, or none was asked for."""
    if not options.device.isdigit() or not has_gpu(int(options.device)):
        missing = not_measured("gpu", "--device 0")
        return [
            ("an NVIDIA GPU", "times the plain chain", missing, GOALS["speed"]),
            ("", "the GPU busy, part of the time", "the same command", GOALS["busy"]),
        ]
    photos, pair = drawn_photos(options), pairs_for_drawn(options)[-1]
    place = options.work / "gpu" / f"{pair.name}-{options.device}-{photos.count}"
    rounds = [keep(place / f"{number}.json", lambda: watch(options, pair, photos)) for number in range(options.rounds)]
    busy = median(one["busy"] for one in rounds)
    cores = median(one["cores"] for one in rounds)
    told = f"{busy:.2f}; {cores:.1f} of {count_cores()} cores busy"
    return [*race(options, pair, photos), (photos.name, "the GPU busy, part of the time", told, GOALS["busy"])]


def has_gpu(number: int) -> bool:
    """Whether torch can use that GPU."""
    import torch

    return torch.cuda.is_available() and number < torch.cuda.device_count()


def watch(options: Options, pair: Pair, photos: Photos) -> Figures:
    """Our run on all photos, with what the GPU's driver says of it from where a run of few would have ended on."""
    folder = options.work / "gpu" / "run"
    few = time_ours(options, pair, photos.few, empty(folder) / "out")
    ends, readings = threading.Event(), list[tuple[float, float]]()
    watcher = threading.Thread(target=read_busy, args=(int(options.device), ends, readings))
    begin = time.monotonic()
    watcher.start()
    made = time_ours(options, pair, photos.all, empty(folder) / "out")
    ends.set()
    watcher.join()
    steady = [share for moment, share in readings if moment - begin >= few["seconds"]]
    return {"busy": fmean(steady) if steady else 0.0, "cores": made["cores"], "seconds": made["seconds"]}


def read_busy(number: int, ends: threading.Event, readings: list[tuple[float, float]]) -> None:
    """Ask the driver again and again which part of the time the GPU was at work, 0 to 1."""
    import pynvml

    pynvml.nvmlInit()
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(number)
        while not ends.wait(_PACE):
            readings.append((time.monotonic(), pynvml.nvmlDeviceGetUtilizationRates(handle).gpu / 100))
    finally:
        pynvml.nvmlShutdown()
