"""Putting another build of torch into ``.venv`` than the lock names, and everything else as the lock names it."""

from __future__ import annotations

import re
from pathlib import Path

from pipeline.environment.builds import BUILDS, INDEX_VARIABLE, Build, index_url, name_packages, read_pins
from pipeline.environment.failures import NotFetchedError, python_name
from pipeline.environment.running import TEMPORARY, run_pip
from pipeline.environment.stamp import LOCKS, STAMP

_FAMILY = re.compile(r"(torch|torchvision|triton|cuda[-_].*|nvidia[-_](?!ml[-_]py).*)$")
"""What differs from build to build: torch, torchvision, and what they bring of CUDA."""


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
    wheels = ("--only-binary", ":all:")
    rest = root / TEMPORARY / "requirements.txt"
    rest.write_text(drop_torch(lock), encoding="utf-8")
    run_pip(root, "install", "--require-hashes", "--no-deps", *wheels, "--requirement", str(rest))
    try:
        # The small one first: what is there must not be given up for what cannot be had.
        small = ("--no-deps", "--dest", str(TEMPORARY), "--index-url", index, packages[-1])
        run_pip(root, "download", "--retries", "2", *wheels, *small)
        remove_other_build(root, build.tag)
        run_pip(root, "install", *wheels, "--index-url", index, *packages)
    except NotFetchedError as error:
        print(_say_missing(build, index, error), flush=True)
        return False
    return True


def drop_torch(lock: str) -> str:
    """The text of a lock without torch, torchvision and what they bring of CUDA."""
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE)
    return "".join(block for block in blocks if not _FAMILY.match(block.partition("==")[0]))


def remove_other_build(root: Path, tag: str) -> None:
    """Uninstall torch and its CUDA where it is of another build: both put files of one name into the same folders.

    Args:
        root: the project's folder.
        tag: the build that is wanted.
    """
    places = ("lib/python*/site-packages", "Lib/site-packages")
    found = [info.stem.partition("-") for place in places for info in (root / ".venv").glob(place + "/*.dist-info")]
    versions = {name: version for name, _, version in found}
    tags = [build.tag for build in BUILDS if versions.get("torch", "").endswith(f"+{build.tag}")]
    if "torch" in versions and tag not in (tags or [""]):
        run_pip(root, "uninstall", "--yes", *[name for name in versions if _FAMILY.match(name.lower())])


def _say_missing(build: Build, index: str, error: NotFetchedError) -> str:
    return (
        f"note: no build of torch for CUDA {build.cuda} from {index}: {error.found}. The plain one is taken, and the "
        f"CPU will be used. `{python_name()} -m pipeline setup` tries again; {INDEX_VARIABLE} may name a mirror."
    )
