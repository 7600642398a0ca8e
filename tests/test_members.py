"""Weights of one network or several in one file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline import yolo
from pipeline.errors import OutputError, WeightsError
from pipeline.members import read_members, write_members
from pipeline.yolo import Checkpoint


def make_member(name: str, seed: int) -> Checkpoint:
    generator = torch.Generator().manual_seed(seed)
    tensors = {"가중치": torch.rand(3, 2, generator=generator), "count": torch.tensor(seed)}
    return Checkpoint(name, yolo.CLASSIFY, tensors)


MEMBERS = (make_member("yolo11n-cls", 1), make_member("xception41", 2), make_member("densenet201", 3))


def check_same(one: Checkpoint, other: Checkpoint) -> None:
    assert (one.model_name, one.task) == (other.model_name, other.task)
    assert one.tensors.keys() == other.tensors.keys()
    assert all(torch.equal(tensor, other.tensors[name]) for name, tensor in one.tensors.items())


@pytest.mark.parametrize("count", [1, 2, 3])
def test_members_are_read_back_in_their_order(tmp_path: Path, count: int) -> None:
    write_members(tmp_path / "분류기.pt", MEMBERS[:count])
    read = read_members(tmp_path / "분류기.pt")
    assert len(read) == count
    for one, other in zip(read, MEMBERS, strict=False):
        check_same(one, other)


def test_one_alone_is_written_as_weights_of_one_network_are(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    write_members(tmp_path / "a" / "classifier.pt", MEMBERS[:1])
    yolo.write_checkpoint(tmp_path / "b" / "classifier.pt", MEMBERS[0])
    assert (tmp_path / "a" / "classifier.pt").read_bytes() == (tmp_path / "b" / "classifier.pt").read_bytes()


def test_several_are_tensors_and_texts_alone(tmp_path: Path) -> None:
    write_members(tmp_path / "classifier.pt", MEMBERS)
    record = torch.load(tmp_path / "classifier.pt", weights_only=True)
    assert [member["model_name"] for member in record["members"]] == ["xception41", "densenet201"]


def test_who_starts_from_several_starts_from_the_first(tmp_path: Path) -> None:
    write_members(tmp_path / "classifier.pt", MEMBERS)
    check_same(yolo.read_checkpoint(tmp_path / "classifier.pt"), MEMBERS[0])


def test_members_in_half_precision_are_read_in_full(tmp_path: Path) -> None:
    halved = [
        Checkpoint(one.model_name, one.task, {name: tensor.half() for name, tensor in one.tensors.items()})
        for one in MEMBERS
    ]
    write_members(tmp_path / "classifier.pt", halved)
    read = read_members(tmp_path / "classifier.pt")
    assert {tensor.dtype for one in read for tensor in one.tensors.values()} == {torch.float32}


def test_members_that_were_read_outlive_their_file(tmp_path: Path) -> None:
    path = tmp_path / "classifier.pt"
    write_members(path, MEMBERS)
    read = read_members(path)
    path.write_bytes(b"\xff" * path.stat().st_size)
    check_same(read[1], MEMBERS[1])


@pytest.mark.parametrize("content", [None, b"", b"no weights"])
def test_what_holds_no_weights_is_one_line(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "classifier.pt").write_bytes(content)
    with pytest.raises(WeightsError, match=r"classifier\.pt - (no such file|not weights)"):
        read_members(tmp_path / "classifier.pt")


@pytest.mark.parametrize("members", [3, [3], [{"model_name": "a"}], [{"model_name": "a", "task": "b", "tensors": 3}]])
def test_damaged_members_are_one_line(tmp_path: Path, members: object) -> None:
    first = {"model_name": "a", "task": "classify", "tensors": {}}
    torch.save({**first, "members": members}, tmp_path / "classifier.pt")
    with pytest.raises(WeightsError, match=r"classifier\.pt - damaged weights of several networks .* - train again"):
        read_members(tmp_path / "classifier.pt")


def test_folder_that_is_a_file_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="cannot be written"):
        write_members(tmp_path / "file" / "classifier.pt", MEMBERS)
