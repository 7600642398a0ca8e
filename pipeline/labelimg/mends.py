"""LabelImg 1.8.6 made to work from outside: importing this replaces names in its modules; no file of it is changed.

It hands fractions to Qt where Python 3.10 and later refuse them, and dies of it as soon as a box is drawn, the picture
is zoomed or scrolled; it reads and writes a pickle in the home folder; and it can delete a photo.
"""

from __future__ import annotations

from typing import Any

import labelImg.labelImg as original  # noqa: N813 - its own name is a class's
import libs.canvas
import libs.labelDialog
from PyQt5.QtCore import QLineF, QPointF, QRectF, QRegExp, pyqtSignal
from PyQt5.QtGui import QPainter, QRegExpValidator
from PyQt5.QtWidgets import QAction

__all__ = ["original"]

_HANGUL = {"w": "ㅈ", "d": "ㅇ", "a": "ㅁ"}  # what the keys give while the keyboard is set to Korean
_TAKEN_AWAY = frozenset(
    {
        "open_file",  # another folder would have other classes
        "open_dir_dialog",
        "open_annotation_dialog",
        "change_save_dir_dialog",  # a label lies where training looks for it
        "change_format",  # a label keeps its format; new ones have that of data.yaml
        "save_file_as",
        "close_file",
        "delete_image",  # photos are never deleted
        "reset_all",  # it starts another LabelImg, without all this
    }
)


class Painter(QPainter):
    """Draws at fractions of pixels, which Qt takes as points and rectangles only."""

    def drawRect(self, left: float, top: float, width: float, height: float) -> None:  # noqa: N802 - Qt's name
        """A rectangle."""
        super().drawRect(QRectF(left, top, width, height))

    def drawLine(self, left: float, top: float, right: float, bottom: float) -> None:  # noqa: N802
        """A line."""
        super().drawLine(QLineF(left, top, right, bottom))

    def drawText(self, left: float, bottom: float, text: str) -> None:  # noqa: N802
        """A line of text."""
        super().drawText(QPointF(left, bottom), text)


class Canvas(original.Canvas):
    """Passes on by how much it was dragged in fractions."""

    scrollRequest = pyqtSignal(object, object)  # noqa: N815


class ZoomWidget(original.ZoomWidget):
    """Takes fractions of per cents."""

    def setValue(self, value: float) -> None:  # noqa: N802
        """Zoom to so many per cent."""
        super().setValue(round(value))


class LabelDialog(original.LabelDialog):
    """Says what it asks for."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.setWindowTitle("class of the box")


class NoSettings(dict[str, Any]):
    """In the place of a pickle in the home folder: nothing is kept from one data set to the next."""

    def load(self) -> None:
        """Nothing to load."""

    def save(self) -> None:
        """Nothing to save."""


def _new_action(parent: object, text: str, slot: Any = None, *arguments: Any, **options: Any) -> QAction:
    """LabelImg's, but what must not be done here is not there: no button, no shortcut."""
    if getattr(slot, "__name__", "") not in _TAKEN_AWAY:
        action = _make_action(parent, text, slot, *arguments, **options)
        if arguments and arguments[0] in _HANGUL:
            action.setShortcuts([arguments[0], _HANGUL[arguments[0]]])
        return action
    action = QAction(text, parent)
    action.setVisible(False)
    return action


_make_action = original.new_action
original.new_action = _new_action
original.Canvas = Canvas
original.ZoomWidget = ZoomWidget
original.LabelDialog = LabelDialog
original.Settings = NoSettings
libs.canvas.QPainter = Painter
# The original wants two letters at least: no class could be called 배.
libs.labelDialog.label_validator = lambda: QRegExpValidator(QRegExp(r"^[^ \t].*"))
