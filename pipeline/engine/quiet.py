"""Importing OpenVINO and NNCF without what they send home.

Both report every import and conversion to Google Analytics through the package ``openvino_telemetry``, unless they find
it missing, or a file in the user's home that says no. So it is missing while they are imported; what the user decided
for other programs is left alone.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import ModuleType
from typing import Any

import rich

from pipeline.errors import CropsortError

_TELEMETRY = "openvino_telemetry"
_INSTALL = "pip install nncf, or all of them: pip install -e .[export]"


@cache
def import_openvino() -> Any:
    """OpenVINO.

    Raises:
        ImportError: it is not installed, or there is none for this machine.
    """
    with untold():
        return importlib.import_module("openvino")


@cache
def keep_core() -> Any:
    """OpenVINO's core, one for the process and never given back.

    On Linux each gives the thread that asks for it a stack for signals, and takes it away at its end: with two of them
    that end in the order of their beginning, the thread is left with one that is gone, and the next Ctrl-C kills it.

    Raises:
        ImportError: as ``import_openvino`` does.
    """
    return import_openvino().Core()


@cache
def import_nncf() -> Any:
    """NNCF, which makes networks of 8 bits.

    Raises:
        CropsortError: it is not installed.
    """
    import_openvino()
    try:
        with untold(), unseen():
            nncf = importlib.import_module("nncf")
    except ImportError as error:
        raise CropsortError(f"int8 takes NNCF ({error})", where="--int8", remedy=_INSTALL) from error
    logging.getLogger("nncf").setLevel(logging.ERROR)
    return nncf


@contextmanager
def unseen() -> Iterator[None]:
    """Have nothing shown meanwhile: NNCF draws bars on rich's own console, and both have torch look for compilers."""
    console, log = rich.get_console(), logging.getLogger("torch.utils.cpp_extension")
    quiet, disabled = console.quiet, log.disabled
    console.quiet = log.disabled = True
    try:
        yield
    finally:
        console.quiet, log.disabled = quiet, disabled


@contextmanager
def untold() -> Iterator[None]:
    """Have nothing reported of what is imported and converted meanwhile."""
    there: ModuleType | None = sys.modules.get(_TELEMETRY)
    sys.modules[_TELEMETRY] = None  # type: ignore[assignment]  # importing it raises ImportError
    try:
        yield
    finally:
        del sys.modules[_TELEMETRY]
        if there is not None:
            sys.modules[_TELEMETRY] = there
