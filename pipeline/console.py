"""What is said while work goes on: lines on standard output, a bar on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

if TYPE_CHECKING:
    from pipeline.yolo import Epoch

_RECENT = 3
_BAR, _WIDE = 20, 100


def make_console(*, errors: bool = False) -> Console:
    """Standard output, or standard error, without markup: names of files may hold brackets."""
    return Console(stderr=errors, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def libraries_hushed() -> Iterator[None]:
    """Hide what libraries in C print on standard error: libtiff prints hundreds of lines for a damaged photo.

    There is no other way to it through Pillow. What Python prints there is shown as ever; for all threads.
    """
    python = sys.stderr
    try:
        kept = os.dup(2)
    except OSError:  # closed: nobody sees anything
        yield
        return
    with open(kept, "w", buffering=1, encoding="utf-8", errors="replace") as shown:  # noqa: PTH123 - a number
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        if python is sys.__stderr__:
            sys.stderr = shown
        try:
            yield
        finally:
            sys.stderr = python
            os.dup2(kept, 2)


@contextmanager
def counting(console: Console, what: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar with a count and the time left; the function given moves it on by one."""
    columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=total)
        yield lambda: bar.advance(task)


class Following:
    """How far a long run is: a bar with rate, time left and counts on a terminal, elsewhere a line now and then.

    Args:
        console: where to.
        what: is done.
        total: how many things there are.
        counts: those that were done before, by what became of them.
        every: seconds between two lines where there is no terminal.
    """

    def __init__(self, console: Console, what: str, total: int, counts: Counter[Any], *, every: float = 30) -> None:
        self._console, self._what, self._total, self._every = console, what, total, every
        self._counts, self._before = counts.copy(), counts.total()
        self._begin = self._said = time.monotonic()
        # One text, so that a narrow terminal cuts its end off and nothing else.
        told = TextColumn("{task.description}", markup=False)
        columns = (BarColumn(_BAR), told) if console.width >= _WIDE else (told,)
        self._bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        self._task = self._bar.add_task(f"{what} ...", total=total, completed=self._before)

    def __enter__(self) -> Following:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def advance(self, outcome: str) -> None:
        """One more is done."""
        self._counts[outcome] += 1
        now = time.monotonic()
        if self._console.is_terminal:
            self._bar.update(self._task, advance=1, description=self._tell(now))
        elif now - self._said >= self._every:
            self._said = now
            self._console.print(self._tell(now))

    def _tell(self, now: float) -> str:
        done = self._counts.total()
        rate = (done - self._before) / max(now - self._begin, 1e-6)
        counts = ", ".join(f"{count} {outcome}" for outcome, count in self._counts.most_common())
        left = _clock((self._total - done) / rate)
        return f"{self._what}: {done} of {self._total}, {rate:.1f}/s, {left} left ({counts})"


@dataclass
class TrainingLog:
    """A bar for a training, and a line for each of its epochs.

    Args:
        console: where to.
        stage: what is trained: ``detector``, ``classifier``, or one of several such as ``classifier 2/6``.
    """

    console: Console
    stage: str
    epochs: list[Epoch] = field(default_factory=list)

    def __enter__(self) -> TrainingLog:
        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
        self._bar = Progress(*columns, console=self.console, transient=True, disable=not self.console.is_terminal)
        self._task: TaskID = self._bar.add_task(f"training the {self.stage}", total=1.0)
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def resume(self, epochs: list[Epoch]) -> None:
        """Take over the epochs that were done before a stop."""
        self.epochs = epochs

    def say(self, line: str) -> None:
        """Say something beside the epochs."""
        self._bar.console.print(f"{self.stage:>10}  {line}")

    def on_step(self, done: float) -> None:
        """Move the bar to ``done``, 0 to 1."""
        self._bar.update(self._task, completed=done)

    def on_epoch(self, epoch: Epoch) -> None:
        """Keep the epoch and say it in a line."""
        self.epochs.append(epoch)
        self.say(_describe(epoch, self.epochs[-_RECENT:]))


def _describe(epoch: Epoch, recent: list[Epoch]) -> str:
    """An epoch in a line of columns that stay where they are; the time left is as the recent ones took."""
    scores = "  ".join(f"{name} {value:.3f}" for name, value in epoch.scores.items())
    losses = "  ".join(f"{name} {value:>6.3f}" for name, value in epoch.losses.items())
    line = f"epoch {epoch.number:>3}/{epoch.epochs}  {scores}  loss: {losses}  rate {epoch.rate:.1e}"
    line = f"{line}  {_clock(epoch.seconds):>5}"
    left = sum(one.seconds for one in recent) / len(recent) * (epoch.epochs - epoch.number)
    return f"{line}, at most {_clock(left)} left" if left else line


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
