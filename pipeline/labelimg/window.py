"""LabelImg's window on a data set: its classes, each label in its own place and format, and nothing lost.

LabelImg itself writes the session's list of classes over the data set's, keeps one folder and one format for all
photos, forgets boxes when a photo is chosen from the list, and ends where a label cannot be read.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from libs.constants import FORMAT_CREATEML, FORMAT_PASCALVOC, FORMAT_YOLO
from PyQt5.QtCore import QTimer
from PyQt5.QtGui import QImage, QImageReader, QPixmap
from PyQt5.QtWidgets import QApplication, QMessageBox

from pipeline.errors import CropsortError, DataError
from pipeline.files import write_text
from pipeline.labelimg.mends import original
from pipeline.labelimg.plan import Plan, Task
from pipeline.labels import (
    CLASS_LIST,
    CreatemlDetails,
    Label,
    LabelledBox,
    names_in_label,
    parse_label,
    plain_name,
    read_class_list,
)
from pipeline.problems import Problem, Severity

_FORMAT_NAMES = {".txt": FORMAT_YOLO, ".xml": FORMAT_PASCALVOC, ".json": FORMAT_CREATEML}
_ORIENTATIONS = {
    0: 1,
    1: 2,
    2: 4,
    3: 3,
    4: 6,
    5: 5,
    6: 7,
    7: 8,
}  # from Qt's flags to EXIF's numbers
_PART_OF_SCREEN = 0.9
_STATUS_MS = 10_000


class Window(original.MainWindow):
    """LabelImg on a plan.

    Args:
        plan: the photos, where their labels go, and the classes.
    """

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.kept: set[Path] = set()  # labels of which a copy was made before they were first written over
        super().__init__()
        for bar in self.scroll_bars.values():
            bar.setValue = _rounded(bar.setValue)
        self.menus.recentFiles.menuAction().setVisible(False)
        self.auto_saving.setChecked(True)
        self.m_img_list = [str(task.photo) for task in plan.tasks]
        self.img_count = len(plan.tasks)
        self.cur_img_idx = 0
        self.file_list_widget.addItems([task.title for task in plan.tasks])
        self.resize(QApplication.primaryScreen().availableGeometry().size() * _PART_OF_SCREEN)

    def begin(self) -> None:
        """Show the first photo that has no label yet, else the first, as soon as the window has its size."""
        first = next((index for index, task in enumerate(self.plan.tasks) if not task.label.exists()), 0)
        QTimer.singleShot(0, lambda: self._go_to(first))

    @property
    def task(self) -> Task:
        """The photo that is shown."""
        return self.plan.tasks[self.cur_img_idx]

    # What follows replaces methods of LabelImg's by their names.

    def load_predefined_classes(self, _file: object) -> None:
        """Offer the data set's classes, and no others."""
        self.label_hist = list(self.plan.class_names)

    def populate_mode_actions(self) -> None:
        """Leave out the buttons of what was taken away; the original shows a button whatever its action says."""
        for mode in ("beginner", "advanced"):
            shown = [action for action in getattr(self.actions, mode) if action is None or action.isVisible()]
            setattr(self.actions, mode, tuple(shown))
        super().populate_mode_actions()

    def open_next_image(self, _value: object = False) -> None:
        """The original starts over at the first photo after one that cannot be opened."""
        self._go_to(self.cur_img_idx + 1)

    def open_prev_image(self, _value: object = False) -> None:
        """The same backwards."""
        self._go_to(self.cur_img_idx - 1)

    def file_item_double_clicked(self, item: Any = None) -> None:
        """The original forgets what was not saved."""
        self._go_to(self.file_list_widget.row(item))

    def may_continue(self) -> bool:
        """Save, and ask only where that is switched off or fails."""
        if self.dirty and self.auto_saving.isChecked():
            self.save_file()
        return bool(super().may_continue())

    def set_clean(self) -> None:
        """Let a label without boxes be saved as well: it says that there is nothing to see."""
        super().set_clean()
        self.actions.save.setEnabled(self.file_path is not None)

    def paint_canvas(self) -> None:
        """Not without a photo, as after one that cannot be opened."""
        if not self.image.isNull():
            super().paint_canvas()

    def load_file(self, file_path: str | None = None) -> bool:
        """Show a photo with the boxes of its label; after one that cannot be opened all goes on as well."""
        self.default_save_dir = str(self.task.label.parent)
        self.set_format(_FORMAT_NAMES[self.task.label.suffix.lower()])
        if super().load_file(file_path):
            self.file_list_widget.scrollToItem(self.file_list_widget.item(self.cur_img_idx))
            return True
        self.image = QImage()
        self.canvas.load_pixmap(QPixmap())
        self.toggle_actions(False)
        self.set_clean()
        self.actions.create.setEnabled(False)
        self.setWindowTitle(f"labelImg {file_path} {self.counter_str()}")
        return False

    def show_bounding_box_from_annotation_file(self, _file_path: str) -> None:
        """Show the boxes of the photo's label, whatever else stands in it."""
        label = _read_label(self.task, tuple(self.label_hist))
        if label is not None:
            self._show_boxes(label)
            self.canvas.verified = bool(getattr(label.details, "verified", False))
            self.set_clean()
            self._tell(label.problems)

    def copy_previous_bounding_boxes(self, _value: object = False) -> None:
        """Add the boxes of the photo before; the original takes away what is there and saves at once."""
        if self.file_path is None or not self.cur_img_idx:
            return
        label = _read_label(self.plan.tasks[self.cur_img_idx - 1], tuple(self.label_hist))
        if label is not None and label.boxes:
            there = list(self.canvas.shapes)
            self._show_boxes(label)
            self.canvas.load_shapes(there + self.canvas.shapes)
            self.set_dirty()

    def save_file(self, _value: object = False) -> None:
        """Save to where the plan says."""
        if self.file_path is not None:
            self._save_file(str(self.task.label))

    def save_labels(self, annotation_file_path: str) -> bool:
        """Have LabelImg write the label elsewhere, and move it into place when it is whole."""
        label = Path(annotation_file_path)
        try:
            there = _read_label(self.task, tuple(self.label_hist))
            with tempfile.TemporaryDirectory() as folder:
                made = Path(folder, f"label{label.suffix.lower()}")
                if not super().save_labels(str(made)):
                    return False
                text = made.read_text(encoding="utf-8")
            if there is not None:
                self._keep_unreadable(there)
                text = _with_other_photos(text, there)
            if label.suffix.lower() == ".txt":
                self._write_class_list(label.parent / CLASS_LIST)
            write_text(label, text)
            return True
        except (CropsortError, OSError) as error:
            self.error_message("Error saving label data", f"<b>{error}</b>")
            return False

    def _go_to(self, index: int) -> None:
        if 0 <= index < self.img_count and self.may_continue():
            self.cur_img_idx = index
            self.load_file(self.m_img_list[index])

    def _show_boxes(self, label: Label) -> None:
        size = self.image.width(), self.image.height()
        whole = label.path.suffix.lower() != ".json"  # the other formats are written in whole pixels, cut, not rounded
        self.load_labels([_as_shape(box, size, whole=whole) for box in label.boxes])

    def _tell(self, problems: tuple[Problem, ...]) -> None:
        errors = _errors(problems)
        if errors:
            more = f"\n\nand {len(errors) - 1} more like this" if len(errors) > 1 else ""
            kept = f"\n\nSaving keeps the file as it is now as {_backup(self.task.label).name}."
            QMessageBox.warning(self, "label not read whole", f"{errors[0]}{more}{kept}")
        elif problems:
            self.status(str(problems[0]), _STATUS_MS)

    def _keep_unreadable(self, there: Label) -> None:
        """Copy a label of which not all could be shown before it is first written over."""
        if there.path not in self.kept and _errors(there.problems):
            shutil.copyfile(there.path, _backup(there.path))
        self.kept.add(there.path)

    def _write_class_list(self, path: Path) -> None:
        """Names in the order of their numbers: those of data.yaml, then new ones, none ever moved."""
        listed = read_class_list(path) if path.exists() else ()
        used = {plain_name(shape.label) for shape in self.canvas.shapes}
        known = [plain_name(name) for name in self.label_hist]
        fewest = max(len(self.plan.class_names), len(listed))
        count = max([fewest, *(number + 1 for number, name in enumerate(known) if name in used)])
        if list(map(plain_name, listed)) != known[:count]:
            write_text(path, "".join(f"{name}\n" for name in self.label_hist[:count]))


def _rounded(set_value: Any) -> Any:
    return lambda value: set_value(round(value))


def _errors(problems: tuple[Problem, ...]) -> list[Problem]:
    return [problem for problem in problems if problem.severity is Severity.ERROR]


def _with_other_photos(text: str, there: Label) -> str:
    """What LabelImg wrote for one photo, among the other photos of the same CreateML file."""
    if not isinstance(there.details, CreatemlDetails):
        return text
    before, after = ([json.loads(one) for one in some] for some in (there.details.before, there.details.after))
    return json.dumps([*before, *json.loads(text), *after])


def _backup(label: Path) -> Path:
    """A name beside the label that is still free."""
    names = (label.with_name(f"{label.name}.bak{number or ''}") for number in range(10_000))
    return next(name for name in names if not name.exists())


def _read_label(task: Task, class_names: tuple[str, ...]) -> Label | None:
    """The label of a photo; None where there is none.

    Names that data.yaml lacks are read as well where the format has names: what is not shown would be lost on saving.
    """
    if not task.label.exists():
        return None
    reader = QImageReader(str(task.photo))
    reader.setAutoTransform(True)
    orientation = _ORIENTATIONS[int(reader.transformation())]
    size = reader.size()
    sides = (size.height(), size.width()) if orientation >= 5 else (size.width(), size.height())
    try:
        own = [name for name in sorted(names_in_label(task.label)) if name not in class_names]
    except DataError:  # parse_label says what is wrong
        own = []
    return parse_label(task.photo, sides, task.label, (*class_names, *own), orientation=orientation)


def _as_shape(box: LabelledBox, size: tuple[int, int], *, whole: bool) -> tuple[Any, ...]:
    """A box as LabelImg loads it, inside the photo: loading alone must not count as a change."""
    limits = (*size, *size)
    edges = [min(max(round(edge) if whole else edge, 0), limit) for edge, limit in zip(box.edges, limits, strict=True)]
    left, top, right, bottom = edges
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return box.class_name, corners, None, None, box.difficult
