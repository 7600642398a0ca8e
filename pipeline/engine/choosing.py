"""Which engine a prediction runs on. Nothing heavy is imported: ``cli`` may ask."""

from __future__ import annotations

from typing import Literal, cast

from pipeline.errors import ConfigError

Engine = Literal["torch", "half", "openvino", "int8"]
"""``torch`` in 32 bits; ``half``, torch in 16 bits on an NVIDIA GPU; ``openvino`` on a CPU, in 32 bits or ``int8``."""

Precision = Literal["fp32", "int8"]


def pick_engine(device: str, *, int8: bool = False) -> Engine:
    """The fastest engine on a device.

    Args:
        device: what ``device.pick_device`` gave: ``cpu``, ``mps`` or the number of a CUDA GPU.
        int8: whether networks in 8 bits were asked for.

    Raises:
        ConfigError: they were asked for, and the device is no CPU.
    """
    if int8 and device != "cpu":
        remedy = "leave --int8 out, or set device: cpu"
        raise ConfigError(f"int8 on device {device}", where="--int8", expected="a CPU", remedy=remedy)
    if device == "cpu":
        return "int8" if int8 else "openvino"
    return "half" if device.isdecimal() else "torch"


def compiled_precision(engine: Engine) -> Precision | None:
    """In what OpenVINO computes; None for the engines of torch."""
    return cast("dict[Engine, Precision]", {"openvino": "fp32", "int8": "int8"}).get(engine)
