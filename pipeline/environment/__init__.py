"""The project's own environment: ``.venv``, made from ``requirements.lock``, and the way into it.

Standard library only, and no syntax newer than Python 3.8's: this runs before anything is installed, and an older
Python must get far enough to be told so.
"""

from __future__ import annotations

import contextlib
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.environment.builds import BUILDS, Build, Choice, choose_build
from pipeline.environment.failures import AGAIN, check_modules, check_python, explain_failure, python_name, size
from pipeline.environment.gpus import ask_driver
from pipeline.environment.installing import install, install_label
from pipeline.environment.running import has_module, is_usable
from pipeline.environment.stamp import (
    LABEL_STAMP,
    ROOT,
    STAMP,
    compute_fingerprint,
    is_inside,
    is_ready,
    read_installed,
    read_tag,
    venv_python,
)
from pipeline.errors import CropsortError

__all__ = [
    "LABEL_STAMP",
    "ROOT",
    "STAMP",
    "check_modules",
    "check_python",
    "compute_fingerprint",
    "explain_failure",
    "has_packages",
    "is_ready",
    "main",
    "set_up",
    "venv_python",
]

_INTERRUPTED = 130

_HINT = """\
cropsort: boxes drawn in LabelImg train a detector, its crops a classifier, the results open in Excel.

The packages it needs are not installed yet. Set-up comes first, once (about {size}, some minutes):
  {python} -m pipeline setup    (or: make setup)

Then `{python} -m pipeline COMMAND`, or make with the same words:
  init      write a data.yaml for photos that you labelled
  label     draw boxes in LabelImg
  sample    draw a small labelled data set to try everything on
  train     train the detector and the classifier
  evaluate  score them on the test photos
  predict   sort the subjects in a folder of photos into a spreadsheet
  doctor    say what is wrong with this machine and its packages; needs no set-up
Each explains itself with --help once set-up is done.
"""


def main() -> None:
    """Run a command; where its packages are missing, make them available first and run it there.

    Raises:
        SystemExit: with the command's exit code; 2 where the environment could not be made.
    """
    arguments = sys.argv[1:]
    try:
        if arguments[:1] == ["doctor"]:
            _pass_doctor_on(arguments)
        check_python(sys.version_info[:2])
        if arguments in (["setup"], ["setup", "--label"]):
            set_up(with_label="--label" in arguments)
            return
        if arguments[:1] != ["doctor"] and not has_packages():
            _run_in_venv(arguments)
            return
    except CropsortError as error:
        print(f"cropsort: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(f"cropsort: .venv - set-up was stopped - {AGAIN}", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    from pipeline import cli  # imports packages that the bare Python above does not have

    cli.main()


def set_up(root: Path = ROOT, *, with_label: bool = False) -> None:
    """Make or repair ``.venv`` and install exactly what ``requirements.lock`` names; nothing to do takes no time.

    Args:
        root: the project's folder.
        with_label: add LabelImg, as ``requirements-label.lock`` names it with what it needs.

    Raises:
        CropsortError: it could not be done; says why and what to do.
    """
    build, reason = _choose(root)
    if is_ready(root) and read_tag(root) == (build.tag if build else ""):
        # The Makefile compares ages: a newer lock that says the same must not look newer for ever.
        with contextlib.suppress(OSError):
            (root / ".venv" / STAMP).touch()
    else:
        announcement = "\n".join(line for line in (_announce(root, build), reason) if line)
        _take_time(root, announcement, lambda root: install(root, build))
    if with_label:
        _add_label(root)
    print(f".venv is ready. {_next_steps(with_label)}")


def has_packages() -> bool:
    """Whether this Python has the packages; only looks for the first and the last that a command needs."""
    return has_module("typer") and has_module("torch")


def _choose(root: Path) -> Choice:
    driver = ask_driver()
    # A set-up that failed half-way has taken the stamp away, and left torch.
    tags = (read_tag(root), read_installed(root).get("torch", "").partition("+")[2])
    kept = next((build for build in BUILDS if build.tag in tags), None)
    if driver.gpus or not kept:
        return choose_build(driver.gpus, sys.platform, platform.machine())
    # An update of the driver silences it until the next start of the machine.
    said = f" ({driver.complaint})" if driver.complaint else ""
    return Choice(kept, f"the NVIDIA driver names no GPU now{said}: the build of torch for CUDA {kept.cuda} stays")


def _run_in_venv(arguments: list[str]) -> None:
    if not is_ready():
        if not arguments or {"--help", "-h", "--version"} & set(arguments):
            print(_HINT.format(size=size(_choose(ROOT).build), python=python_name()), end="")
            return
        print(f"'{arguments[0]}' needs packages that are not installed yet.", file=sys.stderr)
        # Standard output belongs to the command that was asked for.
        with contextlib.redirect_stdout(sys.stderr):
            set_up()
    elif is_inside():  # to hand over once more would never end
        raise CropsortError(
            "torch or typer is not there, though set-up was finished",
            where=".venv",
            remedy=f"delete .venv and run `{python_name()} -m pipeline setup`",
        )
    _hand_over([str(venv_python()), "-m", "pipeline", *arguments])


def _pass_doctor_on(arguments: list[str]) -> None:
    """Have ``.venv`` examined, however broken, or else this Python, however bare; never fetch anything for it.

    Comes back only where this Python has a command line to do it with.
    """
    if not is_inside() and is_usable(venv_python()):
        _hand_over([str(venv_python()), "-m", "pipeline", *arguments])
    check_python(sys.version_info[:2])
    try:
        from pipeline import cli  # noqa: F401
    except (ImportError, AttributeError):  # no typer, or half of one
        from pipeline.doctor import run_bare

        sys.exit(run_bare(arguments[1:]))


def _hand_over(command: list[str]) -> None:
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows execv returns to the shell at once. Ctrl-C reaches both processes; the command decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.call(command))


def _take_time(root: Path, announcement: str, install: Callable[[Path], None]) -> None:
    started = time.monotonic()
    print(announcement, flush=True)
    try:
        install(root)
    except OSError as error:
        raise explain_failure(str(error)) from error
    print(f"Done after {time.monotonic() - started:.0f} s.")


def _add_label(root: Path) -> None:
    if is_ready(root, stamp=LABEL_STAMP):
        with contextlib.suppress(OSError):
            (root / ".venv" / LABEL_STAMP).touch()  # as above
    else:
        _take_time(root, "Adding LabelImg: about 80 MB to fetch, half a minute.", install_label)


def _announce(root: Path, build: Build | None) -> str:
    if (root / ".venv").exists():
        return "Completing .venv: what is missing is fetched and installed, which may take some minutes."
    return f"Setting up .venv: about {size(build)}, some minutes. It can be stopped, and goes on when run again."


def _next_steps(with_label: bool) -> str:
    command = "label" if with_label else "train"
    return f"Go on with `make {command}`, or `{python_name()} -m pipeline {command}`."
