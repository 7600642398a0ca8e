"""Holding a process to its share of a GPU's memory, and saying what it took of it."""

from __future__ import annotations

import gc
from collections.abc import Callable
from functools import cache

import torch

from pipeline.device import torch_device

_USUAL_CONTEXT = 2**29


def hold_gpu(device: str, limit_bytes: int | None) -> None:
    """Let this process take no more than ``limit_bytes`` of a CUDA GPU, what its context takes included.

    Over it torch raises its own out-of-memory error, as on a smaller card. Other devices are watched from outside.
    """
    if not device.isdigit():
        return
    number = torch.device(torch_device(device))
    context = _context_bytes(number)  # first of all: it makes the context that the rest asks
    gc.collect()
    torch.cuda.empty_cache()  # what an earlier work has left reserved is not this one's
    torch.cuda.reset_peak_memory_stats(number)
    if limit_bytes is not None:
        total = torch.cuda.get_device_properties(number).total_memory
        share = (limit_bytes - context) / total
        torch.cuda.set_per_process_memory_fraction(min(1.0, max(share, 0.0)), number)


def run_held(device: str, limit_bytes: int | None, work: Callable[..., object], *arguments: object) -> int:
    """Work within ``hold_gpu``, for ``apart.run_apart``, and give what ``measure_gpu_peak`` says of it."""
    hold_gpu(device, limit_bytes)
    work(*arguments)
    return measure_gpu_peak(device)


def measure_gpu_peak(device: str) -> int:
    """The most that this process took of its GPU since ``hold_gpu``, bytes, its context included; 0 for a CPU.

    What torch keeps reserved counts, used or not: nobody else can have it. A Mac's GPU only tells what is taken now.
    """
    if device == "mps":
        return int(torch.mps.driver_allocated_memory())
    if not device.isdigit():
        return 0
    number = torch.device(torch_device(device))
    return int(torch.cuda.max_memory_reserved(number)) + _context_bytes(number)


@cache
def _context_bytes(number: torch.device) -> int:
    """What the process holds beyond torch's own pool, bytes: CUDA's context, its kernels and libraries.

    Measured by making it, once a process. Only the driver knows; where it does not tell, as in WSL, half a gigabyte is
    assumed, and what other programs do meanwhile is kept within bounds.
    """
    from pynvml import NVMLError  # torch asks the driver through it

    try:
        before = torch.cuda.device_memory_used(number)
        torch.zeros(1, device=number)
        made = torch.cuda.device_memory_used(number) - before - torch.cuda.memory_reserved(number)
    except (NVMLError, RuntimeError):
        return _USUAL_CONTEXT
    return min(max(int(made), _USUAL_CONTEXT // 4), 2 * _USUAL_CONTEXT)
