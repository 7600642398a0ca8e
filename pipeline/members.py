"""Weights of one network, or of several that decide together, in one file."""

from __future__ import annotations

import pickle
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import torch

from pipeline import yolo
from pipeline.errors import WeightsError
from pipeline.files import replacing


def write_members(path: Path, members: Sequence[yolo.Checkpoint]) -> None:
    """Write the weights of at least one network as tensors and texts only.

    One alone is written as ``yolo.write_checkpoint`` does. Of several the first lies where it would lie alone, so that
    whatever reads the weights of one network, to start from them, finds the first.

    Raises:
        OutputError: it cannot be written there.
    """
    first, *others = members
    if not others:
        yolo.write_checkpoint(path, first)
        return
    buffer = BytesIO()
    torch.save({**_as_record(first), "members": [_as_record(other) for other in others]}, buffer)
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def read_members(path: Path) -> tuple[yolo.Checkpoint, ...]:
    """Read what ``write_members`` wrote, or weights of one network; nothing that the file names is run.

    Raises:
        WeightsError: no such file, or something else in it.
    """
    first = yolo.read_checkpoint(path)
    try:
        record = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (pickle.UnpicklingError, RuntimeError):  # Ultralytics' own format, of one network; or a file without mmap
        return (first,)
    try:
        return (first, *(_from_record(member) for member in record.get("members", ())))
    except (AttributeError, KeyError, TypeError) as error:
        remedy = "train again: make train"
        raise WeightsError(f"damaged weights of several networks ({error!r})", where=path, remedy=remedy) from error


def _as_record(member: yolo.Checkpoint) -> dict[str, Any]:
    return {"model_name": member.model_name, "task": member.task, "tensors": dict(member.tensors)}


def _from_record(record: dict[str, Any]) -> yolo.Checkpoint:
    # Copied, or the tensors would stay in the file, which training replaces.
    tensors = {
        name: tensor.float() if tensor.is_floating_point() and tensor.dtype != torch.float32 else tensor.clone()
        for name, tensor in record["tensors"].items()
    }
    return yolo.Checkpoint(record["model_name"], record["task"], tensors)
