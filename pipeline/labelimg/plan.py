"""What ``cropsort label`` tells LabelImg's process: which photos, where their labels go, and what the classes are.

Standard library only, as is all that the process imports of ours: it runs with nothing but LabelImg installed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from pipeline.labels import FORMATS


@dataclass(frozen=True, slots=True)
class Task:
    """A photo to label.

    Args:
        photo: its file, an absolute path.
        label: its label, an absolute path; there already or not. Its suffix is its format.
        title: what the list of photos calls it.

    Raises:
        ValueError: a path is relative, or the label's suffix is none of the formats'.
    """

    photo: Path
    label: Path
    title: str

    def __post_init__(self) -> None:
        if not (self.photo.is_absolute() and self.label.is_absolute()):
            raise ValueError(f"absolute paths are wanted, got {self.photo} and {self.label}")
        if self.label.suffix.lower() not in FORMATS.values():
            raise ValueError(f"a label in one of {', '.join(FORMATS)} is wanted, got {self.label.name}")


@dataclass(frozen=True, slots=True)
class Plan:
    """A session in LabelImg.

    Args:
        tasks: the photos in the order in which they are shown.
        class_names: what LabelImg offers, in the order of the numbers in YOLO labels.
    """

    tasks: tuple[Task, ...]
    class_names: tuple[str, ...]

    def as_json(self) -> str:
        """The plan as text in which any path survives, those that are no UTF-8 too."""
        tasks = [(str(task.photo), str(task.label), task.title) for task in self.tasks]
        return json.dumps({"tasks": tasks, "class_names": self.class_names})

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan that ``as_json`` wrote."""
        said = json.loads(text)
        tasks = (Task(Path(photo), Path(label), title) for photo, label, title in said["tasks"])
        return cls(tuple(tasks), tuple(said["class_names"]))
