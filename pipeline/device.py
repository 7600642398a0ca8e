"""The device that work runs on."""

from __future__ import annotations

from pipeline.errors import ConfigError


def pick_device(wanted: str) -> str:
    """Turn data.yaml's ``device`` into what torch and Ultralytics both understand.

    Args:
        wanted: ``auto`` (a GPU if there is one), ``cpu``, ``mps``, or the number of a CUDA GPU.

    Returns:
        ``cpu``, ``mps``, or the number of a CUDA GPU.

    Raises:
        ConfigError: this machine has no such device.
    """
    import torch

    gpus = torch.cuda.device_count() if torch.cuda.is_available() else 0
    mps = torch.backends.mps.is_available()
    if wanted == "auto":
        return "0" if gpus else "mps" if mps else "cpu"
    if wanted == "cpu" or (wanted == "mps" and mps) or (wanted.isdigit() and int(wanted) < gpus):
        return wanted
    here = ["auto", "cpu", *(["mps"] if mps else []), *map(str, range(gpus))]
    raise ConfigError(f"device {wanted} is not on this machine", where="device", expected=" or ".join(here))


def torch_device(device: str) -> str:
    """The name that ``torch.device`` takes."""
    return f"cuda:{device}" if device.isdigit() else device
