"""Putting another build of torch into ``.venv`` than the lock names, and everything else as the lock names it."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.environment.builds import BUILDS, INDEX_VARIABLE, Build, index_url, name_packages, read_pins
from pipeline.environment.failures import NotFetchedError, python_name
from pipeline.environment.running import TEMPORARY, run_pip
from pipeline.environment.stamp import LOCKS, STAMP, read_installed

_FAMILY = re.compile(r"(torch|torchvision|triton|cuda[-_].*|nvidia[-_](?!ml[-_]py).*)$")
"""What differs from build to build: torch, torchvision, and what they bring of CUDA."""

_PAIR = re.compile(r"(torch|torchvision)$")
_WHEELS = ("--only-binary", ":all:")


def add_build(root: Path, build: Build) -> bool:
    """Install the lock with another build of torch.

    Args:
        root: the project's folder.
        build: the build.

    Returns:
        Whether it could be had. Where not, it is said, and ``.venv`` is not complete yet.
    """
    lock = (root / LOCKS[STAMP]).read_text(encoding="utf-8")
    packages, index = name_packages(build, read_pins(lock)), index_url(build)
    rest = root / TEMPORARY / "requirements.txt"
    rest.write_text(drop_torch(lock), encoding="utf-8")
    run_pip(root, "install", "--require-hashes", "--no-deps", *_WHEELS, "--requirement", str(rest))
    try:
        if not set(packages) <= {f"{name}=={version}" for name, version in read_installed(root).items()}:
            # torchvision first: where there is none, that is known before the large one is fetched.
            _change_over(root, build.tag, packages[::-1], "--retries", "2", "--index-url", index)
        run_pip(root, "install", *_WHEELS, "--index-url", index, *packages)
    except NotFetchedError as error:
        print(_say_missing(build, index, error), flush=True)
        return False
    return True


def put_plain_back(root: Path) -> None:
    """Put the lock's torch and torchvision in the place of another build, where one is installed.

    Args:
        root: the project's folder.

    Raises:
        CropsortError: it could not be done; what was there stays where its successor cannot be fetched.
    """
    if not _has_other_build(root, ""):
        return
    pair = root / TEMPORARY / "torch.txt"
    blocks = _split((root / LOCKS[STAMP]).read_text(encoding="utf-8"))
    pair.write_text("".join(block for name, block in blocks if _PAIR.match(name)), encoding="utf-8")
    _change_over(root, "", ["--require-hashes", "--requirement", str(pair)])


def drop_torch(lock: str) -> str:
    """The text of a lock without torch, torchvision and what they bring of CUDA."""
    return "".join(block for name, block in _split(lock) if not _FAMILY.match(name))


def _split(lock: str) -> list[tuple[str, str]]:
    """A lock's packages, each with its lines."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return [(block.partition("==")[0], block) for block in blocks]


def _change_over(root: Path, tag: str, wanted: list[str], *source: str) -> None:
    """Fetch torch and torchvision, and only then give up those of another build.

    Both put files of one name into the same folders, so that the old ones have to go before the new ones come.
    """
    place = str(TEMPORARY)
    run_pip(root, "download", "--no-deps", *_WHEELS, "--dest", place, *source, *wanted)
    if _has_other_build(root, tag):
        run_pip(root, "uninstall", "--yes", *[name for name in read_installed(root) if _FAMILY.match(name.lower())])
    run_pip(root, "install", "--no-deps", "--no-index", "--find-links", place, *wanted)


def _has_other_build(root: Path, tag: str) -> bool:
    version = read_installed(root).get("torch")
    tags = [build.tag for build in BUILDS if version and version.endswith(f"+{build.tag}")]
    return version is not None and tag not in (tags or [""])


def _say_missing(build: Build, index: str, error: NotFetchedError) -> str:
    return (
        f"note: no build of torch for CUDA {build.cuda} from {index}: {error.found}. The plain one is taken, and the "
        f"CPU will be used. `{python_name()} -m pipeline setup` tries again; {INDEX_VARIABLE} may name a mirror."
    )
