"""The NVIDIA GPUs of a machine, as the program that comes with their driver tells of them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

_ASKED = ("driver_version", "memory.total", "memory.free", "compute_cap", "name")
_SECONDS = 20


class Gpu(NamedTuple):
    """An NVIDIA GPU.

    Args:
        name: what the maker calls it.
        driver: version of its driver; empty where torch was asked, which does not know.
        capability: its compute capability, such as (8, 6); None where the driver is too old to tell.
        total_mib: its memory in MiB; None where it has none of its own.
        free_mib: what of it is free.
    """

    name: str
    driver: str = ""
    capability: tuple[int, int] | None = None
    total_mib: int | None = None
    free_mib: int | None = None


class Driver(NamedTuple):
    """What the NVIDIA driver says.

    Args:
        gpus: those it knows, in its order.
        complaint: what it said instead of an answer; empty where it answered, or where there is no driver.
    """

    gpus: tuple[Gpu, ...] = ()
    complaint: str = ""


def ask_driver() -> Driver:
    """Ask the NVIDIA driver for its GPUs; without one there are none."""
    program = _find_program()
    if not program:
        return Driver()
    complaint = ""
    # A driver that does not know the capability yet is too old for any build; it still has a name and a version.
    for asked in (_ASKED, tuple(key for key in _ASKED if key != "compute_cap")):
        command = [program, "--query-gpu=" + ",".join(asked), "--format=csv,noheader,nounits"]
        try:
            answer = subprocess.run(
                command, check=False, capture_output=True, text=True, errors="replace", timeout=_SECONDS
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Driver(complaint=str(error))
        if not answer.returncode:
            return Driver(read_answer(answer.stdout, asked))
        said = (answer.stdout + answer.stderr).strip().splitlines()
        complaint = complaint or (said[0] if said else f"exit code {answer.returncode}")
    return Driver(complaint=complaint)


def read_answer(text: str, asked: tuple[str, ...] = _ASKED) -> tuple[Gpu, ...]:
    """Understand nvidia-smi's table.

    Args:
        text: a line for each GPU, values divided by commas.
        asked: the columns; the last one may hold commas itself.

    Returns:
        The GPUs, in the same order.
    """
    rows = [line.split(",", len(asked) - 1) for line in text.splitlines() if line.count(",") >= len(asked) - 1]
    gpus = []
    for row in rows:
        said = dict(zip(asked, map(str.strip, row)))  # noqa: B905 - Python 3.8 has no strict=, and cannot go on here
        capability = re.match(r"(\d+)\.(\d+)$", said.get("compute_cap", ""))
        gpus.append(
            Gpu(
                said["name"],
                said["driver_version"],
                (int(capability[1]), int(capability[2])) if capability else None,
                _read_count(said["memory.total"]),
                _read_count(said["memory.free"]),
            )
        )
    return tuple(gpus)


def _find_program() -> str | None:
    """nvidia-smi; not every system that has it has it on its path."""
    elsewhere = [Path("/usr/lib/wsl/lib/nvidia-smi")]
    if sys.platform == "win32":
        windows, programs = os.environ.get("SYSTEMROOT", ""), os.environ.get("PROGRAMFILES", "")
        elsewhere = [
            Path(windows, "System32", "nvidia-smi.exe"),
            Path(programs, "NVIDIA Corporation", "NVSMI", "nvidia-smi.exe"),
        ]
    return shutil.which("nvidia-smi") or next((str(path) for path in elsewhere if path.is_file()), None)


def _read_count(text: str) -> int | None:
    return int(text) if text.isdigit() else None
