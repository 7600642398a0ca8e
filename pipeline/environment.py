"""The project's own environment: ``.venv``, made from ``requirements.lock``, and the way into it.

Standard library only, and no syntax newer than Python 3.8's: this runs before anything is installed, and an older
Python must get far enough to be told so.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.errors import CropsortError

ROOT = Path(__file__).resolve().parent.parent
"""The folder that holds pyproject.toml."""

STAMP = ".ready"
"""The file in ``.venv`` that says for which packages it was finished; the Makefile looks at its age."""

LABEL_STAMP = ".ready-label"
"""The same for LabelImg."""

_LOCKS = {STAMP: "requirements.lock", LABEL_STAMP: "requirements-label.lock"}

_TEMPORARY = Path(".venv", "tmp")
_OLDEST = (3, 11)
_INTERRUPTED = 130

_HINT = """\
cropsort: boxes drawn in LabelImg train a detector, its crops a classifier, the results open in Excel.

The packages it needs are not installed yet. Set-up comes first, once (about {size}, some minutes):
  {python} -m pipeline setup    (or: make setup)

Then `{python} -m pipeline COMMAND`, or make with the same words:
  init      write a data.yaml for photos that you labelled
  label     draw boxes in LabelImg
  sample    draw a small labelled data set to try everything on
  train     train the detector and the classifier
  evaluate  score them on the test photos
  predict   sort the subjects in a folder of photos into a spreadsheet
Each explains itself with --help once set-up is done.
"""

_CHECK = """\
import torch, torchvision, typer
torchvision.ops.nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
"""

_AGAIN = "run the same command again: it goes on from here"
_FAILURES = (
    (
        r"No space left|Errno 28|Errno 122|quota exceeded|not enough space",
        "the disk is full",
        "room for what is fetched and for what it unpacks to ({size})",
        "free some and " + _AGAIN,
    ),
    (
        r"DO NOT MATCH THE HASHES",
        "a package is not the one that requirements.lock names",
        "the same bytes as when the lock was made",
        "a download may have been cut or changed on its way: set PIP_NO_CACHE_DIR=1 and run the same command again",
    ),
    (
        r"Permission denied|Access is denied|Errno 13|WinError 5\b|Read-only file system",
        "no permission to write",
        "a project folder that you may write to",
        "move the project, or close the programs that use .venv, and " + _AGAIN,
    ),
    (
        r"Connection|Max retries|Retrying|timed out|[Pp]roxy|SSL|name resolution|Network is unreachable|IncompleteRead",
        "the package index cannot be reached",
        "a network connection",
        "connect (behind a proxy set HTTPS_PROXY, for an index of your own PIP_INDEX_URL) and " + _AGAIN,
    ),
    (
        r"No matching distribution",
        "a package is not to be had for Python {python} on {system}",
        "64-bit Python 3.11 to 3.14 on Linux, Windows, or macOS 14 or later with Apple silicon",
        "set up with such a Python; where this is one, see that the package index can be reached",
    ),
)


def main() -> None:
    """Run a command; where its packages are missing, make them available first and run it there.

    Raises:
        SystemExit: with the command's exit code; 2 where the environment could not be made.
    """
    arguments = sys.argv[1:]
    try:
        check_python((sys.version_info[0], sys.version_info[1]))
        if arguments in (["setup"], ["setup", "--label"]):
            set_up(with_label="--label" in arguments)
            return
        if not has_packages():
            _run_in_venv(arguments)
            return
    except CropsortError as error:
        print(f"cropsort: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        print(f"cropsort: .venv - set-up was stopped - {_AGAIN}", file=sys.stderr)
        sys.exit(_INTERRUPTED)
    from pipeline import cli  # imports packages that the bare Python above does not have

    cli.main()


def set_up(root: Path = ROOT, *, with_label: bool = False) -> None:
    """Make or repair ``.venv`` and install exactly what ``requirements.lock`` names; nothing to do takes no time.

    Args:
        root: the project's folder.
        with_label: add LabelImg, as ``requirements-label.lock`` names it with what it needs.

    Raises:
        CropsortError: it could not be done; says why and what to do.
    """
    if is_ready(root):
        # The Makefile compares ages: a newer lock that says the same must not look newer for ever.
        with contextlib.suppress(OSError):
            (root / ".venv" / STAMP).touch()
    else:
        _take_time(root, _announce(root), _install)
    if with_label:
        _add_label(root)
    print(f".venv is ready. {_next_steps(with_label)}")


def is_ready(root: Path = ROOT, *, stamp: str = STAMP) -> bool:
    """Whether ``.venv`` was finished, in this folder, for what the stamp's lock and pyproject.toml say now."""
    written = root / ".venv" / stamp
    wanted = compute_fingerprint(root, lock=_LOCKS[stamp]).encode()
    return venv_python(root).exists() and written.is_file() and written.read_bytes() == wanted


def compute_fingerprint(root: Path, *, lock: str = "requirements.lock") -> str:
    """Hash what a finished ``.venv`` depends on.

    Args:
        root: the project's folder. It counts too: a project that was moved has to be installed again.
        lock: name of the file that says what is installed.

    Returns:
        A SHA-256 in hex of the lock, pyproject.toml's dependencies and commands, and the folder.

    Raises:
        CropsortError: a file is missing or pyproject.toml is not TOML.
    """
    import tomllib  # new in Python 3.11, and an older one has to be able to import this module

    try:
        pinned = (root / lock).read_bytes()
        project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    except FileNotFoundError as error:
        name = Path(str(error.filename)).name
        raise CropsortError("missing", where=name, remedy="set up in a clone of the project") from error
    except (tomllib.TOMLDecodeError, KeyError) as error:
        raise CropsortError(str(error), where="pyproject.toml", expected="TOML with a [project] table") from error
    keys = ("dependencies", "optional-dependencies", "scripts")
    said = json.dumps([str(root), {key: project.get(key) for key in keys}], sort_keys=True)
    return hashlib.sha256(pinned.replace(b"\r\n", b"\n") + said.encode()).hexdigest()


def check_python(version: tuple[int, int]) -> None:
    """Refuse a Python that is too old.

    Args:
        version: its major and minor version.

    Raises:
        CropsortError: it is too old.
    """
    if version < _OLDEST:
        oldest = ".".join(map(str, _OLDEST))
        raise CropsortError(
            "too old",
            where="Python {}.{}".format(*version),
            expected=f"Python {oldest} or newer",
            remedy=f"install one, then `python{oldest} -m pipeline setup`, or `make setup PYTHON=python{oldest}`",
        )


def check_modules(found: dict[str, bool]) -> None:
    """Refuse a Python that cannot make environments.

    Args:
        found: for each module that making one takes, whether this Python has it.

    Raises:
        CropsortError: a module is missing.
    """
    missing = [name for name in found if not found[name]]
    if missing:
        raise CropsortError(
            f"this Python comes without {' and '.join(missing)}",
            where=sys.executable,
            expected="a Python that can make environments",
            remedy="on Debian and Ubuntu: sudo apt install python3-venv",
        )


def has_packages() -> bool:
    """Whether this Python has the packages; only looks for the first and the last that a command needs."""
    return _has("typer") and _has("torch")


def venv_python(root: Path = ROOT) -> Path:
    """The Python of the project's ``.venv``."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def explain_failure(log: str) -> CropsortError:
    """Turn what pip or venv wrote into one line.

    Args:
        log: its standard error.

    Returns:
        The error, with pip's own last word on it.
    """
    lines = re.findall(r"^(?:ERROR|[\w.]*Error|[\w.]*Exception): *(.+)", log, re.MULTILINE) or log.strip().splitlines()
    said = lines[-1].strip().split(". ")[0][:200] if lines else "it gave no reason"
    facts = {
        "python": "{}.{}".format(*sys.version_info),
        "size": _size(),
        "system": sys.platform,
    }
    for pattern, found, expected, remedy in _FAILURES:
        if re.search(pattern, log):
            said = f"{found.format(**facts)} ({said})"
            return CropsortError(said, where=".venv", expected=expected.format(**facts), remedy=remedy)
    remedy = f"{_AGAIN}; where it fails the same way, delete .venv first"
    return CropsortError(f"pip failed ({said})", where=".venv", remedy=remedy)


def _has(module: str) -> bool:
    spec = importlib.util.find_spec(module)
    # A folder without __init__.py, which half an uninstall leaves, is found as well but has no origin.
    return spec is not None and spec.origin is not None


def _run_in_venv(arguments: list[str]) -> None:
    if not is_ready():
        if not arguments or {"--help", "-h", "--version"} & set(arguments):
            print(_HINT.format(size=_size(), python=_python_name()), end="")
            return
        print(f"'{arguments[0]}' needs packages that are not installed yet.", file=sys.stderr)
        # Standard output belongs to the command that was asked for.
        with contextlib.redirect_stdout(sys.stderr):
            set_up()
    _hand_over([str(venv_python()), "-m", "pipeline", *arguments])


def _hand_over(command: list[str]) -> None:
    sys.stdout.flush()
    if os.name != "nt":
        os.execv(command[0], command)
    # On Windows execv returns to the shell at once. Ctrl-C reaches both processes; the command decides what it means.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    sys.exit(subprocess.call(command))


def _take_time(root: Path, announcement: str, install: Callable[[Path], None]) -> None:
    started = time.monotonic()
    print(announcement, flush=True)
    try:
        install(root)
    except OSError as error:
        raise explain_failure(str(error)) from error
    print(f"Done after {time.monotonic() - started:.0f} s.")


def _add_label(root: Path) -> None:
    if is_ready(root, stamp=LABEL_STAMP):
        with contextlib.suppress(OSError):
            (root / ".venv" / LABEL_STAMP).touch()  # as above
    else:
        _take_time(root, "Adding LabelImg: about 80 MB to fetch, half a minute.", _install_label)


def _install_label(root: Path) -> None:
    (root / ".venv" / LABEL_STAMP).unlink(missing_ok=True)
    _remove_leftovers(root / ".venv")
    (root / _TEMPORARY).mkdir(exist_ok=True)
    # LabelImg itself is Python text only, and published as nothing but its source.
    wheels = ("--only-binary", ":all:", "--no-binary", "labelimg")
    _pip(root, "--require-hashes", *wheels, "--requirement", _LOCKS[LABEL_STAMP])
    shutil.rmtree(root / _TEMPORARY, ignore_errors=True)
    _write_stamp(root, LABEL_STAMP)


def _install(root: Path) -> None:
    # First of all: from here on, until the end, .venv is neither what it was nor what it shall be.
    (root / ".venv" / STAMP).unlink(missing_ok=True)
    _make_venv(root)
    _remove_leftovers(root / ".venv")
    (root / _TEMPORARY).mkdir(exist_ok=True)
    _pip(root, "--require-hashes", "--only-binary", ":all:", "--requirement", "requirements.lock")
    _pip(root, "--quiet", "--no-deps", "--no-build-isolation", "--editable", ".")
    _check_torch(root)
    shutil.rmtree(root / _TEMPORARY, ignore_errors=True)
    _write_stamp(root, STAMP)


def _make_venv(root: Path) -> None:
    python = str(venv_python(root))
    if not _succeeds([python, "-I", "-c", f"import sys; sys.exit(sys.version_info < {_OLDEST})"]):
        check_modules({name: _has(name) for name in ("venv", "ensurepip")})
        # --clear: what is there was made by a Python that is gone or too old.
        _run([sys.executable, "-m", "venv", "--clear", ".venv"], root)
    elif not _succeeds([python, "-I", "-m", "pip", "--version"]):
        _run([python, "-I", "-m", "ensurepip"], root)


def _remove_leftovers(venv: Path) -> None:
    """Remove what a pip that was stopped left behind.

    It takes a package for installed as soon as its metadata is there. INSTALLER is written after all of a package's
    files: where it is missing, so may be anything else. Folders named ``~...`` are packages it was about to replace.
    """
    for site in [*venv.glob("lib/python*/site-packages"), venv / "Lib" / "site-packages"]:
        unfinished = [info for info in site.glob("*.dist-info") if not (info / "INSTALLER").exists()]
        for folder in [*unfinished, *site.glob("~*")]:
            shutil.rmtree(folder, ignore_errors=True)
    shutil.rmtree(venv / _TEMPORARY.name, ignore_errors=True)


def _pip(root: Path, *options: str) -> None:
    # Its bars are for a terminal; in a log its hundred lines would only bury what goes wrong.
    quiet = [] if sys.stdout.isatty() else ["--quiet"]
    _run([str(venv_python(root)), "-I", "-m", "pip", "install", *quiet, *options], root)


def _run(command: list[str], root: Path) -> None:
    # A user's `user = true` in pip.conf cannot work in an environment.
    settings = {**os.environ, "PIP_USER": "0", "PIP_NO_INPUT": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
    if (root / _TEMPORARY).is_dir():
        # On the disk that .venv is on: /tmp is often small, and nobody clears it after a pip that was killed.
        settings.update(dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(root / _TEMPORARY)))
    with subprocess.Popen(
        command,
        cwd=root,
        env=settings,
        stdin=subprocess.DEVNULL,
        stdout=sys.stdout,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
    ) as process:
        try:
            log = process.communicate()[1]
        except KeyboardInterrupt:
            _stop(process)
            raise
    if process.returncode:
        raise explain_failure(log)


def _stop(process: subprocess.Popen[str]) -> None:
    """Let pip remove its temporary files: a terminal's Ctrl-C has reached it, a signal to this process has not."""
    try:
        process.communicate(timeout=2)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGTERM if os.name == "nt" else signal.SIGINT)
        process.communicate()


def _succeeds(command: list[str]) -> bool:
    try:
        return subprocess.run(command, check=False, capture_output=True).returncode == 0
    except OSError:
        return False


def _check_torch(root: Path) -> None:
    command = [str(venv_python(root)), "-I", "-W", "ignore", "-c", _CHECK]
    check = subprocess.run(command, cwd=root, check=False, capture_output=True, text=True, errors="replace")
    if check.returncode:
        said = (check.stderr.strip().splitlines() or [f"exit code {check.returncode}"])[-1]
        windows = "install the Microsoft Visual C++ Redistributable (x64) and run it again; "
        raise CropsortError(
            f"torch and torchvision do not work together ({said[:200]})",
            where=".venv",
            expected="builds made for each other",
            remedy=f"{windows if os.name == 'nt' else ''}delete .venv and run `{_python_name()} -m pipeline setup`",
        )


def _write_stamp(root: Path, stamp: str) -> None:
    written = root / ".venv" / stamp
    unfinished = written.with_suffix(".tmp")
    unfinished.write_text(compute_fingerprint(root, lock=_LOCKS[stamp]), encoding="utf-8")
    unfinished.replace(written)


def _announce(root: Path) -> str:
    if (root / ".venv").exists():
        return "Completing .venv: what is missing is fetched and installed, which may take some minutes."
    return f"Setting up .venv: about {_size()}, some minutes. It can be stopped, and goes on when run again."


def _size() -> str:
    return "3 GB to fetch, 6 GB on the disk" if sys.platform == "linux" else "0.5 GB to fetch, 1.2 GB on the disk"


def _next_steps(with_label: bool) -> str:
    command = "label" if with_label else "train"
    return f"Go on with `make {command}`, or `{_python_name()} -m pipeline {command}`."


def _python_name() -> str:
    return "python" if os.name == "nt" else "python3"
