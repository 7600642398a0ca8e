"""One look at what may crash or hang: the process of its own that ``ask`` starts, and its answer as JSON."""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any


def look_at_torch() -> dict[str, Any]:
    """Import torch and say what it is made for and what it sees."""
    import torch

    complaint = ""
    try:
        torch.cuda.init()  # type: ignore[no-untyped-call]  # torch gives it no types
    except (AssertionError, RuntimeError) as error:  # made without CUDA; no driver, or one that is too old
        complaint = (str(error).splitlines() or [type(error).__name__])[0]
    count = 0 if complaint else torch.cuda.device_count()
    return {
        "version": torch.__version__,
        "cuda": torch.version.cuda or torch.version.hip or "",
        "archs": torch.cuda.get_arch_list(),
        "gpus": [_look_at_gpu(torch, number) for number in range(count)],
        "mps": torch.backends.mps.is_available(),
        "threads": torch.get_num_threads(),
        "complaint": complaint,
    }


def call_nms(device: str) -> str:
    """Call the operator of torchvision that every detector needs."""
    import torch
    import torchvision

    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 10.0, 10.0]], device=device)
    kept = torchvision.ops.nms(boxes, torch.tensor([0.9, 0.8], device=device), 0.5).tolist()
    if kept != [0]:
        raise RuntimeError(f"nms answers {kept} where [0] is right")
    return device


def import_package(name: str) -> str:
    """Import a package."""
    if importlib.import_module(name).__file__ is None:  # what half an uninstall leaves
        raise ImportError("it has no __init__.py")
    return name


def find_font(letters: str) -> str | None:
    """The font that plots take for these letters."""
    from pipeline.plots import find_font as find

    return find(letters)


def measure_memory() -> list[int]:
    """Total and free bytes of this machine, or of its container."""
    from pipeline.memory import measure_room

    room = measure_room("cpu")
    return [room.total_bytes, room.free_bytes]


def read_device(file: str) -> str:
    """The device that a data.yaml names; its first fault ends this process."""
    from pipeline.config import read_config

    try:
        return read_config(Path(file)).device
    except ExceptionGroup as faults:
        sys.exit(str(faults.exceptions[0]))


def _look_at_gpu(torch: Any, number: int) -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(number)
    return {
        "name": properties.name,
        "capability": [properties.major, properties.minor],
        "total_mib": properties.total_memory // 2**20,
    }


_LOOKS = {
    "torch": look_at_torch,
    "nms": call_nms,
    "import": import_package,
    "font": find_font,
    "memory": measure_memory,
    "device": read_device,
}


def main() -> None:
    """Answer ``probe LOOK [ARGUMENTS]`` with a line of JSON, the last on standard output."""
    warnings.simplefilter("ignore")
    look: Any = _LOOKS[sys.argv[1]]
    print("\n" + json.dumps(look(*sys.argv[2:])))


if __name__ == "__main__":
    main()
