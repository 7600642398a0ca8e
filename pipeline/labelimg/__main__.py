"""LabelImg's process: ``python -m pipeline.labelimg PLAN`` opens its window on the photos of a plan, mended.

A process of its own, because OpenCV brings a Qt that gets in the way of LabelImg's, and because nothing that happens
here may take the command down with it. Nothing of ours is imported here that needs more than the standard library.
"""

from __future__ import annotations

import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, TracebackType

from pipeline.labelimg.plan import Plan

_WAKE_MS = 300


def main() -> None:
    """Show the window until it is closed.

    Raises:
        SystemExit: with 0, or what Qt ends with.
    """
    plan = Plan.from_json(Path(sys.argv[1]).read_text(encoding="utf-8"))
    _stand_in_for_distutils()
    from PyQt5.QtCore import QTimer
    from PyQt5.QtWidgets import QApplication

    application = QApplication(["cropsort label"])
    application.setApplicationName("labelImg")
    from pipeline.labelimg.window import Window

    window = Window(plan)
    sys.excepthook = _show_errors(window)
    window.show()
    window.begin()
    signal.signal(signal.SIGINT, lambda *_: window.close())
    waking = QTimer()  # Python sees a signal only when it runs, and while nobody moves the mouse Qt alone does
    waking.timeout.connect(lambda: None)
    waking.start(_WAKE_MS)
    sys.exit(application.exec_())


def _stand_in_for_distutils() -> None:
    """LabelImg imports ``distutils.spawn``, which Python 3.12 no longer has, and makes no use of it."""
    spawn = ModuleType("distutils.spawn")
    spawn.__dict__["find_executable"] = shutil.which
    package = ModuleType("distutils")
    package.__dict__["spawn"] = spawn
    sys.modules.update({"distutils": package, "distutils.spawn": spawn})


def _show_errors(window: object) -> Callable[[type[BaseException], BaseException, TracebackType | None], None]:
    """What is called for an exception that nobody caught: Qt would abort, and the work since the last save be lost."""
    told: set[str] = set()

    def show(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
        from PyQt5.QtWidgets import QMessageBox

        traceback.print_exception(kind, error, trace)
        line = f"{kind.__name__}: {error}"
        if line not in told:  # one that comes with every move of the mouse is told once
            told.add(line)
            QMessageBox.warning(window, "something went wrong", f"Save, and go on.\n\n{line}")

    return show


if __name__ == "__main__":
    main()
