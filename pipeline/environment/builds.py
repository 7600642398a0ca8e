"""Which build of torch fits a machine's NVIDIA GPUs."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from typing import NamedTuple

from pipeline.environment.gpus import Gpu

INDEX_VARIABLE = "CROPSORT_TORCH_INDEX"
"""Environment variable with the address of a mirror of ``INDEX``."""

INDEX = "https://download.pytorch.org/whl"
"""Where builds of torch for other versions of CUDA are to be had, each below its tag."""

# By the first number of CUDA's version; https://docs.nvidia.com/deploy/cuda-compatibility/ has the table.
_OLDEST_DRIVERS = {11: 450, 12: 525, 13: 580}


class Build(NamedTuple):
    """A build of torch.

    Args:
        tag: its folder on the index and the end of its version; empty for the one of the lock.
        cuda: version of CUDA that it holds.
        archs: what it has kernels for, as ``torch.cuda.get_arch_list`` names them.
        torch: its version; empty for the lock's.
        torchvision: the version that belongs to it; empty for the lock's.
    """

    tag: str
    cuda: str
    archs: tuple[str, ...]
    torch: str = ""
    torchvision: str = ""


class Choice(NamedTuple):
    """The build for a machine.

    Args:
        build: it; None for the one of the lock where no GPU has a say, or none can be served.
        reason: why, in a line; empty where there is nothing to say.
    """

    build: Build | None
    reason: str


# Architectures and the last release of a CUDA: RELEASE.md of pytorch/pytorch ("PyTorch CUDA Support Matrix") and its
# issues 190355 (2.14: CUDA 12.6, 13.0, 13.2) and 190385 (2.15 drops CUDA 12.6, and with it all before Turing).
_TURING_ON = ("sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120")
_MAXWELL_ON = ("sm_50", "sm_60", "sm_70", "sm_75", "sm_80", "sm_86", "sm_90")
PLAIN = Build("", "13.2", _TURING_ON)
"""What PyPI has for Linux, and the lock names."""

_CU130 = Build("cu130", "13.0", _TURING_ON)
_CU126 = Build("cu126", "12.6", _MAXWELL_ON, "2.14.0", "0.29.0")
BUILDS = (_CU130, _CU126)
"""Those that are not on PyPI, newest first."""


def serves(archs: tuple[str, ...], capability: tuple[int, int] | None) -> bool:
    """Whether a build has kernels for a GPU; also True where that cannot be known.

    Args:
        archs: as ``torch.cuda.get_arch_list`` names them: ``sm_86`` runs on 8.6 to 8.9, ``compute_90`` on all from 9.0.
        capability: the GPU's.
    """
    known = [re.match(r"(sm|compute)_(\d+)(\d)", arch) for arch in archs]
    if capability is None or not archs or None in known:  # AMD's are named otherwise
        return True
    return any(
        (int(arch[2]), int(arch[3])) <= capability and (arch[1] == "compute" or int(arch[2]) == capability[0])
        for arch in known
        if arch
    )


def drives(driver: str, cuda: str) -> bool:
    """Whether a driver is new enough for a version of CUDA; also True where one of them is not known."""
    return not driver or _major(driver) >= oldest_driver(cuda)


def oldest_driver(cuda: str) -> int:
    """The first number of the oldest driver that a version of CUDA works with; 0 where it is not known."""
    return _OLDEST_DRIVERS.get(_major(cuda), 0)


def choose_build(gpus: tuple[Gpu, ...], platform: str, machine: str) -> Choice:
    """Choose the newest build that serves the most of the GPUs.

    Args:
        gpus: as the driver knows them.
        platform: ``sys.platform``.
        machine: ``platform.machine()``; there is a choice on x86-64 only.

    Returns:
        The build, None for the plain one, and why.
    """
    if not gpus or machine.lower() not in ("x86_64", "amd64") or platform not in ("linux", "win32"):
        return Choice(None, "")
    builds = (PLAIN, _CU126) if platform == "linux" else BUILDS
    best = max(builds, key=lambda build: sum(fits(build, gpu) for gpu in gpus))
    served = next((gpu for gpu in gpus if fits(best, gpu)), None)
    if served is None:
        return Choice(None, f"{_describe(gpus[0])} is of no use to torch: {explain_unfit(PLAIN, gpus[0])}")
    if best is PLAIN:
        return Choice(None, f"{_describe(served)}: the plain build of torch, for CUDA {PLAIN.cuda}, fits")
    taken = f"{_describe(served)}: the build of torch for CUDA {best.cuda} is taken"
    if best is not _CU126:
        return Choice(best, f"{taken}, because the plain one for Windows has no CUDA")
    return Choice(best, f"{taken}, because {explain_unfit(builds[0], _hindrance(builds[0], gpus))}")


def fits(build: Build, gpu: Gpu) -> bool:
    """Whether a build can use a GPU."""
    return serves(build.archs, gpu.capability) and drives(gpu.driver, build.cuda)


def explain_unfit(build: Build, gpu: Gpu) -> str:
    """Say why a build cannot use a GPU, in a few words."""
    if not serves(build.archs, gpu.capability):
        return (
            f"CUDA {build.cuda} builds serve compute capability {lowest_capability(build.archs)} and newer, "
            f"this one has {write_capability(gpu.capability)}"
        )
    return f"CUDA {build.cuda} needs driver {oldest_driver(build.cuda)} or newer, this one is {gpu.driver}"


def lowest_capability(archs: tuple[str, ...]) -> str:
    """The oldest compute capability among architectures, such as ``7.5``."""
    numbers = [int(number) for arch in archs for number in re.findall(r"_(\d+)", arch)]
    return "{}.{}".format(*divmod(min(numbers), 10)) if numbers else "?"


def write_capability(capability: tuple[int, int] | None) -> str:
    """A compute capability as NVIDIA writes it, such as ``8.6``."""
    return "{}.{}".format(*capability) if capability else "an unknown one"


def name_packages(build: Build, pins: Mapping[str, str]) -> list[str]:
    """What pip is asked for to get a build.

    Args:
        build: it.
        pins: versions that the lock names, by package.
    """
    versions = {"torch": build.torch or pins["torch"], "torchvision": build.torchvision or pins["torchvision"]}
    end = f"+{build.tag}" if build.tag else ""
    return [f"{name}=={version}{end}" for name, version in versions.items()]


def index_url(build: Build) -> str:
    """The package index that has a build."""
    return os.environ.get(INDEX_VARIABLE, INDEX).rstrip("/") + "/" + build.tag


def read_pins(lock: str) -> dict[str, str]:
    """Versions in the text of a lock, by package; where they differ by Python, those for this one."""
    entry = r"^([a-z0-9._-]+)==(\S+)(?: ; python_full_version (<|>=) '(\d+)\.(\d+)')?"
    return {
        name: version
        for name, version, sign, major, minor in re.findall(entry, lock, re.MULTILINE)
        if not sign or (sys.version_info[:2] < (int(major), int(minor))) == (sign == "<")
    }


def _describe(gpu: Gpu) -> str:
    return f"{gpu.name} (driver {gpu.driver})"


def _hindrance(build: Build, gpus: tuple[Gpu, ...]) -> Gpu:
    return next(gpu for gpu in gpus if not fits(build, gpu))


def _major(version: str) -> int:
    number = re.match(r"\d+", version)
    return int(number[0]) if number else 0
