"""``cropsort doctor``: what is wrong with this machine and its packages, each thing with its remedy.

The standard library only, and what imports anything heavy runs in a process of its own: this has to answer where torch
or torchvision cannot be imported, or nothing is installed at all.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.cache import usual_cache
from pipeline.doctor.ask import Answer, ask
from pipeline.doctor.findings import Finding, Machine, Torch, name_python
from pipeline.doctor.judge_rest import (
    judge_cache,
    judge_disk,
    judge_display,
    judge_extras,
    judge_font,
    judge_imports,
    judge_memory,
    judge_packages,
    judge_shared,
)
from pipeline.doctor.judge_torch import judge_device, judge_gpus, judge_nms, judge_torch
from pipeline.environment import ROOT
from pipeline.environment.builds import read_pins, serves
from pipeline.environment.gpus import Gpu, ask_driver
from pipeline.environment.stamp import is_inside

__all__ = ["Finding", "examine", "fails", "run_bare", "show"]

_PACKAGES = ("torchvision", "ultralytics", "lightning", "numpy", "opencv-python", "pillow", "pandas", "typer")
_IMPORTED = {"cv2": "opencv-python", "numpy": "numpy", "PIL": "pillow", "pandas": "pandas", "typer": "typer"}
_KOREAN = "가나다힣"


def examine(data: Path | None = None) -> list[Finding]:
    """Look at everything.

    Args:
        data: a data.yaml, whose device is looked for; None for that of this folder, if there is one.

    Returns:
        The findings, in the order to read them in.
    """
    machine = _look_at_machine()
    answers, nms = _ask_all(data)
    said = answers["torch"]
    torch = _read_torch(said.value) if said.value else None
    versions = {package: _read_version(package) for package in _PACKAGES}
    return [
        Finding("python", f"{platform.python_version()}, {sys.executable}"),
        Finding("cropsort", f"{__version__}, {ROOT}"),
        *judge_packages(versions, machine),
        *judge_imports({_IMPORTED[name]: answers[name].error for name in _broken(answers)}, machine),
        judge_torch(torch, said.error, machine),
        *(judge_nms(nms, torch, versions, machine) if torch else ()),
        Finding("CPU", f"{os.cpu_count()} cores" + (f", torch uses {torch.threads} threads" if torch else "")),
        *judge_gpus(torch, machine),
        *_judge_data(answers.get("device"), torch),
        *_judge_places(answers, machine),
    ]


def show(findings: list[Finding], *, as_json: bool) -> str:
    """Lay the findings out.

    Args:
        findings: what was found.
        as_json: for a program, as a list of objects; else a line each, below it its remedy.
    """
    if as_json:
        return json.dumps([asdict(finding) for finding in findings], ensure_ascii=False, indent=2)
    width = max(len(finding.what) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.level:4}  {finding.what:{width}}  {finding.state}")
        if finding.remedy:
            lines.append(f"{'':{width + 6}}  -> {finding.remedy}")
    if any(" -m pip" in finding.remedy for finding in findings):
        lines += ["", f"Paste lines with -m into a terminal in the project's folder: {ROOT}"]
    failing = sum(finding.level == "FAIL" for finding in findings)
    return "\n".join([*lines, "", f"{failing} of these will fail" if failing else "nothing here will fail"])


def fails(findings: list[Finding]) -> bool:
    """Whether something will fail."""
    return any(finding.level == "FAIL" for finding in findings)


def run_bare(arguments: list[str]) -> int:
    """The command where not even typer is installed.

    Args:
        arguments: those after ``doctor``.

    Returns:
        Its exit code.
    """
    parser = argparse.ArgumentParser("cropsort doctor", description="Say what is wrong with this machine.")
    parser.add_argument("--data", type=Path, help="The data.yaml of the data set.")
    parser.add_argument("--json", action="store_true", help="Print the answer as JSON.")
    given = parser.parse_args(arguments)
    findings = examine(given.data)
    print(show(findings, as_json=given.json))
    return int(fails(findings))


def _look_at_machine() -> Machine:
    inside = is_inside()
    python = name_python(sys.executable, sys.platform, inside=inside)
    pins: dict[str, str] = {}
    with suppress(OSError):
        pins = read_pins((ROOT / "requirements.lock").read_text(encoding="utf-8"))
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    hidden = visible is not None and visible.strip() in ("", "-1")
    return Machine(sys.platform, platform.machine(), python, ask_driver(), pins, hidden, inside)


def _ask_all(data: Path | None) -> tuple[dict[str, Answer], dict[str, str]]:
    """Take all looks that take a process each, side by side; what nms said comes by device."""
    file = data or Path("data.yaml")
    with ThreadPoolExecutor() as pool:
        looks = {name: pool.submit(ask, "import", name) for name in _IMPORTED if importlib.util.find_spec(name)}
        looks |= {"font": pool.submit(ask, "font", _KOREAN), "memory": pool.submit(ask, "memory")}
        if data or file.is_file():
            looks["device"] = pool.submit(ask, "device", str(file))
        torch = ask("torch")
        devices = _list_devices(_read_torch(torch.value)) if torch.value else []
        nms = dict(zip(devices, pool.map(lambda device: ask("nms", device).error, devices), strict=True))
        return {"torch": torch, **{name: look.result() for name, look in looks.items()}}, nms


def _read_torch(said: dict[str, Any]) -> Torch:
    gpus = tuple(
        Gpu(gpu["name"], capability=tuple(gpu["capability"]), total_mib=gpu["total_mib"]) for gpu in said["gpus"]
    )
    return Torch(**{**said, "archs": tuple(said["archs"]), "gpus": gpus})


def _list_devices(torch: Torch) -> list[str]:
    """Those that torch can use, as it names them."""
    gpus = [f"cuda:{number}" for number, gpu in enumerate(torch.gpus) if serves(torch.archs, gpu.capability)]
    return ["cpu", *gpus, *(["mps"] if torch.mps else [])]


def _read_version(package: str) -> str:
    try:
        return version(package) or ""
    except PackageNotFoundError:
        return ""


def _broken(answers: dict[str, Answer]) -> list[str]:
    return [name for name in _IMPORTED if name in answers and answers[name].error]


def _judge_data(answer: Answer | None, torch: Torch | None) -> list[Finding]:
    if answer is None:
        return []
    if answer.error.startswith("No module named"):
        return [Finding("data.yaml", f"could not be read: {answer.error}", "note")]
    if answer.error:
        return [Finding("data.yaml", answer.error, "FAIL", "mend the file; cropsort check says more")]
    return [judge_device(answer.value, torch)]


def _judge_places(answers: dict[str, Answer], machine: Machine) -> list[Finding]:
    memory, font = answers["memory"], answers["font"]
    measured = Finding("memory", f"could not be measured: {memory.error}", "note")
    extras = {"LabelImg": _has("labelImg"), "OpenVINO": _has("openvino")}
    return [
        judge_memory(*memory.value) if memory.value else measured,
        *judge_shared(_free(Path("/dev/shm"), total=True) if machine.platform == "linux" else None),
        _look_at_folder("this folder", Path.cwd()),
        _look_at_folder("temporary files", Path(tempfile.gettempdir())),
        _look_at_cache(usual_cache()),
        judge_font(font.value, font.error, machine.platform),
        *judge_display(machine.platform, os.environ),
        *judge_extras(extras, machine),
    ]


def _look_at_folder(what: str, folder: Path) -> Finding:
    return judge_disk(what, folder, _free(folder), writable=_is_writable(folder))


def _look_at_cache(folder: Path | None) -> Finding:
    made = next((place for place in (folder, *folder.parents) if place.exists()), None) if folder else None
    return judge_cache(folder, _free(made) if made else None, writable=made is not None and _is_writable(made))


def _free(folder: Path, *, total: bool = False) -> int | None:
    try:
        usage = shutil.disk_usage(folder)
    except OSError:
        return None
    return usage.total if total else usage.free


def _is_writable(folder: Path) -> bool:
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"cropsort")
    except OSError:
        return False
    return True


def _has(module: str) -> bool:
    return importlib.util.find_spec(module) is not None
