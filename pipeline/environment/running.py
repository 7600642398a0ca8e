"""Starting pip and other programs for ``.venv``."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.environment.failures import OLDEST, explain_failure
from pipeline.environment.stamp import venv_python

TEMPORARY = Path(".venv", "tmp")
"""What is fetched and unpacked lies here for a while."""


def run_pip(root: Path, action: str, *options: str) -> None:
    """Run pip in ``.venv``.

    Raises:
        CropsortError: it failed; says why and what to do.
    """
    # Its bars are for a terminal; in a log its hundred lines would only bury what goes wrong.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    run([str(venv_python(root)), "-I", "-m", "pip", action, *quiet, *options], root)


def run(command: list[str], root: Path) -> None:
    """Run a program in the project's folder, with what it says as an error where it fails.

    Raises:
        CropsortError: it failed.
    """
    # A user's `user = true` in pip.conf cannot work in an environment.
    settings = {**os.environ, "PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if (root / TEMPORARY).is_dir():
        # On the disk that .venv is on: /tmp is often small, and nobody clears it after a pip that was killed.
        settings.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(root / TEMPORARY)))
    with subprocess.Popen(
        command,
        cwd=root,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=sys.stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            log = process.communicate()[1]
        except KeyboardInterrupt:
            _stop(process)
            raise
    if process.returncode:
        raise explain_failure(log)


def _stop(process: subprocess.Popen[str]) -> None:
    """Let pip remove its temporary files: a terminal's Ctrl-C has reached it, a signal to this process has not."""
    try:
        process.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)
        process.communicate()


def succeeds(command: list[str]) -> bool:
    """Whether a command can be started and ends with 0."""
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def is_usable(python: Path) -> bool:
    """Whether the Python of an environment can be started, is new enough, and keeps to its environment."""
    # Without pyvenv.cfg it is the system's Python, and so would its pip be.
    check = f"import os, sys; sys.exit(sys.version_info < {OLDEST} or not os.path.samefile(sys.prefix, sys.argv[1]))"
    return succeeds([str(python), "-I", "-c", check, str(python.parent.parent)])


def has_module(module: str) -> bool:
    """Whether this Python has a module; it is not imported."""
    spec = importlib.util.find_spec(module)
    # A folder without __init__.py, which half an uninstall leaves, is found as well but has no origin.
    return spec is not None and spec.origin is not None
