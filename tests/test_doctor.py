"""The doctor in environments that are broken for real: it answers, names the remedy, and says by its exit code."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from pipeline.doctor import fails, show
from pipeline.doctor.ask import ask
from pipeline.doctor.findings import Finding
from pipeline.environment import ROOT
from pipeline.environment.stamp import is_inside

posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for nvidia-smi is a shell script")

TORCH = """\
import types
__version__ = "2.15.0"
version = types.SimpleNamespace(cuda="13.2", hip=None)
def _no_driver(): raise RuntimeError("Found no NVIDIA driver on your system.\\nPlease install one")
cuda = types.SimpleNamespace(init=_no_driver, get_arch_list=lambda: ["sm_75", "sm_90"])
backends = types.SimpleNamespace(mps=types.SimpleNamespace(is_available=lambda: False))
def get_num_threads(): return 2
def tensor(values, device): return values
"""
"""Enough of torch for the doctor; the real one takes seconds to load."""

NMS_MISSING = 'raise RuntimeError("operator torchvision::nms does not exist")\n'
NMS_WORKS = """\
import types
class Kept(list):
    def tolist(self): return list(self)
ops = types.SimpleNamespace(nms=lambda boxes, scores, iou: Kept([0]))
"""
CUDA_13 = "this torch cannot use it, it is made for compute capability 7.5 and newer, this GPU has 6.1"


def write_packages(folder: Path, **sources: str) -> Path:
    for name, source in sources.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(source, encoding="utf-8")
    return folder


def run_doctor(folder: Path, *arguments: str, packages: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run it in ``folder``, with packages in front of those that are installed."""
    path = os.pathsep.join(map(str, (packages, ROOT)))
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "doctor", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path, "PYTHONIOENCODING": "utf-8", **variables},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )


@posix
def test_broken_pair_old_gpu_and_a_device_that_is_not_there_have_each_a_remedy(tmp_path: Path) -> None:
    packages = write_packages(tmp_path / "내 packages", torch=TORCH, torchvision=NMS_MISSING)
    program = tmp_path / "bin" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\necho "580.95, 6144, 5900, 6.1, GTX 1060"\n', encoding="utf-8")
    program.chmod(0o755)
    (tmp_path / "images").mkdir()
    (tmp_path / "data.yaml").write_text("train: images\nnames: [a, b]\ndevice: 0\n", encoding="utf-8")
    answer = run_doctor(tmp_path, packages=packages, PATH=f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    assert (answer.returncode, answer.stderr) == (1, "")
    lines = answer.stdout.splitlines()
    wrong = [number for number, line in enumerate(lines) if line.startswith(("FAIL", "warn"))]
    pair, gpu, device = (number for number in wrong if lines[number].split()[1] in {"torchvision", "GPU", "device"})
    assert lines[pair].endswith("do not belong together: nms on cpu: operator torchvision::nms does not exist")
    assert lines[gpu].endswith(CUDA_13)
    assert "device" in lines[device]
    assert lines[device].endswith("0 in data.yaml cannot be used on this machine")
    mends = ".venv/bin/python -m pip install torch==2.14.0+cu126" if is_inside() else "-m pipeline setup"
    assert mends in lines[pair + 1]
    assert mends in lines[gpu + 1]
    assert "device: auto" in lines[device + 1]
    assert lines[-1] == "2 of these will fail"


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('raise ImportError("libcudart.so.13: cannot open shared object file")', "libcudart.so.13: cannot open"),
        ("import os\nos._exit(0)", "it ended without an answer"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "it was ended by SIGSEGV"),
    ],
)
@posix
def test_torch_that_breaks_or_crashes_is_an_answer(
    source: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(write_packages(tmp_path, torch=source)))
    assert ask("torch").error.startswith(said)


def test_torch_and_nms_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(write_packages(tmp_path, torch=TORCH, torchvision=NMS_WORKS)))
    said = ask("torch").value
    assert (said["gpus"], said["complaint"]) == ([], "Found no NVIDIA driver on your system.")
    assert ask("nms", "cpu").value == "cpu"


def test_look_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packages = write_packages(tmp_path, hangs="import time\ntime.sleep(60)\n")
    monkeypatch.setenv("PYTHONPATH", str(packages))
    assert ask("import", "hangs", seconds=1).error == "no answer after 1 s"
    assert ask("import", "no_such_thing").error == "No module named 'no_such_thing'"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that was not set up, beside a Python that has no packages."""
    venv.create(tmp_path / "bare", symlinks=True)
    project = tmp_path / "내 project"
    for name in ("environment", "doctor"):
        shutil.copytree(ROOT / "pipeline" / name, project / "pipeline" / name)
    for name in ("__init__.py", "__main__.py", "cache.py", "cli.py", "ending.py", "errors.py", "files.py"):
        shutil.copy(ROOT / "pipeline" / name, project / "pipeline")
    return project


def run_bare(project: Path) -> dict[str, dict[str, str]]:
    """What the Python beside the project finds, which is not well."""
    command = [str(project.parent / "bare" / "bin" / "python"), "-m", "pipeline", "doctor", "--json"]
    answer = subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", check=False)
    assert (answer.returncode, answer.stderr) == (1, "")
    return {finding["what"]: finding for finding in json.loads(answer.stdout)}


@posix
def test_bare_python_is_examined_as_it_is(project: Path) -> None:
    (project / "data.yaml").touch()
    found = run_bare(project)
    assert found["packages"]["remedy"].endswith("-m pipeline setup")
    assert (found["torch"]["state"], found["torch"]["level"]) == ("not installed", "FAIL")
    assert found["data.yaml"]["level"] == "note", "nothing is known to be wrong with it"
    assert not (project / ".venv").exists()


@posix
@pytest.mark.parametrize(
    ("typer", "said"),
    [
        ("raise ImportError('no click')", "cannot be imported: no click"),
        ("import no_such_part", "cannot be imported: No module named 'no_such_part'"),
        (None, "cannot be imported: it has no __init__.py"),
    ],
)
def test_half_a_typer_is_an_answer(project: Path, typer: str | None, said: str) -> None:
    (site,) = (project.parent / "bare").glob("lib/python*/site-packages")
    write_packages(site, torch=TORCH, typer=typer or "")
    if typer is None:
        (site / "typer" / "__init__.py").unlink()
    assert run_bare(project)["typer"]["state"] == said


@posix
def test_environment_of_an_old_python_is_not_taken(project: Path) -> None:
    python = project / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\ncase "$*" in *version_info*) exit 1;; esac\n', encoding="utf-8")
    python.chmod(0o755)
    assert run_bare(project)["packages"]["level"] == "FAIL"


def test_broken_data_yaml_is_an_answer(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("names: [a]\nepoch: 3\n", encoding="utf-8")
    assert ask("device", str(file)).error.startswith(f"{file}")
    assert ask("device", str(tmp_path / "none.yaml")).error


def test_lines_are_aligned_and_a_remedy_has_a_line_of_its_own() -> None:
    findings = [Finding("GPU", "none", "note"), Finding("torchvision", "broken", "FAIL", "pip install it")]
    assert show(findings, as_json=False).splitlines() == [
        "note  GPU          none",
        "FAIL  torchvision  broken",
        "                   -> pip install it",
        "",
        "1 of these will fail",
    ]
    assert fails(findings)
    pasted = show([Finding("torch", "none", "FAIL", ".venv/bin/python -m pip install torch")] * 2, as_json=False)
    assert pasted.count(f"in the project's folder: {ROOT}") == 1
    assert show(findings[:1], as_json=False).endswith("nothing here will fail")
    assert json.loads(show(findings, as_json=True))[1]["remedy"] == "pip install it"
