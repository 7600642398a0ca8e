"""NVIDIA GPUs as their driver knows them: asking it makes no CUDA context, which would take memory itself."""

from __future__ import annotations

import ctypes
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Gpu:
    """A GPU and its memory.

    Args:
        name: what the maker calls it.
        total_bytes: all its memory.
        free_bytes: what no program uses now.
        driver: version of the driver, ``""`` where it is not known.
    """

    name: str
    total_bytes: int
    free_bytes: int
    driver: str


def measure_gpu(index: int) -> Gpu:
    """Ask for a GPU's memory.

    Args:
        index: torch's number of it, which ``CUDA_VISIBLE_DEVICES`` and ``CUDA_DEVICE_ORDER`` have a say in.

    Raises:
        RuntimeError: torch has no such GPU, and says why.
        ProcessDiedError: torch does not answer.
    """
    if gpu := _ask_nvml(_read_uuid(index)):
        return gpu
    from pipeline.apart import run_apart

    return run_apart(_ask_torch, index, timeout=120, name=f"asking for the memory of GPU {index}").result


def _read_uuid(index: int) -> uuid.UUID | None:
    """The identity of torch's GPU of that number; None where there is no NVIDIA driver that tells it."""
    with suppress(OSError, AttributeError):  # no driver, or one that is too old
        library = ctypes.CDLL("nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1")
        device, identity = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        steps: tuple[Callable[[], int], ...] = (
            lambda: library.cuInit(0),
            lambda: library.cuDeviceGet(ctypes.byref(device), index),
            lambda: library.cuDeviceGetUuid_v2(identity, device),
        )
        if all(step() == 0 for step in steps):
            return uuid.UUID(bytes=bytes(identity))
    return None


def _ask_nvml(identity: uuid.UUID | None) -> Gpu | None:
    """What the driver's own library says; None where there is none, as in WSL 1 and on a Jetson."""
    if identity is None:
        return None
    import pynvml

    for kind in ("GPU", "MIG"):  # the latter is a slice of a GPU that several share
        with suppress(pynvml.NVMLError), _nvml() as nvml:
            handle = nvml.nvmlDeviceGetHandleByUUID(f"{kind}-{identity}")
            memory = nvml.nvmlDeviceGetMemoryInfo(handle)
            name, driver = nvml.nvmlDeviceGetName(handle), nvml.nvmlSystemGetDriverVersion()
            return Gpu(name, int(memory.total), int(memory.free), driver)
    return None


@contextmanager
def _nvml() -> Iterator[Any]:
    import pynvml

    pynvml.nvmlInit()
    try:
        yield pynvml
    finally:
        pynvml.nvmlShutdown()


def _ask_torch(index: int, _tell: object) -> Gpu:
    """What torch says, with the context that it makes; for a process of its own."""
    import torch

    free, total = torch.cuda.mem_get_info(index)
    return Gpu(torch.cuda.get_device_name(index), total, free, "")
