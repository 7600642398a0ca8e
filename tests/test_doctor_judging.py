"""What the doctor makes of facts: machines that nobody has at hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.doctor.findings import GB, Finding, Machine, Torch, name_python
from pipeline.doctor.judge_rest import (
    judge_cache,
    judge_disk,
    judge_display,
    judge_font,
    judge_imports,
    judge_memory,
    judge_packages,
    judge_shared,
)
from pipeline.doctor.judge_torch import judge_device, judge_gpus, judge_nms, judge_torch
from pipeline.environment.builds import INDEX_VARIABLE, PLAIN
from pipeline.environment.gpus import Driver, Gpu

PINS = {"torch": "2.15.0", "torchvision": "0.29.2", "pandas": "3.1.1", "opencv-python": "5.0.0.93"}
ANEW = "python3 -m pip uninstall --yes torch torchvision && python3 -m pipeline setup"
GTX_1060 = Gpu("NVIDIA GeForce GTX 1060 6GB", "580.95", (6, 1), 6144, 5900)
RTX_3050 = Gpu("NVIDIA GeForce RTX 3050 Laptop GPU", "581.29", (8, 6), 4096, 3584)
RTX_3050_OLD = RTX_3050._replace(driver="560.94")
CU126 = "torch==2.14.0+cu126 torchvision==0.29.0+cu126 --index-url https://download.pytorch.org/whl/cu126"
FORCED = "python3 -m pip install --force-reinstall --no-deps torch==2.15.0 torchvision==0.29.2"
PLAIN_TORCH = Torch("2.15.0", "13.2", PLAIN.archs, threads=4)
WINDOWS_TORCH = Torch("2.15.0+cpu")


@pytest.fixture(autouse=True)
def _no_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(INDEX_VARIABLE, raising=False)


def make_machine(
    *gpus: Gpu, platform: str = "linux", hidden: bool = False, complaint: str = "", inside: bool = True
) -> Machine:
    return Machine(platform, "x86_64", "python3", Driver(gpus, complaint), PINS, hidden=hidden, inside=inside)


def seen(*gpus: Gpu) -> Torch:
    """The plain torch where it sees these."""
    return Torch("2.15.0", "13.2", PLAIN.archs, tuple(Gpu(gpu.name, "", gpu.capability, gpu.total_mib) for gpu in gpus))


@pytest.mark.parametrize(
    ("machine", "torch", "level", "state", "remedy"),
    [
        (
            make_machine(GTX_1060),
            seen(GTX_1060),
            "warn",
            "NVIDIA GeForce GTX 1060 6GB, 6.0 GB, 5.8 GB of it free, driver 580.95: this torch cannot use it, "
            "it is made for compute capability 7.5 and newer, this GPU has 6.1",
            f"python3 -m pip install {CU126}",
        ),
        (
            make_machine(RTX_3050_OLD),
            PLAIN_TORCH,
            "warn",
            "NVIDIA GeForce RTX 3050 Laptop GPU, 4.0 GB, 3.5 GB of it free, driver 560.94: this torch cannot use it, "
            "CUDA 13.2 needs driver 580 or newer",
            f"python3 -m pip install {CU126}",
        ),
        (
            make_machine(RTX_3050, platform="win32"),
            WINDOWS_TORCH,
            "warn",
            "NVIDIA GeForce RTX 3050 Laptop GPU, 4.0 GB, 3.5 GB of it free, driver 581.29: this torch cannot use it, "
            "torch 2.15.0+cpu is made without CUDA",
            "python3 -m pip install torch==2.15.0+cu130 torchvision==0.29.2+cu130 "
            "--index-url https://download.pytorch.org/whl/cu130",
        ),
        (
            make_machine(RTX_3050),
            WINDOWS_TORCH,
            "warn",
            "NVIDIA GeForce RTX 3050 Laptop GPU, 4.0 GB, 3.5 GB of it free, driver 581.29: this torch cannot use it, "
            "torch 2.15.0+cpu is made without CUDA",
            ANEW,
        ),
        (
            make_machine(Gpu("RTX 5070", "572.16", (12, 0))),
            PLAIN_TORCH,
            "warn",
            "RTX 5070, driver 572.16: this torch cannot use it, CUDA 13.2 needs driver 580 or newer",
            "install driver 580 or newer: https://www.nvidia.com/drivers",
        ),
        (
            make_machine(Gpu("GT 710", "470.256", (3, 5))),
            PLAIN_TORCH,
            "warn",
            "GT 710, driver 470.256: this torch cannot use it, "
            "it is made for compute capability 7.5 and newer, this GPU has 3.5",
            "no build of torch serves it any more; the CPU is used",
        ),
        (
            make_machine(RTX_3050),
            Torch("2.15.0", "13.2", PLAIN.archs, complaint="CUDA unknown error"),
            "warn",
            "NVIDIA GeForce RTX 3050 Laptop GPU, 4.0 GB, 3.5 GB of it free, driver 581.29: this torch cannot use it, "
            "CUDA unknown error",
            "restart the machine, or install the driver anew: https://www.nvidia.com/drivers",
        ),
        (
            make_machine(RTX_3050, hidden=True),
            PLAIN_TORCH,
            "note",
            "NVIDIA GeForce RTX 3050 Laptop GPU, 4.0 GB, 3.5 GB of it free, driver 581.29: "
            "CUDA_VISIBLE_DEVICES hides it",
            "",
        ),
        (
            make_machine(RTX_3050),
            seen(RTX_3050),
            "ok",
            "NVIDIA GeForce RTX 3050 Laptop GPU, 4.0 GB, 3.5 GB of it free, driver 581.29",
            "",
        ),
        (
            make_machine(complaint="couldn't communicate with the NVIDIA driver"),
            PLAIN_TORCH,
            "warn",
            "the NVIDIA driver does not answer: couldn't communicate with the NVIDIA driver",
            "restart the machine, or install the driver anew: https://www.nvidia.com/drivers",
        ),
        (make_machine(platform="darwin"), Torch("2.15.0", mps=True), "ok", "Apple's, through MPS", ""),
        (make_machine(), PLAIN_TORCH, "note", "none; the CPU does the work", ""),
    ],
)
def test_gpu_and_torch_are_held_against_each_other(
    machine: Machine, torch: Torch, level: str, state: str, remedy: str
) -> None:
    (found,) = judge_gpus(torch, machine)
    assert (found.level, found.state, found.remedy) == (level, state, remedy)


def test_each_of_two_gpus_is_judged() -> None:
    levels = [found.level for found in judge_gpus(seen(RTX_3050, GTX_1060), make_machine(RTX_3050, GTX_1060))]
    assert levels == ["ok", "warn"]


@pytest.mark.parametrize(
    ("wanted", "torch", "level", "state"),
    [
        ("auto", seen(RTX_3050, GTX_1060), "ok", "auto in data.yaml, which takes 0"),
        ("auto", seen(GTX_1060, RTX_3050), "ok", "auto in data.yaml, which takes 1"),
        ("auto", seen(GTX_1060), "ok", "auto in data.yaml, which takes cpu"),
        ("auto", Torch("2.15.0", mps=True), "ok", "auto in data.yaml, which takes mps"),
        ("0", seen(RTX_3050), "ok", "0 in data.yaml"),
        ("0", seen(GTX_1060), "FAIL", "0 in data.yaml cannot be used on this machine"),
        ("1", seen(RTX_3050), "FAIL", "1 in data.yaml cannot be used on this machine"),
        ("mps", PLAIN_TORCH, "FAIL", "mps in data.yaml cannot be used on this machine"),
        ("0", None, "note", "0 in data.yaml; torch must work first"),
    ],
)
def test_device_of_the_data_has_to_be_there(wanted: str, torch: Torch | None, level: str, state: str) -> None:
    found = judge_device(wanted, torch)
    assert (found.level, found.state) == (level, state)
    assert bool(found.remedy) == (level == "FAIL")


@pytest.mark.parametrize(
    ("error", "machine", "remedy"),
    [
        (
            "operator torchvision::nms does not exist",
            make_machine(),
            FORCED,
        ),
        (
            "Could not run 'torchvision::nms' with arguments from the 'CUDA' backend.",
            make_machine(GTX_1060),
            f"python3 -m pip install {CU126}",
        ),
        (
            "[WinError 126] The specified module could not be found",
            make_machine(platform="win32"),
            "winget install Microsoft.VCRedist.2015+.x64",
        ),
    ],
)
def test_torchvision_of_another_torch_is_named_with_the_pair_to_install(
    error: str, machine: Machine, remedy: str
) -> None:
    works, fails = judge_nms({"cpu": "", "cuda:0": error}, PLAIN_TORCH, {"torchvision": "0.20.0"}, machine)
    assert works == Finding("torchvision", "0.20.0, nms works on cpu")
    pair = "torch 2.15.0 and torchvision 0.20.0 do not belong together"
    assert (fails.level, fails.state, fails.remedy) == ("FAIL", f"{pair}: nms on cuda:0: {error}", remedy)


def test_torch_that_is_missing_or_broken_fails() -> None:
    machine = make_machine()
    assert judge_torch(PLAIN_TORCH, "", machine) == Finding("torch", "2.15.0, for CUDA 13.2")
    missing = judge_torch(None, "No module named 'torch'", machine)
    assert (missing.level, missing.remedy) == ("FAIL", "python3 -m pipeline setup")
    broken = judge_torch(None, "libcudart.so.13: cannot open shared object file", machine)
    assert broken.state == "cannot be imported: libcudart.so.13: cannot open shared object file"
    assert broken.remedy == ANEW
    on_windows = judge_torch(None, "half of it is missing", make_machine(platform="win32"))
    assert on_windows.remedy == FORCED


@pytest.mark.parametrize(
    ("installed", "machine", "remedy"),
    [
        ("2.15.0", make_machine(), FORCED),
        ("2.15.0+cu132", make_machine(), FORCED),
        ("2.15.0+cpu", make_machine(), ANEW),
        ("2.15.0+cu130", make_machine(), ANEW),
        ("2.15.0+cpu", make_machine(platform="darwin"), FORCED),
        ("2.15.0+cpu", make_machine(platform="win32"), FORCED),
        ("2.15.0+cu130", make_machine(platform="win32"), FORCED),
        ("2.6.0+cpu", make_machine(), "python3 -m pip install torch==2.15.0 torchvision==0.29.2"),
        ("2.15.0", make_machine(GTX_1060), f"python3 -m pip install {CU126}"),
        ("2.14.0+cu126", make_machine(GTX_1060), f"python3 -m pip install --force-reinstall --no-deps {CU126}"),
    ],
)
def test_torch_of_another_build_comes_with_what_it_needs(installed: str, machine: Machine, remedy: str) -> None:
    (found,) = judge_nms({"cpu": "no nms"}, Torch(installed), {"torchvision": "0.20.0"}, machine)
    assert found.remedy == remedy


def test_outside_the_project_s_environment_set_up_is_the_remedy() -> None:
    outside = make_machine(GTX_1060, inside=False)
    found = [
        *judge_packages({"numpy": "2.4", "pandas": ""}, outside)[1:],
        *judge_imports({"pandas": "bad"}, outside),
        *judge_nms({"cpu": "no nms"}, PLAIN_TORCH, {}, outside),
        *judge_gpus(PLAIN_TORCH, outside),
        judge_torch(None, "libcudart.so.13: cannot open shared object file", outside),
    ]
    assert [finding.remedy for finding in found] == ["python3 -m pipeline setup"] * 5


@pytest.mark.parametrize(
    ("executable", "platform", "inside", "name"),
    [
        ("C:\\내 project\\.venv\\Scripts\\python.exe", "win32", True, ".venv\\Scripts\\python"),
        ("C:\\Program Files\\Python312\\python.exe", "win32", False, "python"),
        ("C:\\Python312\\python.exe", "win32", False, "C:\\Python312\\python.exe"),
        ("/my project/.venv/bin/python3", "linux", True, ".venv/bin/python"),
        ("/my tools/python3", "darwin", False, "'/my tools/python3'"),
    ],
)
def test_python_is_named_so_that_every_shell_takes_it(
    executable: str, platform: str, *, inside: bool, name: str
) -> None:
    assert name_python(executable, platform, inside=inside) == name


def test_missing_packages_are_named_with_the_lock_s_versions() -> None:
    there, missing = judge_packages({"numpy": "2.4", "pandas": ""}, make_machine())
    assert there == Finding("packages", "numpy 2.4")
    assert (missing.level, missing.remedy) == ("FAIL", "python3 -m pip install pandas==3.1.1")
    (nothing,) = judge_packages({"numpy": "", "pandas": ""}, make_machine())
    assert nothing.remedy == "python3 -m pipeline setup"


def test_opencv_without_the_system_s_libraries_is_told_apart() -> None:
    errors = {"opencv-python": "libGL.so.1: cannot open shared object file: No such file or directory", "pandas": "bad"}
    assert [found.remedy for found in judge_imports(errors, make_machine())] == [
        "sudo apt install libgl1 libglib2.0-0",
        "python3 -m pip install --force-reinstall --no-deps pandas==3.1.1",
    ]
    assert judge_imports({}, make_machine()) == []


@pytest.mark.parametrize(
    ("free", "writable", "level"),
    [
        (10 * GB, True, "ok"),
        (2 * GB, True, "note"),
        (GB // 2, True, "FAIL"),
        (10 * GB, False, "FAIL"),
        (None, True, "note"),
    ],
)
def test_disk_has_to_hold_a_training(free: int | None, writable: bool, level: str) -> None:
    found = judge_disk("this folder", Path("x"), free, writable=writable)
    assert found.level == level
    assert bool(found.remedy) == (level == "FAIL")


def test_cache_that_cannot_be_written_is_no_failure() -> None:
    assert judge_cache(Path("x"), GB, writable=True) == Finding("cache", "x, 1.0 GB free")
    for found in (judge_cache(Path("x"), GB, writable=False), judge_cache(None, None, writable=False)):
        assert found.level == "note"
        assert "XDG_CACHE_HOME" in found.remedy


def test_memory_fonts_and_displays() -> None:
    assert judge_memory(8 * GB, 6 * GB) == Finding("memory", "8.0 GB, 6.0 GB of it free")
    assert judge_memory(8 * GB, GB).level == "warn"
    assert judge_shared(64 * 2**20)[0].remedy == "start the container with: --shm-size=1g (or --ipc=host)"
    assert judge_shared(GB) == judge_shared(None) == []
    assert judge_font("NanumGothic", "", "linux").level == "ok"
    assert judge_font(None, "", "linux").remedy == "sudo apt install fonts-nanum"
    assert judge_font(None, "no matplotlib", "linux").level == "note"
    assert judge_display("win32", {}) == []
    assert judge_display("linux", {"DISPLAY": ":1"}) == [Finding("display", ":1")]
    assert judge_display("linux", {"DISPLAY": ""})[0].level == "note"
