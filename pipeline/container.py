"""Memory limits of control groups, which is how containers are kept small; psutil does not know of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def container_room(total: int, free: int, root: Path = Path("/")) -> tuple[int, int]:
    """Cut the machine's memory to what this process's control groups, those of a container, leave of it.

    Args:
        total: the machine's memory, bytes.
        free: what of it is available, bytes.
        root: where ``proc`` and ``sys`` are.

    Returns:
        Total and free bytes: the least that a group or one of those above it leaves. Pages of files that were not
        used for a while count as free, since the kernel drops them before it kills.
    """
    machine = total
    for folder in _control_groups(root):
        limits = [_read_count(folder / name) for name in ("memory.max", "memory.high", "memory.limit_in_bytes")]
        limit = min((limit for limit in limits if limit is not None), default=machine)
        if limit < machine:
            used = _read_count(folder / "memory.current") or _read_count(folder / "memory.usage_in_bytes") or 0
            free = min(free, limit - used + _idle_cache(folder))
            total = min(total, limit)
    return total, max(min(free, total), 0)


def _control_groups(root: Path) -> Iterator[Path]:
    """Folders of this process's memory groups and of those above them, of either version of control groups."""
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:  # not on Linux
        return
    for number, controllers, place in (line.split(":", 2) for line in lines):
        if number == "0" or "memory" in controllers.split(","):
            top = root / "sys/fs/cgroup" / ("memory" if controllers else "")
            # In a container the path may be the host's, and only the uppermost folder be there: it is the container's.
            folder = top / place.lstrip("/")
            yield from (one for one in (folder, *folder.parents) if one.is_relative_to(top))


def _read_count(file: Path) -> int | None:
    with suppress(OSError, ValueError):  # there is none, or no limit: "max"
        return int(file.read_text(encoding="ascii"))
    return None


def _idle_cache(folder: Path) -> int:
    """Bytes of files that the kernel keeps in memory and has not seen used for a while, in a group and those below."""
    with suppress(OSError):
        pairs = (line.split() for line in (folder / "memory.stat").read_text(encoding="ascii").splitlines())
        counts = {name: int(value) for name, value in pairs}
        return counts.get("total_inactive_file", counts.get("inactive_file", 0))
    return 0
