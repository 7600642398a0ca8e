"""Judging what is not torch: packages, memory, disk, fonts, the display. Facts in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pipeline.doctor.findings import GB, Finding, Machine

RUN_BYTES = GB
"""What one training writes at most: copies of some hundred photos, checkpoints of the largest models."""

_MUCH_BYTES = 5 * GB
_SMALL_MEMORY = 3 * GB
_SHARED_BYTES = GB // 4
_LIBRARIES = "sudo apt install libgl1 libglib2.0-0"


def judge_packages(versions: Mapping[str, str], machine: Machine) -> list[Finding]:
    """What is installed.

    Args:
        versions: of each package that a command needs; ``""`` where it is missing.
        machine: where this runs.
    """
    there = ", ".join(f"{name} {version}" for name, version in versions.items() if version)
    found = [Finding("packages", there)] if there else []
    missing = [name for name, version in versions.items() if not version]
    if missing:
        wanted = " ".join(_pin(name, machine) for name in missing)
        remedy = machine.install(wanted) if there else machine.set_up()
        found.append(Finding("packages", f"not installed: {', '.join(missing)}", "FAIL", remedy))
    return found


def judge_imports(errors: Mapping[str, str], machine: Machine) -> list[Finding]:
    """What is installed and cannot be imported.

    Args:
        errors: by package.
        machine: where this runs.
    """
    found = []
    for package, error in errors.items():
        system = error.startswith(("libGL", "libgthread", "libglib")) or ": lib" in error
        again = machine.install(f"--force-reinstall --no-deps {_pin(package, machine)}")
        remedy = _LIBRARIES if system else again
        found.append(Finding(package, f"cannot be imported: {error}", "FAIL", remedy))
    return found


def _pin(package: str, machine: Machine) -> str:
    return f"{package}=={machine.pins[package]}" if package in machine.pins else package


def judge_memory(total: int, free: int) -> Finding:
    """The machine's memory, or the container's, in bytes."""
    state = f"{total / GB:.1f} GB, {free / GB:.1f} GB of it free"
    if free < _SMALL_MEMORY:
        return Finding("memory", state, "warn", "close other programs; where that is not enough: cropsort tune")
    return Finding("memory", state)


def judge_shared(size: int | None) -> list[Finding]:
    """The memory that processes of one training share, in bytes; containers have 64 MB of it unless told otherwise."""
    if size is None or size >= _SHARED_BYTES:
        return []
    state = f"{size / 2**20:.0f} MB in /dev/shm, too little for photos that several processes load"
    return [Finding("shared memory", state, "warn", "start the container with: --shm-size=1g (or --ipc=host)")]


def judge_disk(what: str, folder: Path, free: int | None, *, writable: bool) -> Finding:
    """A folder that is written to.

    Args:
        what: it, in a word or two.
        folder: its path.
        free: bytes free on its disk; None where that cannot be told.
        writable: whether a file could be written there.
    """
    if not writable:
        return Finding(what, f"{folder} cannot be written to", "FAIL", "work in a folder of your own, or free the disk")
    if free is None:
        return Finding(what, f"{folder}, how much is free cannot be told", "note")
    state = f"{folder}, {free / GB:.1f} GB free"
    if free < RUN_BYTES:
        expected = f"{state}; a training may write {RUN_BYTES / GB:.0f} GB"
        return Finding(what, expected, "FAIL", "free some space, or work on another disk")
    return Finding(what, state, "ok" if free >= _MUCH_BYTES else "note")


def judge_cache(folder: Path | None, free: int | None, *, writable: bool) -> Finding:
    """The folder for what is kept only to be quick, so that nothing fails without it.

    Args:
        folder: its path; None for a user without a home.
        free: bytes free on its disk; None where that cannot be told.
        writable: whether a file could be written there.
    """
    remedy = "set XDG_CACHE_HOME to a folder of your own, or each start measures anew what fits into memory"
    if folder is None:
        return Finding("cache", "no home to keep one in", "note", remedy)
    if not writable:
        return Finding("cache", f"{folder} cannot be written to", "note", remedy)
    return Finding("cache", f"{folder}" + ("" if free is None else f", {free / GB:.1f} GB free"))


def judge_font(font: str | None, error: str, platform: str) -> Finding:
    """The font for Korean class names in plots.

    Args:
        font: its name; None where there is none.
        error: why that is not known; ``""`` where it is.
        platform: as ``sys.platform``.
    """
    if error:
        return Finding("font", f"could not be looked for: {error}", "note")
    if font:
        return Finding("font", f"{font} has Korean letters")
    remedy = "sudo apt install fonts-nanum" if platform == "linux" else "install a font with Korean letters"
    return Finding("font", "none with Korean letters: plots number such classes", "note", remedy)


def judge_display(platform: str, environment: Mapping[str, str]) -> list[Finding]:
    """The display for LabelImg's window; only Linux may be without."""
    if platform != "linux":
        return []
    shown = next((environment[name] for name in ("WAYLAND_DISPLAY", "DISPLAY") if environment.get(name)), "")
    if shown:
        return [Finding("display", shown)]
    return [Finding("display", "none, so LabelImg cannot open here", "note", "work on a desktop, or come over ssh -X")]


def judge_extras(found: Mapping[str, bool], machine: Machine) -> list[Finding]:
    """What is not needed, and may be there: LabelImg, OpenVINO."""
    remedies = {"LabelImg": f"{machine.set_up()} --label", "OpenVINO": ""}
    return [
        Finding(name, "installed") if there else Finding(name, "not installed", "note", remedies[name])
        for name, there in found.items()
    ]
