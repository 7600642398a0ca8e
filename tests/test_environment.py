"""The environment: what the lock holds, and the way from a bare Python into ``.venv``."""

from __future__ import annotations

import ast
import importlib.metadata
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tomllib
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from pipeline import environment
from pipeline.environment.builds import BUILDS
from pipeline.environment.failures import size
from pipeline.environment.running import is_usable
from pipeline.errors import CropsortError

BARE = ("__init__.py", "__main__.py", "ending.py", "environment", "errors.py")
posix = pytest.mark.skipif(os.name == "nt", reason="the stand-in for .venv's Python is a shell script")


LOCKS = ("requirements.lock", "requirements-label.lock")
SITE = Path("lib", "python3.11", "site-packages")


def read_lock(file: str = "requirements.lock") -> dict[str, set[str]]:
    """Versions in a lock by package; one that differs by platform has several."""
    pinned: dict[str, set[str]] = {}
    text = (environment.ROOT / file).read_text(encoding="utf-8")
    for name, version in re.findall(r"^([a-z0-9._-]+)==(\S+)", text, re.MULTILINE):
        pinned.setdefault(canonicalize_name(name), set()).add(version)
    return pinned


def run_bare(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the package with a Python that has no packages: -S leaves site-packages out."""
    command = [sys.executable, "-S", "-m", "pipeline", *arguments]
    return subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, encoding="utf-8")


def write_venv_python(root: Path, script: str) -> None:
    """Put a shell script where ``.venv`` has its Python, and call the environment finished."""
    python = environment.venv_python(root)
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    python.chmod(0o755)
    finish(root)


def finish(root: Path) -> None:
    """Call the environment finished, with what pip leaves of the packages that are looked for."""
    for name in ("torch-2.15.0", "typer-0.29.2"):
        (root / ".venv" / SITE / f"{name}.dist-info").mkdir(parents=True, exist_ok=True)
        (root / ".venv" / SITE / f"{name}.dist-info" / "INSTALLER").touch()
    stamp = root / ".venv" / environment.STAMP
    stamp.write_text(environment.compute_fingerprint(root), encoding="utf-8")


def copy_project(root: Path) -> Path:
    (root / "pipeline").mkdir(parents=True)
    for name in BARE:
        place = environment.ROOT / "pipeline" / name
        copy = shutil.copytree if place.is_dir() else shutil.copy
        copy(place, root / "pipeline" / name)
    for name in ("pyproject.toml", *LOCKS):
        shutil.copy(environment.ROOT / name, root)
    return root.resolve()


@pytest.fixture(autouse=True)
def no_gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Hide the GPU of the machine that runs the tests: set-up would choose its build of torch."""
    program = tmp_path / "no gpu" / "nvidia-smi"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project in which nothing was set up, in a folder with a space and Korean in its name."""
    return copy_project(tmp_path / "내 project")


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose ``.venv`` has pip and nothing else, as after a set-up that was stopped early."""
    root = copy_project(tmp_path_factory.mktemp("begun") / "내 project")
    subprocess.run([sys.executable, "-m", "venv", root / ".venv"], check=True)
    return root


@pytest.fixture
def only_index(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A package index that takes connections and never answers, the only one that pip knows of."""
    for name in [name for name in os.environ if name.upper().startswith("PIP_") or name.upper().endswith("_PROXY")]:
        monkeypatch.delenv(name)
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
        monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.getsockname()[1]}/simple")
        monkeypatch.setenv("PIP_RETRIES", "1")
        server.settimeout(60)
        yield server


def test_lock_pins_a_torchvision_that_belongs_to_its_torch() -> None:
    lock = read_lock()
    installed = {name: importlib.metadata.version(name).split("+")[0] for name in ("torch", "torchvision")}
    assert {name: lock[name] for name in installed} == {name: {version} for name, version in installed.items()}
    wanted = [Requirement(line) for line in importlib.metadata.requires("torchvision") or []]
    torch = next(requirement for requirement in wanted if requirement.name == "torch")
    assert torch.specifier.contains(installed["torch"])


def test_torch_and_torchvision_work_together() -> None:
    import torch
    from torchvision.ops import nms

    boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [1.0, 1.0, 10.0, 10.0], [20.0, 20.0, 30.0, 30.0]])
    assert nms(boxes, torch.tensor([0.9, 0.8, 0.7]), 0.5).tolist() == [0, 2]


def test_lock_holds_every_requirement() -> None:
    lock = read_lock()
    project = tomllib.loads((environment.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"]
    wanted = [*project["project"]["dependencies"], *extras["dev"], *project["build-system"]["requires"]]
    for requirement in map(Requirement, wanted):
        versions = lock.get(canonicalize_name(requirement.name), set())
        assert versions, f"{requirement.name} is not in the lock: make lock"
        assert all(requirement.specifier.contains(version) for version in versions), requirement


def test_label_lock_holds_the_extra_and_nothing_that_everyone_needs() -> None:
    lock = read_lock("requirements-label.lock")
    project = tomllib.loads((environment.ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    for requirement in map(Requirement, project["project"]["optional-dependencies"]["label"]):
        versions = lock[canonicalize_name(requirement.name)]
        assert any(requirement.specifier.contains(version) for version in versions), requirement
    assert not set(lock) & set(read_lock()), "one lock would take back what the other installed"


def test_label_lock_has_a_qt_for_windows_and_another_for_macs_with_apple_silicon() -> None:
    text = (environment.ROOT / "requirements-label.lock").read_text(encoding="utf-8")
    assert "pyqt5-qt5==5.15.2 ; sys_platform == 'win32'" in text
    assert re.search(r"pyqt5-qt5==5\.15\.(1[89]|2\d) ; sys_platform != 'win32'", text)


@pytest.mark.parametrize("name", LOCKS)
def test_lock_names_no_host_and_hashes_everything(name: str) -> None:
    text = (environment.ROOT / name).read_text(encoding="utf-8")
    assert "://" not in text
    assert "--index" not in text
    assert "--find-links" not in text
    entries = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
    assert entries
    assert all("--hash=sha256:" in entry for entry in entries)
    assert text.startswith("#")
    assert "uv pip compile" in text.split("\n", 2)[1]


@pytest.mark.parametrize("arguments", [["--help"], [], ["predict", "--help"]])
def test_help_on_a_bare_python_says_that_set_up_comes_first(project: Path, arguments: list[str]) -> None:
    shown = run_bare(project, *arguments)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "-m pipeline setup" in shown.stdout
    assert all(
        f"  {command} " in shown.stdout for command in ("init", "label", "sample", "train", "evaluate", "predict")
    )
    assert not (project / ".venv").exists()


@pytest.mark.parametrize("version", [(3, 11), (3, 13), (4, 0)])
def test_python_is_new_enough(version: tuple[int, int]) -> None:
    environment.check_python(version)


@pytest.mark.parametrize("version", [(3, 8), (3, 10), (2, 7)])
def test_old_python_is_refused(version: tuple[int, int]) -> None:
    with pytest.raises(CropsortError, match=r"Python \d\.\d+ - too old - expected Python 3\.11 or newer - ") as caught:
        environment.check_python(version)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", BARE)
def test_old_python_can_parse_what_refuses_it(name: str) -> None:
    place = environment.ROOT / "pipeline" / name
    for file in sorted(place.glob("*.py")) if place.is_dir() else [place]:
        ast.parse(file.read_text(encoding="utf-8"), feature_version=(3, 8))


def test_python_without_ensurepip_is_refused_with_the_package_that_has_it() -> None:
    environment.check_modules({"venv": True, "ensurepip": True})
    with pytest.raises(CropsortError, match=r"without ensurepip - .*sudo apt install python3-venv"):
        environment.check_modules({"venv": True, "ensurepip": False})


def test_fingerprint_follows_the_lock_and_the_dependencies_only(project: Path) -> None:
    lock, settings = project / "requirements.lock", project / "pyproject.toml"
    before = environment.compute_fingerprint(project)
    lock.write_bytes(lock.read_bytes().replace(b"\n", b"\r\n"))
    settings.write_text(settings.read_text(encoding="utf-8") + "\n# a comment\n", encoding="utf-8")
    assert environment.compute_fingerprint(project) == before
    lock.write_bytes(lock.read_bytes() + b"one-more==1.0\n")
    with_one_more = environment.compute_fingerprint(project)
    settings.write_text(settings.read_text(encoding="utf-8").replace('"torch>=', '"torch>'), encoding="utf-8")
    assert len({before, with_one_more, environment.compute_fingerprint(project)}) == 3


def test_moved_project_is_set_up_again(project: Path, tmp_path: Path) -> None:
    before = environment.compute_fingerprint(project)
    moved = project.rename(tmp_path / "moved")
    assert environment.compute_fingerprint(moved) != before


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml"])
def test_missing_file_is_one_line(project: Path, name: str) -> None:
    (project / name).unlink()
    shown = run_bare(project, "setup")
    assert shown.returncode == 2
    assert shown.stderr.startswith(f"cropsort: {name} - missing - ")
    assert shown.stderr.count("\n") == 1


@posix
def test_finished_environment_is_ready_until_the_lock_changes(project: Path) -> None:
    assert not environment.is_ready(project)
    write_venv_python(project, "exit 0")
    assert environment.is_ready(project)
    shown = run_bare(project, "setup")
    assert shown.returncode == 0
    assert "make train" in shown.stdout
    (project / "requirements.lock").write_text("changed==1.0\n", encoding="utf-8")
    assert not environment.is_ready(project)


@posix
def test_label_is_installed_from_its_lock_and_found_ready(project: Path) -> None:
    write_venv_python(project, 'printf "%s\\n" "$*" >> called')
    shown = run_bare(project, "setup", "--label")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "Adding LabelImg" in shown.stdout
    assert "make label" in shown.stdout
    (call,) = [line for line in (project / "called").read_text(encoding="utf-8").splitlines() if "pip install" in line]
    assert "--require-hashes --only-binary :all: --no-binary labelimg" in call
    assert call.endswith("--requirement requirements-label.lock")
    assert environment.is_ready(project, stamp=environment.LABEL_STAMP)
    assert "Adding" not in run_bare(project, "setup", "--label").stdout
    (project / "requirements-label.lock").write_text("changed==1.0\n", encoding="utf-8")
    assert environment.is_ready(project)
    assert not environment.is_ready(project, stamp=environment.LABEL_STAMP)


@posix
def test_label_that_cannot_be_installed_is_one_line_and_not_ready(project: Path) -> None:
    write_venv_python(project, 'echo "ERROR: No matching distribution found for labelimg==1.8.6" >&2; exit 1')
    shown = run_bare(project, "setup", "--label")
    assert shown.returncode == 2
    assert shown.stderr.startswith("cropsort: .venv - a package is not to be had")
    assert not environment.is_ready(project, stamp=environment.LABEL_STAMP)


@posix
def test_ready_environment_without_its_python_is_not_ready(project: Path) -> None:
    write_venv_python(project, "exit 0")
    environment.venv_python(project).unlink()
    assert not environment.is_ready(project)


@posix
@pytest.mark.parametrize("package", ["torch-2.15.0", "typer-0.29.2"])
def test_environment_whose_packages_were_uninstalled_is_not_ready(project: Path, package: str) -> None:
    write_venv_python(project, "exit 0")
    shutil.rmtree(project / ".venv" / SITE / f"{package}.dist-info")
    assert not environment.is_ready(project)


@posix
def test_environment_that_lost_its_packages_does_not_start_itself_for_ever(project: Path) -> None:
    venv.create(project / ".venv", symlinks=True)
    finish(project)
    command = [str(environment.venv_python(project)), "-m", "pipeline", "train"]
    shown = subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", timeout=20, check=False)
    assert shown.returncode == 2
    assert shown.stderr.startswith("cropsort: .venv - torch or typer is not there, though set-up was finished - ")
    assert shown.stderr.endswith("delete .venv and run `python3 -m pipeline setup`\n")
    assert shown.stderr.count("\n") == 1


@posix
def test_environment_without_its_settings_is_not_usable(tmp_path: Path) -> None:
    venv.create(tmp_path / "내 .venv", symlinks=True)
    python = tmp_path / "내 .venv" / "bin" / "python"
    assert is_usable(python)
    (tmp_path / "내 .venv" / "pyvenv.cfg").unlink()
    assert not is_usable(python), "its pip would install into the system's Python"


@posix
def test_command_runs_in_the_environment_and_its_exit_code_is_kept(project: Path) -> None:
    write_venv_python(project, 'printf "[%s]" "$@"; exit 7')
    shown = run_bare(project, "predict", "내 사진 (1)", "--data", "it's $HOME.yaml")
    assert shown.stdout == "[-m][pipeline][predict][내 사진 (1)][--data][it's $HOME.yaml]"
    assert shown.returncode == 7


@posix
def test_doctor_goes_to_the_environment_however_unfinished_and_fetches_nothing(project: Path) -> None:
    write_venv_python(project, 'test "$2" = -c || printf "[%s]" "$@"; exit 0')
    (project / ".venv" / environment.STAMP).unlink()
    shown = run_bare(project, "doctor", "--json")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "[-m][pipeline][doctor][--json]", "")


@posix
def test_doctor_goes_to_the_environment_from_a_python_that_has_packages_too(project: Path) -> None:
    write_venv_python(project, 'test "$2" = -c || printf "[%s]" "$@"; exit 0')
    command = [sys.executable, "-m", "pipeline", "doctor"]
    shown = subprocess.run(command, cwd=project, check=False, capture_output=True, encoding="utf-8")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, "[-m][pipeline][doctor]", "")


def test_announced_size_is_that_of_the_build() -> None:
    assert {size(build) for build in BUILDS} == {"3 GB to fetch, 6 GB on the disk"}
    assert size(None).startswith("3 GB" if sys.platform == "linux" else "0.5 GB")
    assert "GB" not in str(environment.explain_failure("No space left")), "LabelImg is small, torch for CUDA large"


PIP_SAYS = {
    "disk": "ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device\n",
    "network": (
        "WARNING: Retrying (Retry(total=0, connect=None)) after connection broken by 'NewConnectionError("
        "'<HTTPSConnection object>: Failed to establish a new connection: [Errno 111] Connection refused')'\n"
        "ERROR: Could not find a version that satisfies the requirement torch==2.15.0 (from versions: none)\n"
        "ERROR: No matching distribution found for torch==2.15.0\n"
    ),
    "short": (
        "error: incomplete-download\n\n"
        "\u00d7 Download failed after 6 attempts because not enough bytes were received\n"
        "\u2502 (712.3 MB/2.6 GB)\n\u2570\u2500> URL: https://mirror.example/torch.whl\n\n"
        "note: This is an issue with network connectivity, not pip.\n"
        "hint: Use --resume-retries to configure resume attempt limit.\n"
    ),
    "refused": (
        "ERROR: HTTP error 403 while getting https://mirror.example/torch.whl\n"
        "ERROR: Could not install requirement torch==2.14.0+cu126 because of HTTP error 403 for it.\n"
    ),
    "cut": "Traceback (most recent call last):\npip._vendor.urllib3.exceptions.ReadTimeoutError: Read timed out.\n",
    "hash": "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE. If you have\n    Expected 1\n",
    "platform": "ERROR: No matching distribution found for torch==2.15.0\n",
    "permission": "ERROR: Could not install packages due to an OSError: [Errno 13] Permission denied: 'lib'\n",
    "unknown": "something else\nValueError: bad luck\n",
    "silent": "",
}


@pytest.mark.parametrize(
    ("case", "line"),
    [
        ("disk", ".venv - the disk is full (Could not install packages due to an OSError: [Errno 28] No space left"),
        ("network", ".venv - the package index cannot be reached (No matching distribution found for torch"),
        (
            "short",
            ".venv - the package index cannot be reached (incomplete-download) - expected a network connection - ",
        ),
        ("refused", ".venv - the package index cannot be reached (Could not install requirement torch==2.14.0+cu126"),
        ("cut", ".venv - the package index cannot be reached (Read timed out.) - expected a network connection - "),
        ("hash", ".venv - a package is not the one that requirements.lock names (THESE PACKAGES DO NOT MATCH"),
        ("platform", ".venv - a package is not to be had for Python 3."),
        ("permission", ".venv - no permission to write (Could not install packages"),
        ("unknown", ".venv - pip failed (bad luck) - run the same command again"),
        ("silent", ".venv - pip failed (it gave no reason) - "),
    ],
)
def test_what_pip_says_becomes_one_line_with_a_remedy(case: str, line: str) -> None:
    error = environment.explain_failure(PIP_SAYS[case])
    assert str(error).startswith(line)
    assert "\n" not in str(error)
    assert "again" in str(error) or "such a Python" in str(error)
    assert error.exit_code == 2


@pytest.mark.slow
def test_set_up_without_network_clears_what_was_unfinished_and_says_so(
    begun: Path, only_index: socket.socket, capfd: pytest.CaptureFixture[str]
) -> None:
    only_index.close()
    site = next((begun / ".venv").glob("[Ll]ib/**/site-packages"))
    leftovers = [site / "torch-1.0.dist-info", site / "~umpy", begun / ".venv" / "tmp" / "pip-unpack-1"]
    for folder in leftovers:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "METADATA").touch()
    with pytest.raises(CropsortError, match="the package index cannot be reached"):
        environment.set_up(begun)
    assert "Completing .venv" in capfd.readouterr().out
    assert not any(folder.exists() for folder in leftovers)
    assert list(site.glob("pip-*.dist-info"))
    assert not environment.is_ready(begun)


@pytest.mark.slow
@posix
def test_set_up_that_is_stopped_says_how_to_go_on_and_leaves_no_pip(begun: Path, only_index: socket.socket) -> None:
    command = [sys.executable, "-S", "-m", "pipeline", "train"]
    with subprocess.Popen(command, cwd=begun, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        connection, _ = only_index.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
            connection.settimeout(30)
            while connection.recv(4096):
                pass  # pip's request; the end comes when pip is gone
    assert process.returncode == 130
    assert out == "", "standard output belongs to the command that was asked for"
    assert err.splitlines()[-1].startswith("cropsort: .venv - set-up was stopped - run the same command again")
    assert not environment.is_ready(begun)
