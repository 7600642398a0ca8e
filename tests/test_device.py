"""The device that work runs on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.device import pick_device, torch_device
from pipeline.errors import ConfigError
from pipeline.images import read_photo
from pipeline.sorter import Sorter

GPUS = torch.cuda.device_count() if torch.cuda.is_available() else 0


def test_auto_takes_a_gpu_where_there_is_one() -> None:
    wanted = "0" if GPUS else "mps" if torch.backends.mps.is_available() else "cpu"
    assert pick_device("auto") == wanted


def test_cpu_is_always_there() -> None:
    assert pick_device("cpu") == "cpu"


@pytest.mark.parametrize("wanted", ["99", "-1", "gpu", "cuda:0", ""])
def test_device_that_is_not_there_is_refused_with_those_that_are(wanted: str) -> None:
    with pytest.raises(ConfigError, match="not on this machine - expected auto or cpu"):
        pick_device(wanted)


def test_torch_takes_the_name() -> None:
    assert [str(torch.device(torch_device(name))) for name in ("cpu", "mps", "1")] == ["cpu", "mps", "cuda:1"]


@pytest.mark.gpu
def test_gpu_and_cpu_see_the_same(home: Path, eager: Path) -> None:
    if not GPUS:
        pytest.skip("no CUDA device")
    pixels = read_photo(home / "images" / "val" / "photo-0009.jpg").pixels
    on_gpu, on_cpu = (Sorter(eager, device=device)(pixels) for device in ("0", "cpu"))
    assert len(on_gpu) == len(on_cpu)
    for one, other in zip(on_gpu, on_cpu, strict=True):
        assert one.detection.box.edges == pytest.approx(other.detection.box.edges, abs=1)
        assert one.confidence == pytest.approx(other.confidence, abs=0.01)
