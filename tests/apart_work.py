"""Work for processes of their own: what a process runs must stand in a module."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipeline.apart import run_apart
from pipeline.errors import ConfigError, DataError

Tell = Callable[[object], None]
MB = 2**20


class Odd(Exception):  # noqa: N818 - not one that is shown
    """Cannot be rebuilt from its arguments, as many cannot."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(one + two)


def add(one: int, two: int, tell: Tell) -> int:
    tell("adding")
    return one + two


def count(until: int, tell: Tell) -> int:
    for number in range(until):
        tell(number)
    return os.getpid()


def chatter(_tell: Tell) -> str:
    print("to stdout 한글 🍎")
    print("to stderr", file=sys.stderr)
    os.write(1, b"native to stdout\n")
    subprocess.run([sys.executable, "-c", "print('a program of its own')"], check=True)
    return multiprocessing.get_start_method()


def take(size: int, seconds: float, _tell: Tell) -> int:
    """Take memory, and use it."""
    taken = bytearray(size)
    taken[:: 2**12] = b"1" * len(taken[:: 2**12])
    time.sleep(seconds)
    return os.getpid()


def take_in_a_descendant(size: int, _tell: Tell) -> None:
    code = f"import time; b = bytearray({size}); b[::4096] = b'1' * len(b[::4096]); time.sleep(60)"
    subprocess.run([sys.executable, "-c", code], check=True)


def sleep_with_descendant(tell: Tell) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"]) as child:
        tell((os.getpid(), child.pid))
        time.sleep(300)


def fork_and_die(number: int, tell: Tell) -> None:
    """Die, and leave a process that holds everything open that this one had open."""
    if pid := os.fork():
        tell(pid)
        os.kill(os.getpid(), number)
    time.sleep(300)


def die(number: int, tell: Tell) -> None:
    tell("alive")
    print("\x1b[1mbefore\x1b[0m\rthe last words", file=sys.stderr)
    os.kill(os.getpid(), number)


def crash(_tell: Tell) -> None:
    ctypes.string_at(0)


def load_then_take(folder: Path, size: int, tell: Tell) -> int:
    """As a training does it: processes of a data loader share what this one has, then this one takes more."""
    shared = bytearray(size)
    shared[:: 2**12] = b"1" * len(shared[:: 2**12])
    loaders = [os.fork() for _ in range(2)]
    if 0 in loaders:
        while not (folder / "stop").exists():
            time.sleep(0.01)
        os._exit(0)
    time.sleep(0.8)  # time to be seen
    tell(None)
    (folder / "stop").touch()
    for loader in loaders:
        os.waitpid(loader, 0)
    return shared[0]


def leave(code: int, _tell: Tell) -> None:
    print("an earlier line\nno weights today")
    os._exit(code)


def exhaust_natively(_tell: Tell) -> None:
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n  what():  std::bad_alloc\n")
    os.abort()


def raise_config(_tell: Tell) -> None:
    raise ConfigError("found", where=Path("data.yaml"), line=3, expected="this", remedy="do that")


def raise_group(_tell: Tell) -> None:
    raise ExceptionGroup("two", [DataError("one"), DataError("another", where="x")])


def raise_bug(_tell: Tell) -> None:
    raise KeyError("a bug")


def raise_odd(_tell: Tell) -> None:
    raise Odd("can't be ", "rebuilt")


def raise_memory(said: str, _tell: Tell) -> None:
    raise (RuntimeError(said) if said else MemoryError)


def return_unpicklable(_tell: Tell) -> Callable[[], int]:
    return lambda: 1


def allocate_with_torch(_tell: Tell) -> None:
    import torch

    torch.empty(2**58)


def nest(_tell: Tell) -> int:
    """Start one more from here."""
    return run_apart(add, 3, 4).result
