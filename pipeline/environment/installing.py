"""Making ``.venv`` and running pip in it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from pipeline.environment.failures import OLDEST, check_modules, explain_failure, python_name
from pipeline.environment.stamp import LABEL_STAMP, LOCKS, STAMP, venv_python, write_stamp
from pipeline.errors import CropsortError

_TEMPORARY = Path(".venv", "tmp")

_CHECK = """\
import torch, torchvision, typer
torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
"""


def install_label(root: Path) -> None:
    """Add LabelImg to ``.venv``, as its lock names it."""
    (root / ".venv" / LABEL_STAMP).unlink(missing_ok=True)
    _remove_leftovers(root / ".venv")
    (root / _TEMPORARY).mkdir(exist_ok=True)
    # LabelImg itself is Python text only, and published as nothing but its source.
    wheels = ("--only-binary", ":all:", "--no-binary", "labelimg")
    _pip(root, "--require-hashes", *wheels, "--requirement", LOCKS[LABEL_STAMP])
    shutil.rmtree(root / _TEMPORARY, ignore_errors=True)
    write_stamp(root, LABEL_STAMP)


def install(root: Path) -> None:
    """Make or complete ``.venv``, and install what ``requirements.lock`` names."""
    # First of all: from here on, until the end, .venv is neither what it was nor what it shall be.
    (root / ".venv" / STAMP).unlink(missing_ok=True)
    _make_venv(root)
    _remove_leftovers(root / ".venv")
    (root / _TEMPORARY).mkdir(exist_ok=True)
    _pip(root, "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.lock")
    _pip(root, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    _check_torch(root)
    shutil.rmtree(root / _TEMPORARY, ignore_errors=True)
    write_stamp(root, STAMP)


def _make_venv(root: Path) -> None:
    python = str(venv_python(root))
    if not succeeds([python, "-I", "-c", f"import sys; sys.exit(sys.version_info < {OLDEST})"]):
        check_modules({name: has_module(name) for name in ("venv", "ensurepip")})
        # --clear: what is there was made by a Python that is gone or too old.
        _run([sys.executable, "-m", "venv", "--clear", ".venv"], root)
    elif not succeeds([python, "-I", "-m", "pip", "--version"]):
        _run([python, "-I", "-m", "ensurepip"], root)


def _remove_leftovers(venv: Path) -> None:
    """Remove what a pip that was stopped left behind.

    It takes a package for installed as soon as its metadata is there. INSTALLER is written after all of a package's
    files: where it is missing, so may be anything else. Folders named ``~...`` are packages it was about to replace.
    """
    for site in [*venv.glob("lib/python*/site-packages"), venv / "Lib" / "site-packages"]:
        unfinished = [info for info in site.glob("*.dist-info") if not (info / "INSTALLER").exists()]
        for folder in [*unfinished, *site.glob("~*")]:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(venv / _TEMPORARY.name, ignore_errors=True)


def _pip(root: Path, *options: str) -> None:
    # Its bars are for a terminal; in a log its hundred lines would only bury what goes wrong.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    _run([str(venv_python(root)), "-I", "-m", "pip", "install", *quiet, *options], root)


def _run(command: list[str], root: Path) -> None:
    # A user's `user = true` in pip.conf cannot work in an environment.
    settings = {**os.environ, "PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if (root / _TEMPORARY).is_dir():
        # On the disk that .venv is on: /tmp is often small, and nobody clears it after a pip that was killed.
        settings.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(root / _TEMPORARY)))
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


def _check_torch(root: Path) -> None:
    command = [str(venv_python(root)), "-I", "-W", "ignore", "-c", _CHECK]
    check = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, errors="replace")
    if check.returncode:
        said = (check.stderr.strip().splitlines() or [f"exit code {check.returncode}"])[-1]
        windows = "install the Microsoft Visual C++ Redistributable (x64) and run it again; "
        raise CropsortError(
            f"torch and torchvision do not work together ({said[:200]})",
            where=".venv",
            expected="builds made for each other",
            remedy=f"{windows if os.name == 'nt' else ''}delete .venv and run `{python_name()} -m pipeline setup`",
        )


def has_module(module: str) -> bool:
    """Whether this Python has a module; it is not imported."""
    spec = importlib.util.find_spec(module)
    # A folder without __init__.py, which half an uninstall leaves, is found as well but has no origin.
    return spec is not None and spec.origin is not None
