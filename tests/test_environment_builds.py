"""Which build of torch is chosen, and what the driver's own program says."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from pipeline.environment import ROOT
from pipeline.environment.builds import (
    BUILDS,
    INDEX_VARIABLE,
    PLAIN,
    choose_build,
    drives,
    index_url,
    lowest_capability,
    name_packages,
    read_pins,
    serves,
)
from pipeline.environment.gpus import Gpu, ask_driver, read_answer

posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi is a shell script")

GTX_970 = Gpu("NVIDIA GeForce GTX 970", "581.29", (5, 2))
GTX_1060 = Gpu("NVIDIA GeForce GTX 1060 6GB", "581.29", (6, 1), 6144, 5900)
V100 = Gpu("Tesla V100-SXM2-16GB", "580.65.06", (7, 0))
RTX_3050 = Gpu("NVIDIA GeForce RTX 3050 Laptop GPU", "581.29", (8, 6), 4096, 3900)
RTX_3050_OLD = RTX_3050._replace(driver="560.94")
RTX_4090 = Gpu("NVIDIA GeForce RTX 4090", "580.95.05", (8, 9))
RTX_5070 = Gpu("NVIDIA GeForce RTX 5070", "581.29", (12, 0))
RTX_5070_OLD = RTX_5070._replace(driver="572.16")
GT_710 = Gpu("NVIDIA GeForce GT 710", "470.256", (3, 5))
ANCIENT = Gpu("NVIDIA GeForce GTX 1060 6GB", "470.82")
PINS = {"torch": "2.15.0", "torchvision": "0.29.2"}


@pytest.mark.parametrize(
    ("gpus", "platform", "machine", "tag", "reason"),
    [
        ([], "linux", "x86_64", "", ""),
        ([RTX_3050], "darwin", "arm64", "", ""),
        ([RTX_3050], "linux", "aarch64", "", ""),
        ([RTX_3050], "linux", "x86_64", "", "the plain build of torch, for CUDA 13.2, fits"),
        ([RTX_4090], "linux", "x86_64", "", "fits"),
        ([RTX_5070], "linux", "x86_64", "", "fits"),
        ([GTX_970], "linux", "x86_64", "cu126", "serve compute capability 7.5 and newer, this one has 5.2"),
        ([GTX_1060], "linux", "x86_64", "cu126", "serve compute capability 7.5 and newer, this one has 6.1"),
        ([V100], "linux", "x86_64", "cu126", "this one has 7.0"),
        ([RTX_3050_OLD], "linux", "x86_64", "cu126", "CUDA 13.2 needs driver 580 or newer, this one is 560.94"),
        ([RTX_5070_OLD], "linux", "x86_64", "", "is of no use to torch: CUDA 13.2 needs driver 580"),
        ([GT_710], "linux", "x86_64", "", "is of no use to torch: CUDA 13.2 builds serve"),
        ([ANCIENT], "linux", "x86_64", "", "needs driver 580 or newer, this one is 470.82"),
        ([RTX_3050], "win32", "AMD64", "cu130", "because the plain one for Windows has no CUDA"),
        ([RTX_3050_OLD], "win32", "AMD64", "cu126", "CUDA 13.0 needs driver 580"),
        ([GTX_1060], "win32", "AMD64", "cu126", "this one has 6.1"),
        ([RTX_3050, GTX_1060], "linux", "x86_64", "cu126", "this one has 6.1"),
        ([RTX_5070, GTX_1060], "linux", "x86_64", "", "RTX 5070 (driver 581.29): the plain build"),
        ([RTX_3050, RTX_4090], "linux", "x86_64", "", "fits"),
    ],
)
def test_build_follows_driver_and_capability(
    gpus: list[Gpu], platform: str, machine: str, tag: str, reason: str
) -> None:
    choice = choose_build(tuple(gpus), platform, machine)
    assert (choice.build.tag if choice.build else "") == tag
    assert reason in choice.reason
    assert bool(reason) == bool(choice.reason)
    assert "\n" not in choice.reason


@pytest.mark.parametrize(
    ("archs", "capability", "expected"),
    [
        (PLAIN.archs, (6, 1), False),
        (PLAIN.archs, (7, 5), True),
        (PLAIN.archs, (8, 9), True),
        (PLAIN.archs, (12, 1), True),
        (PLAIN.archs, (11, 0), False),
        (PLAIN.archs, None, True),
        (("sm_90", "compute_120"), (12, 1), True),
        (("sm_90", "compute_90"), (8, 6), False),
        (("sm_86",), (8, 0), False),
        (("sm_90a", "sm_100"), (9, 0), True),
        (("gfx1100",), (11, 0), True),
        ((), (6, 1), True),
    ],
)
def test_kernels_serve_their_generation(
    archs: tuple[str, ...], capability: tuple[int, int] | None, expected: bool
) -> None:
    assert serves(archs, capability) is expected


@pytest.mark.parametrize(
    ("driver", "cuda", "expected"),
    [
        ("580.65.06", "13.2", True),
        ("579.99", "13.0", False),
        ("525.60", "12.6", True),
        ("", "13.2", True),
        ("1.0", "", True),
    ],
)
def test_driver_has_to_be_of_the_cuda_s_time(driver: str, cuda: str, expected: bool) -> None:
    assert drives(driver, cuda) is expected


def test_table_says_of_the_plain_build_what_it_says_itself() -> None:
    if not torch.version.cuda or torch.__version__.endswith(tuple(build.tag for build in BUILDS)):
        pytest.skip("another build of torch is installed")
    assert (torch.version.cuda, tuple(torch.cuda.get_arch_list())) == (PLAIN.cuda, PLAIN.archs)
    assert lowest_capability(PLAIN.archs) == "7.5"


def test_packages_are_those_of_the_lock_or_the_last_that_there_were() -> None:
    pins = read_pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    assert name_packages(PLAIN, pins) == [f"torch=={pins['torch']}", f"torchvision=={pins['torchvision']}"]
    assert name_packages(BUILDS[0], PINS) == ["torch==2.15.0+cu130", "torchvision==0.29.2+cu130"]
    assert name_packages(BUILDS[1], PINS) == ["torch==2.14.0+cu126", "torchvision==0.29.0+cu126"]


def test_pin_is_the_one_for_this_python() -> None:
    text = "numpy==2.4.6 ; python_full_version < '3.2' \\\nnumpy==2.5.5 ; python_full_version >= '3.2' \\\n"
    assert read_pins(text) == {"numpy": "2.5.5"}
    assert read_pins(text.replace("3.2", "3.99")) == {"numpy": "2.4.6"}
    assert read_pins("pyqt5-qt5==5.15.2 ; sys_platform == 'win32' \\\n") == {"pyqt5-qt5": "5.15.2"}


def test_index_may_be_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INDEX_VARIABLE, raising=False)
    assert index_url(BUILDS[1]) == "https://download.pytorch.org/whl/cu126"
    monkeypatch.setenv(INDEX_VARIABLE, "https://mirror.example/torch/")
    assert index_url(BUILDS[1]) == "https://mirror.example/torch/cu126"


def test_answer_of_nvidia_smi_is_read() -> None:
    text = "581.29, 4096, 3900, 8.6, NVIDIA GeForce RTX 3050 Laptop GPU\n580.1, [N/A], [N/A], 12.1, NVIDIA GB10, x\n\n"
    assert read_answer(text) == (RTX_3050, Gpu("NVIDIA GB10, x", "580.1", (12, 1)))
    old = ("driver_version", "memory.total", "memory.free", "name")
    assert read_answer("470.82, 6144, 6000, GTX\n", old) == (Gpu("GTX", "470.82", None, 6144, 6000),)


@posix
@pytest.mark.parametrize(
    ("script", "gpus", "complaint"),
    [
        ('echo "581.29, 4096, 3900, 8.6, NVIDIA GeForce RTX 3050 Laptop GPU"', (RTX_3050,), ""),
        (
            'case "$1" in *compute_cap*) echo \'Field "compute_cap" is not a valid field to query.\'; exit 2;; esac; '
            'echo "470.82, [N/A], [N/A], NVIDIA GeForce GTX 1060 6GB"',
            (ANCIENT,),
            "",
        ),
        ('echo "NVIDIA-SMI has failed because it is so."; echo; exit 9', (), "NVIDIA-SMI has failed because it is so."),
        ("exit 3", (), "exit code 3"),
    ],
)
def test_driver_is_asked(
    script: str, gpus: tuple[Gpu, ...], complaint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "nvidia-smi"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    driver = ask_driver()
    assert (driver.gpus, driver.complaint) == (gpus, complaint)
