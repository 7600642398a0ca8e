"""Making ``.venv``: the environment, the packages of the lock, the build of torch that was chosen."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from pipeline.environment.builds import Build
from pipeline.environment.failures import check_modules, python_name
from pipeline.environment.running import TEMPORARY, has_module, is_usable, run, run_pip, succeeds
from pipeline.environment.stamp import LABEL_STAMP, LOCKS, STAMP, venv_python, write_stamp
from pipeline.environment.torch_builds import add_build, put_plain_back
from pipeline.errors import CropsortError

_CHECK = """\
import torch, torchvision, typer
torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
"""


def install_label(root: Path) -> None:
    """Add LabelImg to ``.venv``, as its lock names it."""
    (root / ".venv" / LABEL_STAMP).unlink(missing_ok=True)
    _remove_leftovers(root / ".venv")
    (root / TEMPORARY).mkdir(exist_ok=True)
    # LabelImg itself is Python text only, and published as nothing but its source.
    wheels = ("--only-binary", ":all:", "--no-binary", "labelimg")
    run_pip(root, "install", "--require-hashes", *wheels, "--requirement", LOCKS[LABEL_STAMP])
    shutil.rmtree(root / TEMPORARY, ignore_errors=True)
    write_stamp(root, LABEL_STAMP)


def install(root: Path, build: Build | None) -> None:
    """Make or complete ``.venv``, and install what ``requirements.lock`` names.

    Args:
        root: the project's folder.
        build: the build of torch to take in place of the lock's; where it cannot be had, the lock's is taken.
    """
    # First of all: from here on, until the end, .venv is neither what it was nor what it shall be.
    (root / ".venv" / STAMP).unlink(missing_ok=True)
    _make_venv(root)
    _remove_leftovers(root / ".venv")
    (root / TEMPORARY).mkdir(exist_ok=True)
    added = build is not None and add_build(root, build)
    if not added:
        put_plain_back(root)
        run_pip(root, "install", "--require-hashes", "--only-binary", ":all:", "--requirement", LOCKS[STAMP])
    run_pip(root, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    _check_torch(root)
    shutil.rmtree(root / TEMPORARY, ignore_errors=True)
    write_stamp(root, STAMP, build.tag if added and build else "")


def _make_venv(root: Path) -> None:
    python = str(venv_python(root))
    if not is_usable(venv_python(root)):
        check_modules({name: has_module(name) for name in ("venv", "ensurepip")})
        # --clear: what is there was made by a Python that is gone or too old.
        run([sys.executable, "-m", "venv", "--clear", ".venv"], root)
    elif not succeeds([python, "-I", "-m", "pip", "--version"]):
        run([python, "-I", "-m", "ensurepip"], root)


def _remove_leftovers(venv: Path) -> None:
    """Remove what a pip that was stopped left behind.

    It takes a package for installed as soon as its metadata is there. INSTALLER is written after all of a package's
    files: where it is missing, so may be anything else. Folders named ``~...`` are packages it was about to replace.
    """
    for site in [*venv.glob("lib/python*/site-packages"), venv / "Lib" / "site-packages"]:
        unfinished = [info for info in site.glob("*.dist-info") if not (info / "INSTALLER").exists()]
        for folder in [*unfinished, *site.glob("~*")]:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(venv / TEMPORARY.name, ignore_errors=True)


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
