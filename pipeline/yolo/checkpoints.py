"""Weights on disk: read without running anything that a file names, written as tensors and texts only."""

from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import torch
from torch import Tensor, nn

from pipeline.errors import WeightsError
from pipeline.files import replacing
from pipeline.yolo.guard import quiet_ultralytics, ultralytics

DETECT, CLASSIFY = "detect", "classify"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Weights of a model, with what is needed to build it.

    Args:
        model_name: architecture, such as ``yolov5n``.
        task: ``detect`` or ``classify``, or another of Ultralytics'.
        tensors: weights and buffers by name.
    """

    model_name: str
    task: str
    tensors: Mapping[str, Tensor]


def read_checkpoint(path: Path) -> Checkpoint:
    """Read weights that cropsort or Ultralytics wrote, without running anything that the file names.

    Raises:
        WeightsError: no such file, or something else in it.
    """
    if not path.is_file():
        raise WeightsError("no such file", where=path, remedy="check the spelling, or train: make train")
    try:
        return _read_own(path) or _read_ultralytics(path)
    except Exception as error:  # unpicklers raise anything on a file that is something else
        remedy = "name a .pt that Ultralytics or cropsort wrote"
        raise WeightsError("not weights of an Ultralytics model", where=path, remedy=remedy) from error


def write_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    """Write weights as tensors and texts only, which ``torch.load`` reads with ``weights_only``.

    Raises:
        OutputError: it cannot be written there.
    """
    record = {"model_name": checkpoint.model_name, "task": checkpoint.task, "tensors": dict(checkpoint.tensors)}
    buffer = BytesIO()
    torch.save(record, buffer)  # to memory first: on a full disk torch would raise an error of its own
    with replacing(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def transfer(model: nn.Module, tensors: Mapping[str, Tensor]) -> int:
    """Copy the tensors whose name and shape fit into ``model``.

    Returns:
        How many were copied.
    """
    own = model.state_dict()
    fitting = {name: tensor for name, tensor in tensors.items() if name in own and own[name].shape == tensor.shape}
    model.load_state_dict(fitting, strict=False)
    return len(fitting)


def known_weights() -> frozenset[str]:
    """Names of the weights that Ultralytics publishes, such as ``yolov5nu.pt``."""
    with quiet_ultralytics():
        return frozenset(ultralytics("utils.downloads").GITHUB_ASSETS_NAMES)


def _read_own(path: Path) -> Checkpoint | None:
    try:
        record = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # names classes: Ultralytics' own format
        return None
    if "tensors" not in record:  # as well, once Ultralytics has told torch that its classes are safe
        return None
    tensors = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in record["tensors"].items()
    }
    return Checkpoint(record["model_name"], record["task"], tensors)


def _read_ultralytics(path: Path) -> Checkpoint:
    with quiet_ultralytics():
        tasks = ultralytics("nn.tasks")
        loaded, _ = tasks.torch_safe_load(str(path), safe_only=True)
        model = loaded.get("ema") or loaded["model"]
        name = Path(model.yaml["yaml_file"]).stem
        return Checkpoint(name, tasks.guess_model_task(model), model.float().state_dict())
