"""Importing Ultralytics, and keeping its side effects away from the user.

Importing it replaces ``PIL.Image.open``, ``torch.save`` and OpenCV's readers, changes thread counts and how numpy
prints, writes a settings file, and is ready to install packages, to fetch models and fonts, and to send usage events.
So it is imported inside functions, with the environment set first, and what it replaced is put back.
"""

from __future__ import annotations

import importlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from PIL import Image

from pipeline.cache import cache_folder

_ENVIRONMENT = {
    "YOLO_OFFLINE": "true",
    "YOLO_AUTOINSTALL": "false",
    "YOLO_VERBOSE": "false",
    "ULTRALYTICS_SAFE_LOAD": "true",
}
_INTEGRATIONS = ("clearml", "comet", "dvc", "mlflow", "raytune", "tensorboard", "wandb", "vscode_msg", "openvino_msg")


def ultralytics(module: str) -> Any:
    """One of its modules, such as ``nn.tasks``; only for use inside ``quiet_ultralytics``."""
    return importlib.import_module(f"ultralytics.{module}")


@contextmanager
def quiet_ultralytics() -> Iterator[None]:
    """Have Ultralytics imported, offline and silent, and everything it replaces put back afterwards."""
    kept = Image.open, torch.save, cv2.imread, cv2.imwrite, cv2.imshow
    cv_threads, printing = cv2.getNumThreads(), np.get_printoptions()
    omp = os.environ.get("OMP_NUM_THREADS")
    with threads_kept():
        _import_once()
        try:
            yield
        finally:
            Image.open, torch.save, cv2.imread, cv2.imwrite, cv2.imshow = kept
            cv2.setNumThreads(cv_threads)
            np.set_printoptions(**printing)
            torch.set_printoptions(profile="default")  # type: ignore[no-untyped-call]  # torch gives it no types
            if omp is None:
                os.environ.pop("OMP_NUM_THREADS", None)


@contextmanager
def threads_kept() -> Iterator[int]:
    """Ultralytics trains on all cores but one, on two cores on half of them; use them all, and leave it so."""
    threads = torch.get_num_threads()
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


@contextmanager
def quiet_drawing() -> Iterator[None]:
    """Ultralytics draws in threads of its own: on a full disk training says so, and needs no traceback of theirs."""
    hook = threading.excepthook
    threading.excepthook = lambda failed: None if isinstance(failed.exc_value, OSError) else hook(failed)
    try:
        yield
    finally:
        for thread in threading.enumerate():
            if thread.name.endswith("(plot_images)"):
                thread.join()
        threading.excepthook = hook


@cache
def _import_once() -> None:
    os.environ.update(_ENVIRONMENT)
    os.environ.setdefault(
        "YOLO_CONFIG_DIR", str(cache_folder("Ultralytics"))
    )  # apart from the user's own settings of it
    utils = ultralytics("utils")
    ultralytics("utils.downloads").safe_download = _refuse_download
    utils.SETTINGS.update(dict.fromkeys(("sync", *_INTEGRATIONS), False))
    _provide_fonts(Path(utils.USER_CONFIG_DIR))


def _refuse_download(url: str | Path, *_: object, **__: object) -> None:
    """For the check of mixed precision on a GPU it would fetch a model; without one it takes the GPU's name's word."""
    raise ConnectionError(f"cropsort lets Ultralytics fetch nothing: {url}")


def _provide_fonts(folder: Path) -> None:
    """Put the font that it would fetch where it looks first."""
    import matplotlib as mpl

    for name in ("Arial.ttf", "Arial.Unicode.ttf"):
        if not (folder / name).exists():
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"), folder / name)
