"""Memory: what a device has, what a training may take, and what a process and its descendants take.

A GB is 2**30 bytes everywhere, and an MB 2**20.
"""

from __future__ import annotations

import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import psutil

from pipeline.container import container_room
from pipeline.errors import ConfigError

GB = 2**30
MB = 2**20

MEMORY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(GB|MB|%)\s*", re.IGNORECASE)
"""How a limit is written, such as ``4GB``, ``900 mb`` or ``80%``."""

_STATUS = re.compile(r"^(VmRSS|VmHWM):\s*(\d+) kB", re.MULTILINE)

_SPARE = 500
"""Each of the meter's three readings takes a part in this many of a core, so that all of them stay under 1 %."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Room:
    """The memory of a device.

    Args:
        device: ``cpu``, ``mps`` or the number of a CUDA GPU.
        name: what the maker calls it.
        total_bytes: all that it has; for a CPU no more than the container may take.
        free_bytes: what nobody uses now, 0 to ``total_bytes``; what the system holds as a cache of files is free.
        driver: version of the driver, ``""`` without one.
    """

    device: str
    name: str
    total_bytes: int
    free_bytes: int
    driver: str

    def __post_init__(self) -> None:
        if not 0 <= self.free_bytes <= self.total_bytes:
            raise ValueError(f"{self.free_bytes} bytes free of {self.total_bytes}")


def measure_room(device: str) -> Room:
    """Ask how much memory a device has and how much of it is free; this process makes no CUDA context for it.

    Args:
        device: ``cpu``, ``mps`` or the number of a CUDA GPU that torch can use, as ``pick_device`` gives it.
    """
    if device == "cpu":
        here = psutil.virtual_memory()
        total, free = container_room(here.total, here.available)
        return Room(device, _processor_name(), total, free, "")
    if device == "mps":
        return _mps_room()
    from pipeline.cuda import measure_gpu

    gpu = measure_gpu(int(device))
    return Room(device, gpu.name, gpu.total_bytes, min(gpu.free_bytes, gpu.total_bytes), gpu.driver)


def parse_memory(text: str, total_bytes: int) -> int:
    """Understand a limit such as ``4GB``, ``900 mb`` or ``80%`` (of all that the device has).

    Returns:
        Bytes; a GB is 2**30 of them.

    Raises:
        ConfigError: it is written in another way, is nothing, or is more than the device has.
    """
    written = MEMORY.fullmatch(text)
    if not written:
        raise ConfigError(f"{text!r} is no amount of memory", where="memory", expected="4GB, 900MB or 80%")
    units = {"GB": GB, "MB": MB, "%": total_bytes / 100}
    limit = round(float(written[1]) * units[written[2].upper()])
    if not 0 < limit <= total_bytes:
        expected = f"no more than the {format_bytes(total_bytes)} that the device has" if limit else "more than nothing"
        raise ConfigError(f"a limit of {text.strip()}", where="memory", expected=expected)
    return limit


def choose_limit(wanted: str | None, room: Room) -> tuple[int, str]:
    """Decide what one process and its descendants may take.

    By default that is what is free, less a margin: on a GPU 5 % of what is free; on a CPU, or where the GPU uses the
    same memory (MPS), 10 % of all the memory or 512 MB, whichever is more, for the desktop and the browser, though
    never more than half of what is free. What the user wants is taken as it is, unless it is more than is free now:
    then it is cut to the default.

    Args:
        wanted: what data.yaml or ``--memory`` says; None for the default.
        room: the device.

    Returns:
        Bytes, and a note: ``""``, or why it is less than was wanted.

    Raises:
        ConfigError: as ``parse_memory`` says.
    """
    free = room.free_bytes
    margin = free // 20 if room.device.isdigit() else min(max(room.total_bytes // 10, 512 * MB), free // 2)
    default = free - margin
    if wanted is None:
        return default, ""
    limit = parse_memory(wanted, room.total_bytes)
    if limit <= free:
        return limit, ""
    cut = f"memory: {wanted.strip()} is wanted, but only {format_bytes(free)} are free now"
    return default, f"{cut}; going on with {format_bytes(default)}"


def format_bytes(count: int) -> str:
    """Write an amount of memory for people: ``3.2 GB``, ``640 MB``."""
    return f"{count / GB:.1f} GB" if count >= GB else f"{count / MB:.0f} MB"


def measure_pss(pid: int) -> int:
    """Memory that a process and its descendants take, bytes; 0 where there is no such process (any more).

    On Linux the proportional set size, where pages that several processes share are counted in parts: the processes of
    a data loader share most of theirs. Elsewhere what each has for itself. The kernel walks through all pages for it,
    which takes about 12 ms a GB; see ``Meter`` for watching.
    """
    try:
        processes = _list_family(psutil.Process(pid))
    except psutil.Error:
        return 0
    return sum(_snapshot(process)[1] for process in processes)


class Meter:
    """Watches what a process and its descendants take, for less than 1 % of a core.

    How much is resident is read from counters, in microseconds, but counts shared pages several times. So now and then
    it is measured how much of it is shared, and what is resident less what was shared then is a good guess until the
    next measurement. Of the process itself the kernel also keeps the most that ever was resident, so that what it took
    for a moment between two looks counts as well.

    Args:
        pid: the process.

    Attributes:
        peak_bytes: most that was seen since ``restart``.
        family: the process and its descendants, as last seen, those too whose parent has died.
    """

    def __init__(self, pid: int) -> None:
        self.family = [psutil.Process(pid)]
        self._shared = 0
        self._resident_pace, self._family_pace, self._shared_pace = _Pace(0.04), _Pace(0.2), _Pace(2.0)
        self.restart()

    def restart(self) -> None:
        """Forget the peak."""
        self.peak_bytes = 0
        self._highest = _resident_and_highest(self.family[0])[1]
        with suppress(OSError):  # not on Linux, or it has ended
            Path(f"/proc/{self.family[0].pid}/clear_refs").write_text("5", encoding="ascii")  # the kernel forgets too
            self._highest = 0
        self._next_highest = self._highest

    def watch(self, limit_bytes: int | None) -> bool:
        """Look again if it is time to.

        Returns:
            Whether more than the limit is taken, or was since the last look; what is shared is measured for that, not
            guessed.
        """
        if not self._resident_pace.is_due():
            return False
        known = self.family
        if self._family_pace.is_due():
            found = self._family_pace.time(lambda: _list_family(known[0]))
            self.family = found + [one for one in known if one not in found and one.is_running()]
        taken = self._resident_pace.time(self._resident) - self._shared
        suspect = limit_bytes is not None and taken > limit_bytes
        if suspect or self.family != known or self._shared_pace.is_due():
            self._shared = self._shared_pace.time(self._measure_shared)
            taken = self._resident() - self._shared  # again, after it: what ended meanwhile must not count
        self._highest = self._next_highest
        self.peak_bytes = max(self.peak_bytes, taken)
        return limit_bytes is not None and taken > limit_bytes

    def _resident(self) -> int:
        now, self._next_highest = _resident_and_highest(self.family[0])
        own = self._next_highest if self._next_highest > self._highest else now
        return own + sum(_resident(process) for process in self.family[1:])

    def _measure_shared(self) -> int:
        return sum(resident - own for resident, own in map(_snapshot, self.family))


class _Pace:
    """When a reading is due again: after a least time, or up to ten times as long where it is slow."""

    def __init__(self, least_seconds: float) -> None:
        self._least_seconds = least_seconds
        self._due = 0.0

    def is_due(self) -> bool:
        return time.monotonic() >= self._due

    def time(self, read: Callable[[], T]) -> T:
        begin = time.perf_counter()
        reading = read()
        wait = (time.perf_counter() - begin) * _SPARE
        self._due = time.monotonic() + min(max(wait, self._least_seconds), self._least_seconds * 10)
        return reading


def _list_family(process: psutil.Process) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.Error:  # it has ended
        return [process]


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.Error:  # it has ended
        return 0


def _resident_and_highest(process: psutil.Process) -> tuple[int, int]:
    """What is resident, and the most that ever was where the system tells; bytes."""
    try:
        text = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8", errors="replace")
        found = {name: int(count) * 1024 for name, count in _STATUS.findall(text)}
        return found["VmRSS"], found["VmHWM"]
    except (OSError, KeyError):  # not on Linux, or it has ended
        return (_resident(process),) * 2


def _snapshot(process: psutil.Process) -> tuple[int, int]:
    """What is resident, and what of it counts as the process's own; bytes, both of the same moment."""
    try:
        if sys.platform != "linux":
            full = process.memory_full_info()
            return full.rss, full.uss
        # psutil would take what is resident from elsewhere and a moment later.
        lines = Path(f"/proc/{process.pid}/smaps_rollup").read_text(encoding="ascii").splitlines()
        found = {words[0]: int(words[1]) * 1024 for words in map(str.split, lines[1:])}
        return found["Rss:"], found["Pss:"]
    except (psutil.Error, OSError):  # it has ended, or it is another user's
        return _resident(process), _resident(process)


def _mps_room() -> Room:
    """What Metal advises to take, of memory that the GPU and all programs share."""
    import torch

    total = int(torch.mps.recommended_max_memory())
    free = min(total - int(torch.mps.driver_allocated_memory()), psutil.virtual_memory().available)
    return Room("mps", _processor_name(), total, max(free, 0), platform.mac_ver()[0])


def _processor_name() -> str:
    with suppress(OSError, subprocess.SubprocessError):
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
        if named := re.search(r"^(?:model name|Model)\s*:\s*(.+)$", text, re.MULTILINE):
            return named[1].strip()
    return platform.processor() or platform.machine()
