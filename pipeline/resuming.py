"""What a classifier's training needs to go on after it was stopped, whenever that was.

Lightning moves a checkpoint into its place, but writes it into the system's temporary folder first: from another disk
it is copied over, and half of one is left by a process that is killed meanwhile. So the files are exchanged whole here.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import torch
from lightning.pytorch.plugins import CheckpointIO

from pipeline.apart import is_out_of_memory
from pipeline.files import output_error, write_durably
from pipeline.schedules import Schedule

PROGRESS = "progress"


@dataclass(frozen=True, slots=True)
class Course:
    """How a network learns.

    Args:
        folder: where the files are that a stopped training goes on from.
        key: says what is learnt; a checkpoint with another key is none.
        epochs: most passes over the crops.
        patience: passes without a lower loss on val after which it ends.
        seed: of what the network itself draws, such as dropout.
        device: ``cpu``, ``mps`` or the number of a GPU.
        schedule: of the learning rate; see ``schedules``.
        head_epochs: in which, at first, only the head learns.
        average: how much of it the moving average of the weights, which is kept in their place, keeps at a step, below
            1; 0 where the weights themselves are kept.
    """

    folder: Path
    key: str
    epochs: int
    patience: int
    seed: int
    device: str
    schedule: Schedule = "cosine"
    head_epochs: int = 0
    average: float = 0.0

    @property
    def last(self) -> Path:
        """All it takes to go on after the last epoch."""
        return self.folder / "last.ckpt"

    @property
    def best(self) -> Path:
        """Where the caller keeps the weights of the best epoch."""
        return self.folder / "best.pt"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training is.

    Args:
        epochs: that are done.
        finished: whether there is nothing left to do.
    """

    epochs: int
    finished: bool


def read_progress(course: Course) -> Progress | None:
    """How far ``fit`` is with a course; None where there is nothing to go on from, or what there is is damaged."""
    if not (_is_whole(course.last) and _is_whole(course.best)):
        return None
    try:
        record = torch.load(course.last, map_location="cpu", weights_only=True)[PROGRESS]
        return Progress(record["epochs"], record["finished"]) if record["key"] == course.key else None
    except Exception as error:  # unpicklers raise anything on a file that is something else
        if is_out_of_memory(error):
            raise
        return None


def clear_leftovers(course: Course, *, anew: bool) -> None:
    """Remove what a process left that was killed while it wrote, and where training begins anew the old checkpoint.

    Raises:
        OutputError: it cannot be removed.
    """
    try:
        for leftover in [*course.folder.glob(".*.part.*"), *([course.last] if anew else [])]:
            leftover.unlink(missing_ok=True)
    except OSError as error:
        raise output_error(error, course.folder) from error


class WholeFiles(CheckpointIO):
    """Lightning's checkpoints, written whole or not at all, and read without running anything that they name."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: str | Path, storage_options: Any = None) -> None:  # noqa: ARG002 - its signature
        """See ``write_record``."""
        write_record(Path(path), checkpoint)

    def load_checkpoint(
        self,
        path: str | Path,
        map_location: Any = "cpu",
        weights_only: bool | None = True,  # noqa: ARG002 - its signature
    ) -> dict[str, Any]:
        """Tensors, numbers and texts only, whatever ``weights_only`` says."""
        record: dict[str, Any] = torch.load(path, map_location=map_location, weights_only=True)
        return record

    def remove_checkpoint(self, path: str | Path) -> None:
        """Remove a file, where it is there."""
        Path(path).unlink(missing_ok=True)


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Exchange a file of torch's whole, and have it on the disk: a battery may run empty as well.

    Raises:
        OutputError: it cannot be written there.
    """
    buffer = BytesIO()
    torch.save(record, buffer)  # to memory first: on a full disk torch would raise an error of its own
    write_durably(path, buffer.getbuffer())


def _is_whole(path: Path) -> bool:
    """Whether a file of torch's is there with every byte as it was written, which torch itself does not look at."""
    try:
        with ZipFile(path) as parts:
            return parts.testzip() is None
    except Exception as error:  # a damaged archive has its reader raise anything
        if is_out_of_memory(error):
            raise
        return False
