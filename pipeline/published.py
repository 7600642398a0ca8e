"""Weights that others publish: fetched when the user asked for them, kept, and not fetched again."""

from __future__ import annotations

import re
import sys
import urllib.request
from http.client import HTTPException
from pathlib import Path

from rich.console import Console
from rich.progress import wrap_file

from pipeline import yolo
from pipeline.errors import OutputError, WeightsError
from pipeline.files import replacing

FETCHED = Path("weights") / "start"
"""Where fetched weights are kept, in the folder that the command is run in."""

_RELEASE = "https://github.com/ultralytics/assets/releases/download/v8.4.0"
_PATIENCE = 10.0
"""Seconds that a server may say nothing."""


def published_name(name: str) -> str:
    """The file that an Ultralytics model is published as; YOLOv5 and v3 under a name with a u."""
    stem = name.removesuffix(".pt")
    if re.fullmatch(r"yolov5[nsmlx]6?|yolov3(-tiny|-spp)?", stem):
        stem += "u"
    return f"{stem}.pt"


def fetch_ultralytics(name: str) -> Path | None:
    """Weights that Ultralytics publishes, fetched unless they are there; None where they cannot be had.

    Raises:
        WeightsError: Ultralytics publishes none of that name.
    """
    path = FETCHED / name
    if path.is_file():
        return path
    if name not in yolo.known_weights():
        raise WeightsError(
            "no such file, and no weights that Ultralytics publishes", where=name, remedy="check the spelling"
        )
    try:
        with replacing(path) as temporary:
            fetch(name, f"{_RELEASE}/{name}", temporary)
            yolo.read_checkpoint(temporary)
    except (OutputError, WeightsError):
        return None
    return path


def fetch(name: str, url: str, path: Path) -> None:
    """Fetch a file, and say on the standard error output that ``name`` is fetched.

    Raises:
        OSError: no network, no such file, no whole one, or no place for it.
    """
    print(f"fetching {name} from {url} into {FETCHED}/ ...", file=sys.stderr, flush=True)
    console = Console(stderr=True)
    try:
        with urllib.request.urlopen(url, timeout=_PATIENCE) as source, path.open("wb") as target:
            total = int(source.headers.get("Content-Length") or 0)
            with wrap_file(
                source, total, description="", console=console, transient=True, disable=not console.is_terminal
            ) as watched:
                while block := watched.read(1 << 20):
                    target.write(block)
                whole = not total or target.tell() == total
    except HTTPException as error:
        raise OSError(str(error)) from error
    if not whole:
        raise OSError(f"{url} ended early")
