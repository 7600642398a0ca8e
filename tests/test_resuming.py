"""A checkpoint is there whole or not at all, and one that is damaged is none."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pipeline.errors import OutputError
from pipeline.resuming import PROGRESS, Course, Progress, WholeFiles, clear_leftovers, read_progress, write_record


@pytest.fixture
def course(tmp_path: Path) -> Course:
    made = Course(tmp_path / "사진 1", "key", epochs=9, patience=3, seed=0, device="cpu")
    write_record(made.best, {"tensors": {"weight": torch.ones(1000)}})
    progress = {"key": "key", "epochs": 4, "finished": False}
    write_record(made.last, {PROGRESS: progress, "tensors": {"weight": torch.arange(1000.0)}})
    return made


def test_progress_is_read(course: Course) -> None:
    assert read_progress(course) == Progress(4, finished=False)


def test_progress_of_another_training_is_none(course: Course) -> None:
    assert read_progress(replace(course, key="another")) is None


def test_no_progress_where_nothing_is(course: Course) -> None:
    assert read_progress(replace(course, folder=course.folder / "empty")) is None


def flip(content: bytes) -> bytes:
    middle = content.index(torch.arange(1000.0).numpy().tobytes()[400:480])
    return content[:middle] + b"\0\0\0" + content[middle + 3 :]


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda _: b"no checkpoint at all",
        lambda content: content[: len(content) // 2],
        lambda content: content[:-1],
        lambda content: bytes(len(content)),
        flip,
    ],
    ids=["empty", "text", "half", "byte short", "zeros", "flipped"],
)
def test_damaged_checkpoint_is_none(course: Course, damage: Callable[[bytes], bytes]) -> None:
    course.last.write_bytes(damage(course.last.read_bytes()))
    assert read_progress(course) is None


def test_torch_itself_does_not_see_a_flipped_byte(course: Course) -> None:
    """The reason to look at the sums."""
    course.last.write_bytes(flip(course.last.read_bytes()))
    assert torch.load(course.last, weights_only=True)["tensors"]["weight"].shape == (1000,)


def test_checkpoint_without_its_best_weights_is_none(course: Course) -> None:
    course.best.write_bytes(course.best.read_bytes()[:-1])
    assert read_progress(course) is None
    course.best.unlink()
    assert read_progress(course) is None


@pytest.mark.parametrize("record", [{}, [], {PROGRESS: {"key": "key"}}, {PROGRESS: 3}])
def test_something_else_is_no_checkpoint(course: Course, record: object) -> None:
    torch.save(record, course.last)
    assert read_progress(course) is None


def test_nothing_that_a_checkpoint_names_is_run(course: Course) -> None:
    torch.save({PROGRESS: course}, course.last)
    assert read_progress(course) is None
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        WholeFiles().load_checkpoint(course.last, weights_only=False)


def test_failed_writing_leaves_the_old_checkpoint(course: Course) -> None:
    with pytest.raises((AttributeError, pickle.PicklingError)):
        write_record(course.last, {"cannot be pickled": lambda: None})
    assert read_progress(course) == Progress(4, finished=False)


def test_folder_that_cannot_be_is_one_line(course: Course) -> None:
    with pytest.raises(OutputError, match=r"last\.ckpt/last\.ckpt - cannot be written"):
        write_record(course.last / "last.ckpt", {})


def test_leftovers_go_and_the_checkpoint_with_them_only_where_it_begins_anew(course: Course) -> None:
    left = course.folder / ".best.77.part.pt"
    left.write_bytes(b"half")
    clear_leftovers(course, anew=False)
    assert not left.exists()
    assert read_progress(course) == Progress(4, finished=False)
    clear_leftovers(course, anew=True)
    assert sorted(path.name for path in course.folder.iterdir()) == ["best.pt"]


def test_leftover_that_cannot_be_removed_is_one_line(course: Course) -> None:
    course.last.unlink()
    course.last.mkdir()
    with pytest.raises(OutputError):
        clear_leftovers(course, anew=True)
