"""A dozen photos drawn once, a pair trained on them once, and ways to run the command."""

from __future__ import annotations

import codecs
import gc
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import chdir
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings
from rich.console import Console

from pipeline.cli import main
from pipeline.environment import ROOT
from pipeline.sample import KINDS, draw_photos

if TYPE_CHECKING:  # torch takes seconds to load, and the process that only hands out the tests needs none of it
    from pipeline.sorter import Sorter
    from pipeline.training import Training

# The same examples in every run: a new one that fails is found by who changes something, not by who comes next.
settings.register_profile("same", derandomize=True)
settings.load_profile("same")

# A shell starts what runs in its background with Ctrl-C ignored, and children inherit that: the tests of it would wait.
signal.signal(signal.SIGINT, signal.default_int_handler)

Run = Callable[..., subprocess.CompletedProcess[str]]

DATA = f"""\
train: images/train
val: images/val
names: [{", ".join(KINDS)}]
name: tiny
device: cpu
detector: {{model: yolov5n, start: scratch, imgsz: 64, batch: 4, epochs: 1}}
classifier: {{model: yolo11n-cls, start: scratch, imgsz: 32, batch: 4, epochs: 1}}
"""
MOTION = b"\0\0\0\x18ftypmp42" + bytes(500)
"""What a motion photo carries behind its last marker."""


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what lives to the end: each of its rounds took a third of a second."""
    gc.collect()
    gc.freeze()


def pytest_unconfigure() -> None:
    """Have Python end as it always does."""
    gc.unfreeze()


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real photos and weights, on the developers' machine only."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip(f"no real data in {folder}")
    return folder


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with photos, labels and data.yaml; nobody writes to it but the training of ``trained``."""
    folder = tmp_path_factory.mktemp("home")
    for part, first, count in (("train", 0, 8), ("val", 8, 4)):
        places = folder / "images" / part, folder / "labels" / part
        draw_photos(*places, count=count, seed=3, size=(160, 128), first=first)
    with (folder / "images" / "train" / "photo-0001.jpg").open("ab") as photo:
        photo.write(MOTION)
    (folder / "data.yaml").write_text(DATA, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def before(home: Path) -> dict[str, str]:
    """Hashes of photos and labels before anything was done with them."""
    return hash_files(home / "images") | hash_files(home / "labels")


@pytest.fixture(scope="session")
def trained(home: Path, before: dict[str, str]) -> Training:
    """The pair trained on ``home``, with absolute paths; it finds next to nothing."""
    from pipeline.training import train

    assert before
    with chdir(home):
        made = train(Path("data.yaml"), Console(file=io.StringIO()))
    return replace(made, run=home / made.run, weights=home / made.weights)


@pytest.fixture
def tiny(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of photos, labels and data.yaml to change, which is the current folder."""
    folder = tmp_path / "tiny"
    for name in ("images", "labels"):
        shutil.copytree(home / name, folder / name)
    shutil.copyfile(home / "data.yaml", folder / "data.yaml")
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture(scope="session")
def eager(trained: Training, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pair with so low a threshold that it finds something in every photo; for reading only."""
    return copy_eager(trained.weights, tmp_path_factory.mktemp("eager") / "weights")


@pytest.fixture(scope="session")
def sorter(eager: Path) -> Sorter:
    """``eager``, loaded."""
    from pipeline.sorter import Sorter

    return Sorter(eager, device="cpu")


@pytest.fixture
def cropsort() -> Run:
    """Run the command in a process of its own."""
    return run_apart


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run the command in this process, which spares the seconds that torch takes to load."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        words = [str(argument) for argument in arguments]
        monkeypatch.setattr(sys, "argv", ["cropsort", *words])
        capsys.readouterr()
        with pytest.raises(SystemExit) as left:
            main()
            raise SystemExit(0)
        told = capsys.readouterr()
        return subprocess.CompletedProcess(words, int(left.value.code or 0), told.out, told.err)

    return run


def run_apart(
    *arguments: str | Path, cwd: Path | None = None, code: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command, or ``code`` with the arguments, with warnings as they are for a user."""
    return subprocess.run(
        [sys.executable, *(["-c", code] if code else ["-m", "pipeline"]), *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", **environment},
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )


def copy_eager(weights: Path, folder: Path) -> Path:
    """Copy a pair and have it find something in every photo."""
    shutil.copytree(weights, folder)
    card = folder / "detector.json"
    card.write_text(json.dumps(json.loads(card.read_text(encoding="utf-8")) | {"confidence": 0.001}), encoding="utf-8")
    return folder


def let_everyone_in(folder: Path) -> None:
    """Have any user of this machine come to a folder of a test's, which pytest keeps for one."""
    run = next(place for place, one in enumerate(folder.parents) if one.name.startswith("pytest-of-"))
    for one in (folder, *folder.parents[: run + 1]):
        one.chmod(0o755)
    for encoding in ("utf-8-sig", "cp949"):  # Python itself may lie where that user cannot read
        codecs.lookup(encoding)


def hash_files(folder: Path) -> dict[str, str]:
    """Hashes of all files in a folder and below, by their paths from the folder above it."""
    return {
        path.relative_to(folder.parent).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
