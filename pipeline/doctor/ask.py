"""Asking in a process of its own, so that what is broken crashes or hangs there."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

from pipeline.environment import ROOT

SECONDS = 120
"""How long an answer may take; the first import of torch on a slow disk takes most of a minute."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a look found.

    Args:
        value: as the look gave it; None where it failed.
        error: why it failed, in a line; ``""`` where it did not.
    """

    value: Any = None
    error: str = ""


def ask(look: str, *arguments: str, seconds: float = SECONDS) -> Answer:
    """Run a look of ``pipeline.doctor.probe`` in a process of its own.

    Args:
        look: its name.
        arguments: what it takes.
        seconds: how long to wait for it.
    """
    path = os.pathsep.join(part for part in (str(ROOT), os.environ.get("PYTHONPATH", "")) if part)
    command = [sys.executable, "-P", "-m", "pipeline.doctor.probe", look, *arguments]
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Answer(error=f"no answer after {seconds:.0f} s")
    if ended.returncode:
        return Answer(error=_explain_end(ended.returncode, ended.stderr))
    try:
        return Answer(json.loads(ended.stdout.splitlines()[-1]))
    except (IndexError, ValueError):
        return Answer(error="it ended without an answer")


def _explain_end(code: int, log: str) -> str:
    """The line that says most: an exception's first one, which is not the last where it has several."""
    raised = re.findall(r"^(?:[\w.]+\.)?\w*(?:Error|Exception|Interrupt): *(.+)", log, re.MULTILINE)
    if raised:
        return str(raised[-1]).split(". ", maxsplit=1)[0][:300]
    if code < 0:
        return f"it was ended by {signal.Signals(-code).name}"
    lines = log.strip().splitlines()
    return lines[-1][:300] if lines else f"exit code {code}"
