"""The device that work runs on."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from pipeline.device import choose_device, pick_device, torch_device
from pipeline.environment.gpus import Gpu
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


ARCHS = ("sm_75", "sm_86")
OLD, NEW = Gpu("GTX 1060", capability=(6, 1)), Gpu("RTX 3050", capability=(8, 6))
TOO_OLD = "GTX 1060 has compute capability 6.1, too old for this build of torch, which begins at 7.5"


@pytest.mark.parametrize(
    ("wanted", "gpus", "mps", "device", "note"),
    [
        ("auto", [NEW], False, "0", ""),
        ("auto", [OLD, NEW], False, "1", ""),
        ("auto", [], True, "mps", ""),
        ("auto", [], False, "cpu", ""),
        ("auto", [OLD], False, "cpu", f"{TOO_OLD}: the CPU is used; `cropsort doctor` says what helps"),
        ("1", [NEW, NEW], False, "1", ""),
        ("cpu", [OLD], False, "cpu", ""),
    ],
)
def test_gpu_that_torch_has_no_kernels_for_is_passed_over(
    wanted: str, gpus: list[Gpu], mps: bool, device: str, note: str
) -> None:
    assert choose_device(wanted, gpus, archs=ARCHS, mps=mps) == (device, note)


def test_gpu_that_is_too_old_and_asked_for_is_refused_in_a_line() -> None:
    with pytest.raises(ConfigError) as caught:
        choose_device("0", [OLD, NEW], archs=ARCHS, mps=False)
    expected = f"device 0 - {TOO_OLD} - expected auto or cpu or 1 - `cropsort doctor` says what helps"
    assert str(caught.value) == expected


def test_driver_that_torch_finds_too_old_is_said_in_a_line() -> None:
    said = (
        "CUDA initialization: The NVIDIA driver on your system is too old (found version 12060). Please update your "
        "GPU driver by downloading it. (Triggered internally at CUDAFunctions.cpp:119.)"
    )
    device, note = choose_device("auto", [], archs=ARCHS, mps=False, complaint=said)
    assert device == "cpu"
    assert note.startswith(
        "CUDA initialization: The NVIDIA driver on your system is too old (found version 12060): the CPU"
    )


def test_gpu_that_is_not_seen_sends_to_the_doctor() -> None:
    with pytest.raises(ConfigError, match="cropsort doctor` says why a GPU is not seen"):
        choose_device("0", [], archs=ARCHS, mps=False)


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
