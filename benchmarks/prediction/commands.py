"""Ourselves as a user runs us, and any command with its time and memory."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from pipeline.memory import Meter
from pipeline.results import PhotoResult, read_results
from prediction.options import Options

ROOT = Path(__file__).resolve().parents[2]
RESULTS = "results.jsonl"
FINE = (0, 1)
"""Exit codes of a run that went to its end; 1 says that some photos could not be read."""

_LOOK = 0.1


@dataclass(frozen=True, slots=True)
class Run:
    """What a command came to.

    Args:
        seconds: from its start to its end, imports included.
        peak_bytes: most memory that its processes took together, shared pages in parts (PSS).
        cores: cores that they kept busy on average.
        code: its exit code.
        output: what it said.
    """

    seconds: float
    peak_bytes: int
    cores: float
    code: int
    output: str


def run(command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str]) -> Run:
    """Run a command to its end and watch what it takes.

    Args:
        command: its words.
        log: where what it says goes.
        environment: added to this process's.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w", encoding="utf-8") as out:
        begin = time.perf_counter()
        process = start(command, out.fileno(), environment)
        meter, busy = Meter(process.pid), 0.0
        while process.poll() is None:
            meter.watch(None)
            busy = max(busy, _busy_seconds(meter.family))
            time.sleep(_LOOK)
        seconds = time.perf_counter() - begin
    output = log.read_text(encoding="utf-8", errors="replace")
    return Run(seconds, meter.peak_bytes, busy / seconds, process.returncode, output)


def start(command: Sequence[str | Path], out: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a command in the background, all that it says going to a file."""
    added = {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment}
    words = [str(word) for word in command]
    return subprocess.Popen(words, env={**os.environ, **added}, stdin=subprocess.DEVNULL, stdout=out, stderr=out)


def predict(photos: Path, out: Path, pair: Path, options: Options, *flags: str) -> Run:
    """Sort a folder of photos to the end.

    Raises:
        SystemExit: it failed.
    """
    log = out.with_name(f"{out.name}.log")
    made = run(command(photos, out, pair, *flags), log=log, environment=environment(options))
    if made.code not in FINE:
        sys.exit(f"{log} - cropsort predict ended with exit code {made.code}:\n{made.output[-2000:]}")
    return made


def command(photos: Path, out: Path, pair: Path, *flags: str) -> list[str | Path]:
    """What a user types."""
    return [sys.executable, "-m", "pipeline", "predict", photos, "--out", out, "--weights", pair, *flags]


def environment(options: Options) -> dict[str, str]:
    """The device, for both ways; and caches of the benchmark's own, so that what is measured once is measured here."""
    visible = "" if options.device == "cpu" else options.device
    return {"XDG_CACHE_HOME": str(options.work / "cache"), "CUDA_VISIBLE_DEVICES": visible}


def read_answer(out: Path) -> dict[str, PhotoResult]:
    """What was found in each photo."""
    return {result.photo: result for result in read_results(out / RESULTS)}


def _busy_seconds(family: Sequence[psutil.Process]) -> float:
    """Processor time that processes have used so far."""
    total = 0.0
    for process in family:
        try:
            used = process.cpu_times()
        except psutil.Error:  # it has ended
            continue
        total += used.user + used.system
    return total
