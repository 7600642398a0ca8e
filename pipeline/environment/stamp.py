"""Where ``.venv`` lies, and whether it was finished for what the locks say now."""

from __future__ import annotations

import hashlib
import json
import os
import sys
from pathlib import Path

from pipeline.errors import CropsortError

ROOT = Path(__file__).resolve().parent.parent.parent
"""The folder that holds pyproject.toml."""

STAMP = ".ready"
"""The file in ``.venv`` that says for which packages it was finished; the Makefile looks at its age."""

LABEL_STAMP = ".ready-label"
"""The same for LabelImg."""

LOCKS = {STAMP: "requirements.lock", LABEL_STAMP: "requirements-label.lock"}
"""The file that says what is installed, for each stamp."""

_CORE = ("torch", "typer")


def is_ready(root: Path = ROOT, *, stamp: str = STAMP) -> bool:
    """Whether ``.venv`` was finished, in this folder, for what the stamp's lock and pyproject.toml say now.

    What was uninstalled since then leaves its stamp behind, so the first and the last package are looked for.
    """
    wanted = compute_fingerprint(root, lock=LOCKS[stamp])
    finished = venv_python(root).exists() and _read_stamp(root, stamp)[:1] == [wanted]
    return finished and set(_CORE) <= set(read_installed(root))


def is_inside(root: Path = ROOT) -> bool:
    """Whether this Python is that of ``.venv``."""
    # Where pyvenv.cfg is gone, only the path of the program still tells.
    places = (Path(sys.prefix), Path(sys.executable).parent.parent)
    return (root / ".venv").resolve() in [place.resolve() for place in places]


def read_installed(root: Path = ROOT) -> dict[str, str]:
    """Versions of what pip says is in ``.venv``, by package as its metadata's folder spells it."""
    places = ("lib/python*/site-packages", "Lib/site-packages")
    found = [info.stem.partition("-") for place in places for info in (root / ".venv").glob(place + "/*.dist-info")]
    return {name: version for name, _, version in found}


def read_tag(root: Path = ROOT) -> str:
    """The build of torch that ``.venv`` was finished with; empty for the plain one, or where it was not finished."""
    return "".join(_read_stamp(root, STAMP)[1:2])


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


def venv_python(root: Path = ROOT) -> Path:
    """The Python of the project's ``.venv``."""
    return root / ".venv" / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def write_stamp(root: Path, stamp: str, tag: str = "") -> None:
    """Say that ``.venv`` is finished for what the stamp's lock and pyproject.toml say now.

    Args:
        root: the project's folder.
        stamp: the file that says so.
        tag: the build of torch; empty for the plain one.
    """
    written = root / ".venv" / stamp
    unfinished = written.with_suffix(".tmp")
    unfinished.write_text(f"{compute_fingerprint(root, lock=LOCKS[stamp])}\n{tag}\n", encoding="utf-8")
    unfinished.replace(written)


def _read_stamp(root: Path, stamp: str) -> list[str]:
    try:
        return (root / ".venv" / stamp).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return []
