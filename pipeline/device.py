"""The device that work runs on."""

from __future__ import annotations

import re
import sys
import warnings
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

from pipeline.environment.builds import lowest_capability, serves, write_capability
from pipeline.environment.gpus import Gpu
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from types import ModuleType


def pick_device(wanted: str) -> str:
    """Turn data.yaml's ``device`` into what torch and Ultralytics both understand.

    Where ``auto`` passes over a GPU that the installed torch cannot use, that is said, once a process.

    Args:
        wanted: ``auto`` (a GPU if there is one), ``cpu``, ``mps``, or the number of a CUDA GPU.

    Returns:
        ``cpu``, ``mps``, or the number of a CUDA GPU.

    Raises:
        ConfigError: this machine has no such device, or it is too old for the installed torch.
    """
    import torch

    with warnings.catch_warnings(record=True) as heard:  # torch says in many lines what is said in one here
        warnings.simplefilter("always")
        gpus = _list_gpus(torch)
    complaint = str(heard[0].message) if heard and not gpus else ""
    archs, mps = tuple(torch.cuda.get_arch_list()), torch.backends.mps.is_available()
    device, note = choose_device(wanted, gpus, archs=archs, mps=mps, complaint=complaint)
    if note:
        _say_once(note)
    return device


def choose_device(
    wanted: str, gpus: Sequence[Gpu], *, archs: tuple[str, ...], mps: bool, complaint: str = ""
) -> tuple[str, str]:
    """Choose among the devices of a machine.

    Args:
        wanted: as ``pick_device`` takes it.
        gpus: those that torch sees.
        archs: what torch has kernels for.
        mps: whether torch sees Apple's GPU.
        complaint: what torch said of GPUs that it could not make out; ``""`` for nothing.

    Returns:
        The device, and a note; ``""`` where there is nothing to say.

    Raises:
        ConfigError: as ``pick_device`` says.
    """
    usable = [str(number) for number, gpu in enumerate(gpus) if serves(archs, gpu.capability)]
    here = ["auto", "cpu", *(["mps"] if mps else []), *usable]
    if wanted == "auto":
        device = usable[0] if usable else "mps" if mps else "cpu"
        why = _explain_age(gpus[0], archs) if gpus else re.split(r"\. | \(Triggered", complaint)[0]
        note = "" if usable or mps or not why else f"{why}: the CPU is used; `cropsort doctor` says what helps"
        return device, note
    if wanted in here:
        return wanted, ""
    expected = " or ".join(here)
    if wanted.isdecimal() and int(wanted) < len(gpus):
        remedy = "`cropsort doctor` says what helps"
        raise ConfigError(
            _explain_age(gpus[int(wanted)], archs), where=f"device {wanted}", expected=expected, remedy=remedy
        )
    remedy = "`cropsort doctor` says why a GPU is not seen" if wanted.isdecimal() else ""
    raise ConfigError(f"device {wanted} is not on this machine", where="device", expected=expected, remedy=remedy)


def torch_device(device: str) -> str:
    """The name that ``torch.device`` takes."""
    return f"cuda:{device}" if device.isdigit() else device


def _list_gpus(torch: ModuleType) -> list[Gpu]:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    found = [torch.cuda.get_device_properties(number) for number in range(count)]
    return [Gpu(gpu.name, capability=(gpu.major, gpu.minor)) for gpu in found]


def _explain_age(gpu: Gpu, archs: tuple[str, ...]) -> str:
    return (
        f"{gpu.name} has compute capability {write_capability(gpu.capability)}, too old for this build of torch, "
        f"which begins at {lowest_capability(archs)}"
    )


@cache
def _say_once(note: str) -> None:
    print(f"note: {note}", file=sys.stderr)
