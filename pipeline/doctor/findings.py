"""What is known of a machine, and what to say of it: facts in, findings out, nothing is asked here."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pipeline.environment.gpus import Driver, Gpu

Level = Literal["ok", "note", "warn", "FAIL"]
GB = 2**30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Args:
        what: it, in a word or two.
        state: what was found.
        level: ``FAIL`` where something will fail, ``warn`` where it goes on worse than it could, ``note`` where only
            some may care.
        remedy: a line to paste into a terminal, or what to do; ``""`` where nothing is wrong.
    """

    what: str
    state: str
    level: Level = "ok"
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Torch:
    """What the installed torch says of itself.

    Args:
        version: its version.
        cuda: version of the CUDA it is made for; ``""`` without.
        archs: what it has kernels for.
        gpus: those that it sees.
        mps: whether it sees Apple's GPU.
        threads: threads it uses on the CPU.
        complaint: why it sees no GPU, in its own words; ``""`` where it does not say.
    """

    version: str
    cuda: str = ""
    archs: tuple[str, ...] = ()
    gpus: tuple[Gpu, ...] = ()
    mps: bool = False
    threads: int = 1
    complaint: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """Where this runs.

    Args:
        platform: as ``sys.platform``.
        architecture: as ``platform.machine()``.
        python: the command that starts this Python, ready to paste.
        driver: what the NVIDIA driver says.
        pins: versions that the lock names, by package; empty where there is no lock.
        hidden: whether CUDA_VISIBLE_DEVICES hides all GPUs.
        inside: whether this is the Python of the project's ``.venv``.
    """

    platform: str
    architecture: str
    python: str
    driver: Driver
    pins: Mapping[str, str]
    hidden: bool = False
    inside: bool = True

    def set_up(self) -> str:
        """The line that makes or completes ``.venv``."""
        return f"{self.python} -m pipeline setup"

    def install(self, wanted: str) -> str:
        """The line that installs something; any Python but that of ``.venv`` is not ours to change."""
        return f"{self.python} -m pip install {wanted}" if self.inside else self.set_up()


def name_python(executable: str, platform: str, *, inside: bool) -> str:
    """The command that starts a Python, ready to paste into any shell, in the project's folder.

    Args:
        executable: its path.
        platform: as ``sys.platform``.
        inside: whether it is that of the project's ``.venv``.
    """
    windows = platform == "win32"
    if inside:
        return r".venv\Scripts\python" if windows else ".venv/bin/python"
    if not windows:
        return shlex.quote(executable)
    # PowerShell takes what is quoted for a text, not for a program.
    return "python" if " " in executable else executable
