"""Converted networks are kept beside their weights, so that only the first run on them pays for it."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path

from pipeline.apart_child import is_out_of_memory
from pipeline.cache import cache_folder
from pipeline.engine.choosing import Precision
from pipeline.engine.converting import Recipe, convert, save
from pipeline.engine.network import Network
from pipeline.errors import CropsortError, OutputError, WeightsError
from pipeline.files import output_error
from pipeline.weights import TRAIN_FIRST

FOLDER = "openvino"

_MODEL = "network.xml"
_FORMAT = 1
"""Of what is kept; networks kept in another are made again."""

_CHUNK = 1 << 20


def open_network(weights: Path, recipe: Recipe, precision: Precision) -> Network | None:
    """The network of a stage, made the first time and kept: beside its weights, or where that cannot be, in the cache.

    Args:
        weights: the file of the weights.
        recipe: what it is made of them by.
        precision: ``int8`` networks are there or not; ``cropsort export --int8`` makes them.

    Returns:
        None where OpenVINO is missing or can do nothing with such a network, which is said.

    Raises:
        WeightsError: the weights cannot be worked with, or there is no network of 8 bits.
    """
    name = network_name(weights, recipe, precision)
    if precision == "int8":
        return Network(_need_int8(weights, name))
    try:
        return Network(find_network(weights, name) or _make(weights, recipe, name))
    except CropsortError:
        raise
    except Exception as error:  # torch's tracing and OpenVINO raise anything on a network that is strange to them
        if is_out_of_memory(error):
            raise
        _say_once(f"note: {recipe.stage}: torch is used, since OpenVINO cannot ({_first_line(error)})")
        return None


def network_name(weights: Path, recipe: Recipe, precision: Precision) -> str:
    """Name of the folder that a network is kept in, by all that makes it what it is.

    One of 8 bits stays good when another OpenVINO is installed, which would not make it again by itself.

    Raises:
        WeightsError: there are no weights.
    """
    if not weights.is_file():
        raise WeightsError("no such file", where=weights, remedy=TRAIN_FIRST)
    digest = hashlib.sha256(repr((_FORMAT, recipe.traits)).encode())
    if precision == "fp32":
        digest.update("\n".join(_version(package) for package in ("openvino", "torch", "ultralytics", "timm")).encode())
    with weights.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return f"{recipe.stage}-{precision}-{digest.hexdigest()[:20]}"


def find_network(weights: Path, name: str) -> Path | None:
    """Where a network is kept; None where it is not."""
    kept = (place / name / _MODEL for place in _places(weights))
    return next((path for path in kept if path.is_file() and path.with_suffix(".bin").is_file()), None)


def keep_network(weights: Path, name: str, write: Callable[[Path], None], *, anew: bool = False) -> Path:
    """Keep a network, whole or not at all; where another process was faster its network is taken.

    Args:
        weights: the file of the weights.
        name: its ``network_name``.
        write: writes it to the path that it is given.
        anew: it takes the place of one with that name, as those of 8 bits do, which are named by their weights and not
            by the photos that their ranges were measured on.

    Returns:
        Where it is kept.

    Raises:
        OutputError: it can be written neither beside the weights nor into the cache; or what it is to replace cannot be
            removed, which would be found first.
    """
    refused: OutputError | None = None
    for place in _places(weights):
        try:
            return _keep(place, name, write, anew=anew)
        except OSError as error:
            refused = refused or output_error(error, place)
            if anew and (place / name).exists():
                raise refused from error
    assert refused is not None  # there are two places
    raise refused


def _make(weights: Path, recipe: Recipe, name: str) -> Path:
    built = recipe.build()
    model = convert(built)
    return keep_network(weights, name, lambda path: save(model, path, built.facts))


def hash_int8(weights: Path, recipe: Recipe) -> bytes:
    """SHA-256 of a stage's network of 8 bits; nothing where there is none."""
    path = find_network(weights, network_name(weights, recipe, "int8"))
    if path is None:
        return b""
    total = hashlib.sha256()
    for file in (path, path.with_suffix(".bin")):
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.digest()


def _need_int8(weights: Path, name: str) -> Path:
    path = find_network(weights, name)
    if path is None:
        remedy = "make it once: cropsort export --int8"
        raise WeightsError("has no network of 8 bits, or one of other weights", where=weights, remedy=remedy)
    return path


def _keep(place: Path, name: str, write: Callable[[Path], None], *, anew: bool) -> Path:
    made = place / f".{name}.{os.getpid()}.{threading.get_ident()}"
    made.mkdir(parents=True, exist_ok=True)
    try:
        write(made / _MODEL)
        target = place / name
        if anew and target.exists():
            shutil.rmtree(target)
        if not (target / _MODEL).is_file():
            shutil.rmtree(target, ignore_errors=True)
            try:
                made.replace(target)
            except OSError:
                if not (target / _MODEL).is_file():  # else another process was faster
                    raise
    finally:
        shutil.rmtree(made, ignore_errors=True)
    _clear(place, name)
    return target / _MODEL


def _clear(place: Path, name: str) -> None:
    """Networks of former weights are of no use beside the weights; in the cache they may be another data set's."""
    if place.name != FOLDER or place.parent == cache_folder():
        return
    kind = name.rpartition("-")[0]
    for old in place.glob(f"{kind}-*"):
        if old.name != name:
            shutil.rmtree(old, ignore_errors=True)


def _places(weights: Path) -> tuple[Path, Path]:
    return weights.parent / FOLDER, cache_folder() / FOLDER


@cache
def _version(package: str) -> str:
    return f"{package} {version(package)}"


@cache
def _say_once(note: str) -> None:
    print(note, file=sys.stderr)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[0][:200]
