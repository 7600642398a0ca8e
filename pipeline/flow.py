"""Stages of work that go on at the same time, with bounded queues between them, so that memory stays flat."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pipeline.batches import Batches

T = TypeVar("T")
R = TypeVar("R")

_POLL_SECONDS = 0.2
"""How often who waits looks up: on Windows Ctrl-C reaches nobody who waits without end."""

_JOIN_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Done(Generic[R]):
    """A result that is complete: it passes the stages that are left by."""

    result: R


@dataclass(frozen=True, slots=True)
class Stage(Generic[T, R]):
    """Work that is done on each thing on its way.

    Args:
        name: of its threads.
        work: gives, for things that are worked on together, what the next stage gets of each, or a ``Done``, in the
            same order. Several threads call it at once where ``threads`` says so. Where memory runs out in it, it is
            called again with fewer of the same things, at the last with one of them while nothing else is under way
            from here on.
        alone: the ``Done`` for a thing that does not fit into memory even then.
        threads: how many work at once, at least 1.
        batch: weight of the things that are worked on together, at most; fewer where fewer wait, and one that weighs
            more by itself.
        room: weight of the things that may wait for it.
        weigh: how many of an ordinary thing this one counts for, at least 1.
        on_fewer: as for ``Batches``.
    """

    name: str
    work: Callable[[Sequence[T]], Sequence[R | Done[Any]]]
    alone: Callable[[T], Done[Any]]
    threads: int = 1
    batch: int = 1
    room: int = 1
    weigh: Callable[[T], float] = lambda _: 1.0
    on_fewer: Callable[[int, int], None] = lambda _before, _fits: None

    def __post_init__(self) -> None:
        if min(self.threads, self.batch, self.room) < 1:
            raise ValueError(f"threads, batch and room must be at least 1, got {self.threads, self.batch, self.room}")


def run_stages(things: Iterable[T], stages: Sequence[Stage[Any, Any]]) -> Generator[Any, None, None]:
    """Send things through all stages, and give their results as they are done, in any order.

    What waits between two stages is bounded, so what is taken from ``things`` stays little ahead of what the caller has
    taken of the results. An error in any thread ends all of them and is raised here; so does closing the generator,
    which is to be done with ``contextlib.closing``, or Ctrl-C would leave the threads at work for a while.

    Args:
        things: taken one by one in a thread of its own.
        stages: at least one; the last gives ``Done`` for each.
    """
    line = _Line()
    line.lay(stages)
    threads = [threading.Thread(target=line.feed, args=(things,), name="flow-feed", daemon=True)]
    for station in line.stations:
        name = f"flow-{station.stage.name}"
        threads += [
            threading.Thread(target=station.run, name=f"{name}-{number}", daemon=True)
            for number in range(station.stage.threads)
        ]
    try:
        for thread in threads:
            thread.start()
        yield from line.results()
    finally:
        line.stop()
        deadline = time.monotonic() + _JOIN_SECONDS  # a name server may keep a thread for longer than anybody waits
        for thread in filter(threading.Thread.is_alive, threads):
            thread.join(max(0.0, deadline - time.monotonic()))


class _StoppedError(Exception):
    """The run has ended: threads leave by it."""


class _Line:
    """What all threads share: one lock, the queues, and whether the run has ended."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.stations: list[_Station] = []
        self.out: _Queue
        self._stopped = False
        self._error: BaseException | None = None

    def lay(self, stages: Sequence[Stage[Any, Any]]) -> None:
        writers = 1 + sum(stage.threads for stage in stages)
        self.out = _Queue(self, room=sum(stage.room for stage in stages), weigh=lambda _: 1.0, writers=writers)
        before = 1
        for place, stage in enumerate(stages):
            inbox = _Queue(self, room=stage.room, weigh=stage.weigh, writers=before)
            self.stations.append(_Station(self, place, stage, inbox))
            before = stage.threads

    def feed(self, things: Iterable[Any]) -> None:
        first = self.stations[0].inbox
        with self.leaving(first):
            for thing in things:
                first.put(thing)

    def results(self) -> Iterator[Any]:
        with suppress(_StoppedError):
            while ready := self.out.take(float("inf")):
                yield from ready
        if self._error is not None:
            raise self._error

    @contextmanager
    def leaving(self, after: _Queue) -> Iterator[None]:
        """What a thread does is done inside: its error is the run's, and who reads from it hears when it has gone."""
        try:
            yield
        except _StoppedError:
            pass
        except BaseException as error:  # whatever it is, it is raised where the results are waited for
            self.stop(error)
        finally:
            for queue in {after, self.out}:
                queue.leave()

    def stop(self, error: BaseException | None = None) -> None:
        with self.lock:
            self._error = self._error or error
            self._stopped = True
            for queue in (self.out, *(station.inbox for station in self.stations)):
                queue.wake()

    def check(self) -> None:
        if self._stopped:
            raise _StoppedError

    def is_empty_after(self, place: int) -> bool:
        """Whether everything that has left a station has come to its end."""
        later = self.stations[place + 1 :]
        return not later or later[0].inbox.received == sum(station.ended for station in later)


class _Queue:
    """Things on their way, bounded by their weight."""

    def __init__(self, line: _Line, *, room: float, weigh: Callable[[Any], float], writers: int) -> None:
        self._line = line
        self._room = room
        self._weigh = weigh
        self._writers = writers
        self._things: deque[tuple[Any, float]] = deque()
        self._weight = 0.0
        self._filled = threading.Condition(line.lock)
        self._freed = threading.Condition(line.lock)
        self.received = 0

    def put(self, thing: Any) -> None:
        """Wait until there is room: something heavier than all of it waits until it is alone."""
        weight = self._weigh(thing)
        with self._line.lock:
            self._line.check()
            self.received += 1
            while self._things and self._weight + weight > self._room:
                self._wait(self._freed)
            self._things.append((thing, weight))
            self._weight += weight
            self._filled.notify()

    def take(self, most: float) -> list[Any]:
        """What waits, up to a weight, at least one; nothing when all who write have left."""
        with self._line.lock:
            self._line.check()
            while not self._things:
                if not self._writers:
                    return []
                self._wait(self._filled)
            taken, weight = list[Any](), 0.0
            while self._things and (not taken or weight + self._things[0][1] <= most):
                thing, one = self._things.popleft()
                taken.append(thing)
                weight += one
            self._weight -= weight
            self._freed.notify(len(taken))
            return taken

    def leave(self) -> None:
        """One fewer writes to it."""
        with self._line.lock:
            self._writers -= 1
            self._filled.notify_all()

    def wake(self) -> None:
        """Have everybody look up; with the lock held."""
        self._filled.notify_all()
        self._freed.notify_all()

    def _wait(self, event: threading.Condition) -> None:
        event.wait(_POLL_SECONDS)
        self._line.check()


class _Station:
    """A stage at work."""

    def __init__(self, line: _Line, place: int, stage: Stage[Any, Any], inbox: _Queue) -> None:
        self.stage = stage
        self.inbox = inbox
        self.ended = 0
        self._line = line
        self._place = place
        self._size = stage.batch
        self._busy = 0
        self._reserved = False
        self._batches: Batches[Any, Any] = Batches(self._work, self._work_by_itself, stage.on_fewer)

    def run(self) -> None:
        """What each of its threads does."""
        stations = self._line.stations
        after = stations[self._place + 1].inbox if self._place + 1 < len(stations) else self._line.out
        with self._line.leaving(after):
            while batch := self.inbox.take(self._size):
                results, fits = self._batches.settle(batch)
                if fits < len(batch):
                    self.stage.on_fewer(len(batch), fits)
                    self._size = fits
                batch.clear()  # while the next stage has no room, nobody but it holds them
                while results:
                    self._pass_on(results.pop(0), after)

    def _pass_on(self, result: Any, after: _Queue) -> None:
        if not isinstance(result, Done):
            after.put(result)
            return
        self._line.out.put(result.result)
        with self._line.lock:
            self.ended += 1

    def _work(self, things: Sequence[Any]) -> Sequence[Any]:
        self._wait_until(self._enter)
        try:
            return self.stage.work(things)
        finally:
            with self._line.lock:
                self._busy -= 1

    def _work_by_itself(self, thing: Any) -> Any:
        """What there was no memory for beside others is tried once more when they are through."""
        self._wait_until(self._reserve)
        try:
            self._wait_until(lambda: not self._busy and self._line.is_empty_after(self._place))
            once_more: Batches[Any, Any] = Batches(self.stage.work, self.stage.alone, self.stage.on_fewer)
            return once_more.settle([thing])[0][0]
        finally:
            self._reserved = False

    def _enter(self) -> bool:
        self._busy += not self._reserved
        return not self._reserved

    def _reserve(self) -> bool:
        free = not self._reserved
        self._reserved = True
        return free

    def _wait_until(self, happens: Callable[[], bool]) -> None:
        """Hardly ever for long, so that looking up now and then is enough."""
        while True:
            with self._line.lock:
                self._line.check()
                if happens():
                    return
            time.sleep(_POLL_SECONDS / 10)
