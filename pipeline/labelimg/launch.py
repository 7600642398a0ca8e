"""``cropsort label``: LabelImg on a data set, each label where training looks for it, and what changed in the end."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.config import Config, read_config
from pipeline.errors import CropsortError
from pipeline.labelimg.changes import Labels, describe_changes, take_labels
from pipeline.labelimg.plan import Plan
from pipeline.labelimg.session import Part, plan_session

if TYPE_CHECKING:
    from rich.console import Console

_ROOT = Path(__file__).resolve().parents[2]
_HIDDEN_FROM_QT = ("QT_QPA_PLATFORM_PLUGIN_PATH", "QT_QPA_FONTDIR")  # OpenCV points them at a Qt of its own
_LIBRARIES = "libxcb-icccm4 libxcb-image0 libxcb-keysyms1 libxcb-render-util0 libxcb-xinerama0 libxkbcommon-x11-0"


def open_labelimg(file: Path, part: Part, console: Console) -> None:
    """Open LabelImg on the photos of a data set, wait until it is closed, and say what changed.

    Args:
        file: the data.yaml.
        part: ``train``, ``val``, ``test``, or ``all`` of them.
        console: where it is said.

    Raises:
        CropsortError: LabelImg is not installed, there is no display, or the window could not be opened.
        DataError: the photos cannot be found, or a classes.txt is in another order than ``names``.
    """
    config = read_config(file)
    check_display(sys.platform, os.environ)
    check_installed()
    session = plan_session(file, config, part)
    for note in session.notes:
        console.print(f"note: {note}")
    console.print(
        f"LabelImg opens on {len(session.plan.tasks)} photos: W draws a box, D saves and shows the next photo, "
        "Ctrl+S saves one without boxes as background."
    )
    before = take_labels(session.plan)
    try:
        _run_window(session.plan)
    except CropsortError:
        if take_labels(session.plan) != before:
            _say_changes(before, session.plan, config, file, console)
        raise
    _say_changes(before, session.plan, config, file, console)


def check_display(platform: str, environment: Mapping[str, str]) -> None:
    """Refuse to open a window where there is no screen.

    Args:
        platform: ``sys.platform``.
        environment: the process's environment variables.

    Raises:
        CropsortError: there is none.
    """
    chosen = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY") or environment.get("QT_QPA_PLATFORM")
    if platform.startswith("linux") and not chosen:
        remedy = "run it on a desktop, or come over ssh -X; labels may be drawn on any machine and copied here"
        raise CropsortError("no display to open LabelImg's window on", remedy=remedy)


def check_installed() -> None:
    """Refuse where LabelImg is missing.

    Raises:
        CropsortError: it is.
    """
    if not all(importlib.util.find_spec(name) for name in ("labelImg", "PyQt5", "lxml")):
        remedy = f"install it: {_python_name()} -m pipeline setup --label, or make label"
        raise CropsortError("LabelImg is not installed; it is an extra, so that a server needs no Qt", remedy=remedy)


def _run_window(plan: Plan) -> None:
    """Run LabelImg's process until its window is closed.

    Raises:
        CropsortError: it ended otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        file, log = Path(folder, "plan.json"), Path(folder, "log.txt")
        file.write_text(plan.as_json(), encoding="utf-8")
        command = [sys.executable, "-m", "pipeline.labelimg", str(file)]
        with log.open("wb") as errors, _leaving_ctrl_c_to_the_window():
            code = subprocess.run(
                command, env=child_environment(), stdout=subprocess.DEVNULL, stderr=errors, check=False
            ).returncode
        if code:
            raise explain_end(code, log.read_text(encoding="utf-8", errors="replace"))


def child_environment() -> dict[str, str]:
    """The environment variables of LabelImg's process."""
    inherited = {name: value for name, value in os.environ.items() if name not in _HIDDEN_FROM_QT}
    # UTF-8: LabelImg opens files in the system's encoding. Safe path: a folder called libs here is not LabelImg's.
    return {**inherited, "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1", "PYTHONPATH": str(_ROOT)}


def explain_end(code: int, log: str) -> CropsortError:
    """Turn what LabelImg's process said last into one line.

    Args:
        code: what it ended with.
        log: its standard error.
    """
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    if "could not connect to display" in log:
        said = next(line for line in lines if "could not connect to display" in line)
        remedy = "run it on a desktop, or come over ssh -X"
        return CropsortError(
            "LabelImg's window cannot be opened", expected="a display that answers", remedy=f"{remedy} ({said})"
        )
    if "Qt platform plugin" in log:
        remedy = f"on Debian and Ubuntu: sudo apt install {_LIBRARIES}"
        return CropsortError("Qt cannot open windows here: it misses libraries of the system", remedy=remedy)
    said = f"it said last: {lines[-1][:200]}" if lines else "it said nothing"
    remedy = "what was saved is kept; run the same command again"
    return CropsortError(f"LabelImg ended with code {code}, {said}", remedy=remedy)


@contextmanager
def _leaving_ctrl_c_to_the_window() -> Iterator[None]:
    """Ctrl-C reaches both processes: the window saves and closes, and this one then says what changed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler: Any = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)


def _say_changes(before: Labels, plan: Plan, config: Config, file: Path, console: Console) -> None:
    for line in describe_changes(before, take_labels(plan), plan, file, config.names):
        console.print(line)


def _python_name() -> str:
    return "python" if os.name == "nt" else "python3"
