"""Set-up on a machine with an NVIDIA GPU: the build of torch that fits it, or the plain one and a word about it."""

from __future__ import annotations

import base64
import hashlib
import os
import platform
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from pipeline import environment
from pipeline.environment.stamp import read_tag
from pipeline.environment.torch_builds import drop_torch

pytestmark = pytest.mark.skipif(
    os.name == "nt" or sys.platform != "linux" or platform.machine() != "x86_64",
    reason="only x86-64 has a choice, and the stand-ins for programs are shell scripts",
)

GTX_1060 = "580.95, 6144, 5900, 6.1, GTX 1060"
RTX_3050 = "581.29, 4096, 3900, 8.6, RTX 3050"
SAID = "GTX 1060 (driver 580.95): the build of torch for CUDA 12.6 is taken, because CUDA 13.2 builds serve compute "
COMPLAINT = "Failed to initialize NVML: Driver/library version mismatch"
UNREACHED = "ERROR: No matching distribution found for torchvision==0.29.0+cu126"
BACKEND = """\
import zipfile
TEXTS = {
    "METADATA": "Metadata-Version: 2.1\\nName: cropsort\\nVersion: 0.1.0\\n",
    "WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "RECORD": "",
}
def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "cropsort-0.1.0-py3-none-any.whl"
    with zipfile.ZipFile(folder + "/" + name, "w") as wheel:
        for file, text in TEXTS.items():
            wheel.writestr("cropsort-0.1.0.dist-info/" + file, text)
    return name
"""
NMS = "class ops:\n    nms = lambda *arguments: None\n"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which nothing was set up."""
    root = tmp_path / "내 project"
    shutil.copytree(environment.ROOT / "pipeline" / "environment", root / "pipeline" / "environment")
    for name in ("pipeline/__init__.py", "pipeline/__main__.py", "pipeline/ending.py", "pipeline/errors.py"):
        shutil.copy(environment.ROOT / name, root / name)
    for name in ("pyproject.toml", "requirements.lock", "requirements-label.lock"):
        shutil.copy(environment.ROOT / name, root)
    return root.resolve()


def write_program(file: Path, script: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    file.chmod(0o755)


def run_setup(root: Path, gpu: str, **variables: str) -> str:
    """Set up beside a driver that knows one GPU, and give back what was said."""
    answer = try_setup(root, gpu, **variables)
    assert (answer.returncode, answer.stderr) == (0, "")
    return answer.stdout


def try_setup(root: Path, gpu: str, **variables: str) -> subprocess.CompletedProcess[str]:
    write_program(root / "bin" / "nvidia-smi", f'echo "{gpu}"; exit {18 if gpu == COMPLAINT else 0}')
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "CROPSORT_"))}
    return subprocess.run(
        [sys.executable, "-S", "-m", "pipeline", "setup"],
        cwd=root,
        env={**surroundings, "PATH": f"{root / 'bin'}{os.pathsep}{os.environ['PATH']}", **variables},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def write_venv_python(root: Path, script: str = "") -> None:
    """Have a shell script for ``.venv``'s Python, which writes down what pip is asked for."""
    record = 'case "$*" in *"pip install"*|*"pip download"*) printf "%s\\n" "$*" >> called;; esac'
    write_program(environment.venv_python(root), f"{record}\n{script}")
    if not find_site(root).exists():
        add_packages(root, "torch-2.15.0", "typer-0.29.2")


def find_site(root: Path) -> Path:
    return root / ".venv" / "lib" / "python3.11" / "site-packages"


def add_packages(root: Path, *packages: str) -> None:
    """Leave what pip leaves of a package that it installed."""
    for package in packages:
        info = find_site(root) / f"{package}.dist-info"
        info.mkdir(parents=True)
        (info / "INSTALLER").touch()


def take_calls(root: Path) -> list[str]:
    file = root / "called"
    calls = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    file.unlink(missing_ok=True)
    return [call for call in calls if "--editable" not in call]


def test_build_that_fits_is_taken_once_and_anew_for_another_gpu(project: Path) -> None:
    write_venv_python(project)
    said = run_setup(project, GTX_1060)
    assert SAID in said
    rest, fetched, pair, needs = take_calls(project)
    assert "--require-hashes --no-deps" in rest
    names = "torchvision==0.29.0+cu126 torch==2.14.0+cu126"
    assert fetched.endswith(f"--retries 2 --index-url https://download.pytorch.org/whl/cu126 {names}")
    assert pair.endswith(f"--no-deps --no-index --find-links .venv/tmp {names}")
    assert needs.endswith("/whl/cu126 torch==2.14.0+cu126 torchvision==0.29.0+cu126")
    assert (environment.is_ready(project), read_tag(project)) == (True, "cu126")
    assert "Done" not in run_setup(project, GTX_1060)
    assert take_calls(project) == []
    assert "RTX 3050 (driver 581.29): the plain build of torch" in run_setup(project, RTX_3050)
    (plain,) = take_calls(project)
    assert plain.endswith("--require-hashes --only-binary :all: --requirement requirements.lock")
    assert (environment.is_ready(project), read_tag(project)) == (True, "")


def test_build_that_cannot_be_had_is_said_and_tried_again(project: Path) -> None:
    write_venv_python(project, f'case "$*" in *download*) echo "{UNREACHED}" >&2; exit 1;; esac')
    said = run_setup(project, GTX_1060, CROPSORT_TORCH_INDEX="https://mirror.example/")
    assert "note: no build of torch for CUDA 12.6 from https://mirror.example/cu126: a package is not to be had" in said
    assert "the CPU will be used. `python3 -m pipeline setup` tries again" in said
    assert take_calls(project)[-1].endswith("--requirement requirements.lock")
    assert environment.is_ready(project), "the commands run all the same"
    write_venv_python(project)
    run_setup(project, GTX_1060)
    assert read_tag(project) == "cu126"


def test_other_build_is_removed_before_this_one_is_installed(project: Path) -> None:
    record = 'case "$*" in *"pip uninstall"*) printf "%s\\n" "$*" >> called;; esac'
    write_venv_python(project, record)
    add_packages(project, "nvidia_cudnn_cu13-9.26.0.51", "nvidia_ml_py-13.6", "triton-3.9.0", "numpy-2.4.6")
    run_setup(project, GTX_1060)
    _, fetched, removed, *_ = take_calls(project)
    assert "download" in fetched, "nothing is given up before its successor is there"
    assert "torch==2.14.0+cu126" in fetched
    assert sorted(removed.split("--yes ")[1].split()) == ["nvidia_cudnn_cu13", "torch", "triton"]
    change_torch(project, "2.14.0+cu126")
    run_setup(project, RTX_3050)
    fetched, removed, pair, plain = take_calls(project)
    assert "download --quiet --no-deps" in fetched
    assert "uninstall" in removed
    assert "--require-hashes --requirement" in fetched
    assert fetched.partition("--require-hashes")[2] == pair.partition("--require-hashes")[2]
    assert plain.endswith("requirements.lock")


def change_torch(root: Path, version: str) -> None:
    (torch,) = find_site(root).glob("torch-*")
    torch.rename(torch.with_name(f"torch-{version}.dist-info"))


@pytest.mark.parametrize(
    ("gpu", "there", "code", "line"),
    [
        (GTX_1060, "2.15.0", 0, "note: no build of torch for CUDA 12.6 from"),
        (RTX_3050, "2.14.0+cu126", 2, "cropsort: .venv - the package index cannot be reached"),
    ],
)
def test_build_stays_where_its_successor_cannot_be_fetched(
    project: Path, gpu: str, there: str, code: int, line: str
) -> None:
    gone = 'case "$*" in *"pip uninstall"*) touch uninstalled;; esac'
    cut = 'case "$*" in *download*) echo "error: incomplete-download" >&2; exit 1;; esac'
    write_venv_python(project, f"{gone}\n{cut}")
    change_torch(project, there)
    answer = try_setup(project, gpu)
    assert answer.returncode == code
    assert line in answer.stdout + answer.stderr
    assert not (project / "uninstalled").exists()


def test_build_that_is_there_is_not_fetched_again(project: Path) -> None:
    write_venv_python(project)
    change_torch(project, "2.14.0+cu126")
    add_packages(project, "torchvision-0.29.0+cu126")
    run_setup(project, GTX_1060)
    assert [call for call in take_calls(project) if "pip download" in call or "--no-index" in call] == []


@pytest.mark.parametrize("driver", [COMPLAINT, ""])
def test_driver_that_fails_for_a_moment_takes_no_build_away(project: Path, driver: str) -> None:
    write_venv_python(project)
    run_setup(project, GTX_1060)
    change_torch(project, "2.14.0+cu126")
    add_packages(project, "torchvision-0.29.0+cu126")
    take_calls(project)
    assert "Done" not in run_setup(project, driver)
    assert take_calls(project) == []
    with (project / "requirements.lock").open("a", encoding="utf-8") as lock:
        lock.write("# changed\n")
    write_venv_python(project, 'case "$*" in *requirements.txt) echo "error: incomplete-download" >&2; exit 1;; esac')
    assert try_setup(project, driver).returncode == 2
    write_venv_python(project)
    said = run_setup(project, driver)
    assert "the NVIDIA driver names no GPU now" in said
    assert "the build of torch for CUDA 12.6 stays" in said
    assert take_calls(project)[-1].endswith("/whl/cu126 torch==2.14.0+cu126 torchvision==0.29.0+cu126")
    assert read_tag(project) == "cu126"


def test_lock_without_torch_keeps_all_else() -> None:
    lock = (environment.ROOT / "requirements.lock").read_text(encoding="utf-8")
    names = {line.partition("==")[0] for line in lock.splitlines() if line[:1].isalnum()}
    kept = {line.partition("==")[0] for line in drop_torch(lock).splitlines() if line[:1].isalnum()}
    dropped = names - kept
    assert {"torch", "torchvision", "triton", "nvidia-cudnn-cu13", "cuda-toolkit"} <= dropped
    assert {"torchmetrics", "nvidia-ml-py", "numpy", "ultralytics"} <= kept
    assert all(name.startswith(("torch", "triton", "nvidia-", "cuda-")) for name in dropped)
    assert "--hash" in drop_torch(lock)


def write_wheel(index: Path, name: str, version: str, source: str) -> str:
    """Write a wheel that holds one module, with its page of the index; give back its line of a lock."""
    folder = index / name
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    texts = {
        f"{name}.py": source,
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    hashes = {path: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for path, text in texts.items()}
    rows = [f"{path},sha256={digest.decode().rstrip('=')},{len(texts[path])}" for path, digest in hashes.items()]
    with zipfile.ZipFile(file, "w") as wheel:
        for path, text in {**texts, f"{info}/RECORD": "\n".join([*rows, f"{info}/RECORD,,"])}.items():
            wheel.writestr(path, text)
    links = "".join(f'<a href="{path.name}">{path.name}</a>' for path in sorted(folder.glob("*.whl")))
    (folder / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>", encoding="utf-8")
    return f"{name}=={version} \\\n    --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"


@pytest.mark.slow
def test_real_pip_takes_the_build_falls_back_and_changes_over(project: Path, tmp_path: Path) -> None:
    torch = "def tensor(values): return values\nBUILD = {!r}\n"
    plain, mirror = tmp_path / "simple", tmp_path / "mirror"
    wheels = {"typer": ("0.1", ""), "torch": ("2.15.0", torch.format("plain")), "torchvision": ("0.29.2", NMS)}
    lock = "".join(write_wheel(plain, name, version, source) for name, (version, source) in wheels.items())
    (project / "requirements.lock").write_text(lock, encoding="utf-8")
    (project / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
        '[project]\nname = "cropsort"\nversion = "0.1.0"\n',
        encoding="utf-8",
    )
    (project / "backend.py").write_text(BACKEND, encoding="utf-8")
    indexes = {
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_INDEX_URL": plain.as_uri(),
        "CROPSORT_TORCH_INDEX": mirror.as_uri(),
    }

    def installed() -> str:
        command = [str(environment.venv_python(project)), "-I", "-c", "import torch; print(torch.BUILD)"]
        return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()

    said = run_setup(project, GTX_1060, **indexes)
    assert "note: no build of torch for CUDA 12.6" in said
    assert installed() == "plain"
    write_wheel(mirror / "cu126", "torch", "2.14.0+cu126", torch.format("cu126"))
    write_wheel(mirror / "cu126", "torchvision", "0.29.0+cu126", NMS)
    assert "note" not in run_setup(project, GTX_1060, **indexes)
    assert (installed(), read_tag(project)) == ("cu126", "cu126")
    run_setup(project, RTX_3050, **indexes)
    assert (installed(), read_tag(project)) == ("plain", "")
