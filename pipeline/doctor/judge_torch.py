"""Judging torch, torchvision and the GPUs: facts in, findings out."""

from __future__ import annotations

from collections.abc import Mapping

from pipeline.doctor.findings import Finding, Machine, Torch
from pipeline.environment.builds import (
    BUILDS,
    PLAIN,
    Build,
    choose_build,
    drives,
    fits,
    index_url,
    lowest_capability,
    name_packages,
    oldest_driver,
    serves,
    write_capability,
)
from pipeline.environment.gpus import Gpu

_DRIVERS_PAGE = "https://www.nvidia.com/drivers"


def judge_torch(torch: Torch | None, error: str, machine: Machine) -> Finding:
    """Whether torch can be imported.

    Args:
        torch: what it says of itself; None where it cannot be imported.
        error: why not.
        machine: where this runs.
    """
    if torch is not None:
        cuda = f"for CUDA {torch.cuda}" if torch.cuda else "without CUDA"
        return Finding("torch", f"{torch.version}, {cuda}")
    if "No module named 'torch'" in error:
        return Finding("torch", "not installed", "FAIL", machine.set_up())
    return Finding("torch", f"cannot be imported: {error}", "FAIL", _mend(error, machine))


def judge_nms(answers: Mapping[str, str], torch: Torch, versions: Mapping[str, str], machine: Machine) -> list[Finding]:
    """Whether torchvision belongs to torch: what its nms answered on each device.

    Args:
        answers: the error for each device; ``""`` where it worked.
        torch: what torch says of itself.
        versions: versions of what is installed, by package.
        machine: where this runs.
    """
    works = ", ".join(device for device, error in answers.items() if not error)
    found = [Finding("torchvision", f"{versions.get('torchvision', '?')}, nms works on {works}")] if works else []
    pair = f"torch {torch.version} and torchvision {versions.get('torchvision', '(missing)')} do not belong together"
    for device, error in answers.items():
        if error:
            remedy = _mend(error, machine, torch.version)
            found.append(Finding("torchvision", f"{pair}: nms on {device}: {error}", "FAIL", remedy))
    return found


def judge_gpus(torch: Torch | None, machine: Machine) -> list[Finding]:
    """Say of each GPU whether torch can use it, and why not."""
    driver = machine.driver
    if driver.complaint:
        reason = f"the NVIDIA driver does not answer: {driver.complaint}"
        return [Finding("GPU", reason, "warn", f"restart the machine, or install the driver anew: {_DRIVERS_PAGE}")]
    found = [_judge_gpu(gpu, torch, machine) for gpu in driver.gpus]
    if torch and not driver.gpus:
        found = [Finding("GPU", f"{gpu.name}{_describe_memory(gpu)}") for gpu in torch.gpus]
    if torch and torch.mps:
        found.append(Finding("GPU", "Apple's, through MPS"))
    if not found:
        found.append(Finding("GPU", "none; the CPU does the work", "note"))
    return found


def judge_device(wanted: str, torch: Torch | None) -> Finding:
    """Whether the device that data.yaml names is there.

    Args:
        wanted: data.yaml's ``device``.
        torch: what torch says of itself.
    """
    if torch is None:
        return Finding("device", f"{wanted} in data.yaml; torch must work first", "note")
    usable = [str(number) for number, gpu in enumerate(torch.gpus) if serves(torch.archs, gpu.capability)]
    there = ["auto", "cpu", *(["mps"] if torch.mps else []), *usable]
    if wanted in there:
        taken = (usable or (["mps"] if torch.mps else ["cpu"]))[0]
        return Finding("device", f"{wanted} in data.yaml" + (f", which takes {taken}" if wanted == "auto" else ""))
    remedy = f"write into data.yaml: device: auto ({' or '.join(there[1:])} would do as well)"
    return Finding("device", f"{wanted} in data.yaml cannot be used on this machine", "FAIL", remedy)


def _pip(machine: Machine, build: Build, options: str = "") -> str:
    """The command that installs a build."""
    known = build.torch or machine.pins
    packages = name_packages(build, machine.pins) if known else ["torch", "torchvision"]
    index = ["--index-url", index_url(build)] if build.tag else []
    return machine.install(" ".join(part for part in (options, *packages, *index) if part))


def _pip_anew(machine: Machine, build: Build) -> str:
    """The command that installs a build where pip would take what is there for it, or torch is broken."""
    if machine.inside and machine.platform == "linux":
        # CUDA has packages of its own here; a pip that is forced to bring them brings another numpy than the lock's.
        return f"{machine.python} -m pip uninstall --yes torch torchvision && {machine.set_up()}"
    return _pip(machine, build, "--force-reinstall --no-deps")


def _judge_gpu(gpu: Gpu, torch: Torch | None, machine: Machine) -> Finding:
    said = f"{gpu.name}{_describe_memory(gpu)}, driver {gpu.driver}"
    if torch is None:
        return Finding("GPU", said, "note")
    why = _explain(gpu, torch, machine)
    if not why:
        return Finding("GPU", said)
    if machine.hidden:
        return Finding("GPU", f"{said}: {why}", "note")
    return Finding("GPU", f"{said}: this torch cannot use it, {why}", "warn", _remedy(gpu, torch, machine))


def _explain(gpu: Gpu, torch: Torch, machine: Machine) -> str:
    """Why torch cannot use a GPU; empty where it can."""
    if machine.hidden:
        return "CUDA_VISIBLE_DEVICES hides it"
    if not torch.cuda:
        return f"torch {torch.version} is made without CUDA"
    if not serves(torch.archs, gpu.capability):
        lowest = lowest_capability(torch.archs)
        return f"it is made for compute capability {lowest} and newer, this GPU has {write_capability(gpu.capability)}"
    if not drives(gpu.driver, torch.cuda):
        return f"CUDA {torch.cuda} needs driver {oldest_driver(torch.cuda)} or newer"
    if not torch.gpus:
        return torch.complaint or "and it does not say why"
    return ""


def _remedy(gpu: Gpu, torch: Torch, machine: Machine) -> str:
    """A line to paste that makes the GPU usable; what else to do where there is no such line."""
    if torch.cuda and drives(gpu.driver, torch.cuda) and serves(torch.archs, gpu.capability):
        return f"restart the machine, or install the driver anew: {_DRIVERS_PAGE}"
    builds = (PLAIN, *BUILDS) if machine.platform == "linux" else BUILDS
    fitting = next((build for build in builds if fits(build, gpu)), None)
    if fitting:
        return _pip(machine, fitting) if fitting.tag or torch.cuda else _pip_anew(machine, fitting)
    drivers = [oldest_driver(build.cuda) for build in builds if serves(build.archs, gpu.capability)]
    if drivers:
        return f"install driver {min(drivers)} or newer: {_DRIVERS_PAGE}"
    return "no build of torch serves it any more; the CPU is used"


def _mend(error: str, machine: Machine, installed: str = "") -> str:
    """What makes torch and torchvision belong together again; ``installed`` is the version of torch, where known."""
    if machine.platform == "win32" and ("DLL" in error or "WinError" in error):
        return "winget install Microsoft.VCRedist.2015+.x64"
    build = choose_build(machine.driver.gpus, machine.platform, machine.architecture).build or PLAIN
    wanted = build.torch or machine.pins.get("torch", "")
    version, _, tag = installed.partition("+")
    if version == wanted and tag in _list_tags(build, machine):
        # What torch itself needs is there, and is best left as it is.
        return _pip(machine, build, "--force-reinstall --no-deps")
    # Without being told, pip takes 2.15.0+cpu for 2.15.0.
    taken = not installed or (version == wanted and not build.tag)
    return _pip_anew(machine, build) if taken else _pip(machine, build)


def _list_tags(build: Build, machine: Machine) -> tuple[str, ...]:
    """How the version of a build may end: the plain one says of itself what pip does not know it by."""
    if build.tag:
        return (build.tag,)
    has_cuda = machine.platform == "linux" and machine.architecture == "x86_64"
    return ("", "cu" + build.cuda.replace(".", "") if has_cuda else "cpu")


def _describe_memory(gpu: Gpu) -> str:
    if gpu.total_mib is None:
        return ""
    free = "" if gpu.free_mib is None else f", {gpu.free_mib / 1024:.1f} GB of it free"
    return f", {gpu.total_mib / 1024:.1f} GB{free}"
