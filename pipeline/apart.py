"""Work in a process of its own: what runs out of memory, crashes or hangs there is an error here, and nothing worse."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Generic, TypeVar

import psutil

from pipeline.apart_child import DONE, FAILED, LONGEST_LINE, REMEDY, is_out_of_memory, says_no_memory, serve
from pipeline.errors import CropsortError, OutOfMemoryError, ProcessDiedError
from pipeline.files import output_error
from pipeline.memory import Meter, format_bytes

__all__ = ["Apart", "Outcome", "Tell", "is_out_of_memory", "run_apart"]

R = TypeVar("R")
Tell = Callable[[object], None]

_SPAWN = multiprocessing.get_context("spawn")
_TICK_SECONDS = 0.05
_GRACE_SECONDS = 3.0
_WAITING = "OMP_WAIT_POLICY"
_COLOURS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[R]):
    """What work in a process of its own came to.

    Args:
        result: what it returned.
        peak_bytes: most memory that the process and its descendants were seen to take during the work; see
            ``memory.measure_pss``.
    """

    result: R
    peak_bytes: int


def run_apart(
    work: Callable[..., R],
    *arguments: object,
    on_message: Callable[[object], None] | None = None,
    limit_bytes: int | None = None,
    timeout: float | None = None,
    name: str = "the work",
) -> Outcome[R]:
    """Run ``work(*arguments, tell)`` in a fresh process; see ``Apart``, of which this is one call."""
    with Apart(name) as process:
        return process.call(work, *arguments, on_message=on_message, limit_bytes=limit_bytes, timeout=timeout)


class Apart:
    """A process for one work after the other, to be used in ``with``.

    It starts with the first call, and anew with the call after one that ended it. What it prints is not shown. It takes
    no notice of Ctrl-C, which is for this process to answer, and ends when this process ends, however that is.

    Args:
        name: what the errors call the work, such as ``training the detector``.
    """

    def __init__(self, name: str = "the work") -> None:
        self._name = name
        self._child: _Child | None = None

    def __enter__(self) -> Apart:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def end(self) -> None:
        """End the process, if there is one; the next call starts another."""
        if child := self._child:
            self._child = None
            child.dismiss()

    def call(
        self,
        work: Callable[..., R],
        *arguments: object,
        on_message: Callable[[object], None] | None = None,
        limit_bytes: int | None = None,
        timeout: float | None = None,
    ) -> Outcome[R]:
        """Run ``work(*arguments, tell)`` and wait for what it returns; all of it must be picklable.

        Args:
            work: a function of a module. What it gives to ``tell`` arrives at ``on_message``.
            arguments: for it.
            on_message: called here, in order, while the work goes on.
            limit_bytes: most that the process and its descendants may take (PSS); over it they are killed.
            timeout: seconds after which they are killed, a start of the process included.

        Raises:
            OutOfMemoryError: the work ran out of memory, was killed by the system, or went over ``limit_bytes``. In the
                first case, and after any error of the work itself, the process goes on for the next call.
            ProcessDiedError: the process ended in another way, or did not answer in time.
            OutputError: there is no room for the file that takes what it prints.
            Exception: what the work raised, with the traceback it had there as a note.
        """
        task = pickle.dumps((work, arguments))
        try:
            with _ctrl_c_waits():
                self._child = self._child or _Child(self._name)
            answer = self._child.ask(task, on_message, limit_bytes, timeout)
        except BaseException:  # Ctrl-C too must leave no process behind
            if self._child:
                self._child.end()
                self._child = None
            raise
        if isinstance(answer, BaseException):
            raise answer
        return answer


@contextmanager
def _idle_threads_asleep() -> Iterator[None]:
    """Have the threads of torch in a new process sleep while they wait for each other, unless the user says otherwise.

    They would spin instead, and take the core from who makes the next batch ready: on a machine that is busy with
    something else training then takes several times as long.
    """
    if _WAITING in os.environ:
        yield
        return
    os.environ[_WAITING] = "PASSIVE"
    try:
        yield
    finally:
        os.environ.pop(_WAITING, None)  # unless another thread of ours did


class _Child:
    """The process, seen from here."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._log = _make_log()
        self._pipe, theirs = _SPAWN.Pipe()
        arguments = (theirs, self._log, name)
        self._process = _SPAWN.Process(target=serve, args=arguments, name=name, daemon=False)
        try:
            with _idle_threads_asleep():
                self._process.start()
        except OSError as error:
            self._forget()
            kind = OutOfMemoryError if is_out_of_memory(error) else ProcessDiedError
            raise kind(f"no process can be started ({error.strerror})", where=name, remedy=REMEDY) from error
        finally:
            theirs.close()
        self._meter = Meter(self._process.pid or 0)

    def ask(
        self,
        task: bytes,
        on_message: Callable[[object], None] | None,
        limit_bytes: int | None,
        timeout: float | None,
    ) -> Outcome[Any] | BaseException:
        """Give it work, and wait for what it returns or raises."""
        end = None if timeout is None else time.monotonic() + timeout
        self._meter.restart()
        self._send(task)
        while True:
            if self._meter.watch(limit_bytes):
                raise self._too_large(limit_bytes or 0)
            if end is not None and time.monotonic() > end:
                raise ProcessDiedError(f"no answer within {timeout:g} s", where=self._name)
            if not (message := self._receive()):
                continue
            kind, content = message
            if kind == DONE:
                return Outcome(content, self._meter.peak_bytes)
            if kind == FAILED:
                return content  # type: ignore[no-any-return]  # what it raised
            if on_message:
                on_message(content)

    def dismiss(self) -> None:
        """Let it end by itself, which removes its temporary files; it gets a few seconds."""
        try:
            with suppress(OSError):  # it has ended
                self._pipe.send_bytes(b"")
            self._process.join(_GRACE_SECONDS)
        finally:
            self.end()

    def end(self) -> None:
        """End it and its descendants now."""
        family = self._family()
        try:
            if self._process.is_alive():
                self._signal(family, psutil.Process.terminate)
                self._process.join(_GRACE_SECONDS)
        finally:
            self._signal(family, psutil.Process.kill)
            self._process.join()
            self._forget()

    def _family(self) -> list[psutil.Process]:
        """The process and its descendants, those too whose parent has died: they still have the log to print to."""
        found = set(self._meter.family)
        for pid in psutil.pids():
            with suppress(psutil.Error, OSError):  # it has ended, is another user's, or this is not Linux
                if os.readlink(f"/proc/{pid}/fd/2") == str(self._log):  # noqa: PTH115 - a Path would cost more
                    found.add(psutil.Process(pid))
        with suppress(psutil.Error):
            found.update(self._meter.family[0].children(recursive=True))
        return list(found)

    @staticmethod
    def _signal(family: list[psutil.Process], signal_one: Callable[[psutil.Process], None]) -> None:
        for process in family:
            with suppress(psutil.Error):  # it has ended
                signal_one(process)

    def _forget(self) -> None:
        self._pipe.close()
        self._process.close()
        with suppress(OSError):
            self._log.unlink(missing_ok=True)

    def _send(self, task: bytes) -> None:
        try:
            self._pipe.send_bytes(task)
        except OSError as error:
            raise self._death() from error

    def _receive(self) -> tuple[str, Any] | None:
        """What it says within a tick, if anything."""
        dead = self._process.exitcode is not None  # asked first: what it said before it died is still in the pipe
        try:
            if self._pipe.poll(_TICK_SECONDS):
                message: tuple[str, Any] = pickle.loads(self._pipe.recv_bytes())
                return message
        except (EOFError, OSError) as error:
            raise self._death() from error
        if dead:
            raise self._death()
        return None

    def _too_large(self, limit_bytes: int) -> OutOfMemoryError:
        found = f"took {format_bytes(self._meter.peak_bytes)} of memory"
        return OutOfMemoryError(found, where=self._name, expected=f"at most {format_bytes(limit_bytes)}", remedy=REMEDY)

    def _death(self) -> CropsortError:
        """Why it ended without an answer."""
        self._process.join(_GRACE_SECONDS)
        code, said = self._process.exitcode, self._last_line()
        if sys.platform != "win32" and code == -signal.SIGKILL:
            found = "was killed, as the system does when memory runs out"
            return OutOfMemoryError(found, where=self._name, remedy=REMEDY)
        if says_no_memory(said):
            return OutOfMemoryError(said, where=self._name, remedy=REMEDY)
        after = f", after it said: {said}" if said else ""
        return ProcessDiedError(f"the process {_describe(code)}{after}", where=self._name)

    def _last_line(self) -> str:
        lines = _COLOURS.sub("", self._log.read_text(encoding="utf-8", errors="replace")).split("\n")
        said = [part.strip() for line in lines for part in line.split("\r") if part.strip()]
        return said[-1][:LONGEST_LINE] if said else ""


def _make_log() -> Path:
    try:
        number, path = tempfile.mkstemp(prefix="cropsort-", suffix=".log")
    except OSError as error:
        raise output_error(error, Path(error.filename or "temporary folder")) from error
    os.close(number)
    return Path(path).resolve()


def _describe(code: int | None) -> str:
    if code is None:
        return "closed its pipe and hangs"
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"died of {signal.Signals(-code).name}"
    except ValueError:
        return f"died of signal {-code}"


@contextmanager
def _ctrl_c_waits() -> Iterator[None]:
    """Have Ctrl-C wait until a process is started and known; it inherits that, and never hears of it."""
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # starting it would let Ctrl-C through again
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
