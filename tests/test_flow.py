"""Stages at work at the same time: nothing lost, nothing doubled, no thread left; memory that runs out is real."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from typing import Any

import pytest
import torch

from pipeline.flow import Done, Stage, run_stages

HUGE = 1000


def make(work: Callable[[int], Any], **settings: Any) -> Stage[int, Any]:
    return Stage(
        "test", lambda things: [work(thing) for thing in things], lambda thing: Done((thing, "alone")), **settings
    )


@pytest.fixture(autouse=True)
def no_thread_stays() -> Iterator[None]:
    yield
    deadline = time.monotonic() + 5
    while (left := [one.name for one in threading.enumerate() if one.name.startswith("flow-")]) and (
        time.monotonic() < deadline
    ):
        time.sleep(0.01)
    assert left == []


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("room", [1, 3])
def test_everything_comes_through_once(threads: int, batch: int, room: int) -> None:
    stages = [
        make(lambda number: number + 1, threads=threads, room=room),
        make(lambda number: Done(-number) if number % 5 == 0 else number, batch=batch, room=room),
        make(lambda number: number * 10, threads=threads, batch=batch, room=room),
        make(Done, room=room),
    ]
    wanted = sorted(-number if number % 5 == 0 else 10 * number for number in range(1, 301))
    assert sorted(run_stages(range(300), stages)) == wanted
    assert list(run_stages([], stages)) == []


def test_stages_work_at_the_same_time() -> None:
    """Each waits for the other: one after the other they would wait for ever."""
    meeting = threading.Barrier(2, timeout=20)

    def meet(number: int) -> int:
        meeting.wait()
        return number

    def meet_last(number: int) -> Done[int]:
        meeting.wait()
        return Done(number)

    ready: list[int] = []
    first = make(lambda number: number if number == 0 else meet(number))
    for number in run_stages(
        range(2), [first, make(lambda number: meet_last(number) if number == 0 else Done(number))]
    ):
        ready.append(number)  # noqa: PERF402 - as they come
    assert sorted(ready) == [0, 1]


def test_no_more_is_taken_than_there_is_room_for() -> None:
    taken: list[int] = []

    def things() -> Iterator[int]:
        for number in range(1000):
            taken.append(number)
            yield number

    stages = [make(lambda number: number, threads=2, room=3), make(Done, batch=4, room=4)]
    with closing(run_stages(things(), stages)) as results:
        for _ in range(5):
            next(results)
        time.sleep(0.3)
        # in the feeder's hand, waiting, at work, in the hands of two threads, waiting, at work, ready
        assert len(taken) <= 5 + 1 + 3 + 2 + 2 + 4 + 4 + 7 + 7


def test_things_are_worked_on_together_up_to_their_weight() -> None:
    seen: list[list[int]] = []
    gate = threading.Event()

    def work(things: Sequence[int]) -> list[Done[int]]:
        gate.wait(20)
        seen.append(list(things))
        return [Done(thing) for thing in things]

    stage: Stage[int, Any] = Stage("test", work, Done, batch=6, room=60, weigh=float)

    def things() -> Iterator[int]:
        yield from (1, 3, 3, 3, 9, 1, 1)
        gate.set()

    assert sorted(run_stages(things(), [stage])) == [1, 1, 1, 3, 3, 3, 9]
    assert all(sum(batch) <= 6 or batch == [9] for batch in seen)
    assert [3, 3] in seen


@pytest.mark.parametrize("place", [0, 1, 2])
def test_error_in_any_thread_ends_the_run_and_is_raised(place: int) -> None:
    def spoil(number: int) -> int:
        if number == 40:
            raise KeyError("forty")
        return number

    works: list[Callable[[int], Any]] = [lambda number: number, lambda number: number, Done]
    good = works[place]
    works[place] = lambda number: good(spoil(number))
    with pytest.raises(KeyError, match="forty"):
        list(run_stages(range(10_000_000), [make(work, threads=2) for work in works]))


def test_error_of_what_gives_the_things_is_raised() -> None:
    def things() -> Iterator[int]:
        yield 1
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        list(run_stages(things(), [make(Done)]))


def test_error_keeps_what_it_was_raised_from() -> None:
    """Whoever asks whether memory ran out looks there."""

    def fail(_: int) -> int:
        raise ValueError("cannot") from KeyError("why")

    with pytest.raises(ValueError, match="cannot") as caught:
        list(run_stages([1], [make(fail)]))
    assert isinstance(caught.value.__cause__, KeyError)


def test_closing_ends_all_threads_at_once() -> None:
    def slowly(number: int) -> int:
        time.sleep(0.01)
        return number

    with closing(run_stages(iter(int, 1), [make(slowly, threads=4, room=8), make(Done, batch=4, room=8)])) as results:
        next(results)


def test_interrupt_of_who_waits_ends_all_threads() -> None:
    with pytest.raises(KeyboardInterrupt), closing(run_stages(iter(int, 1), [make(Done, threads=2)])) as results:
        for number, _ in enumerate(results):
            if number == 50:
                raise KeyboardInterrupt


class Marbles:
    """Room for so many at once in all threads."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.held = 0
        self.most = 0
        self._lock = threading.Lock()

    def work(self, things: Sequence[int]) -> list[Done[Any]]:
        with self._lock:
            self.held += sum(things)
            fits = self.held <= self.room
        try:
            time.sleep(0.001)
            if not fits:
                torch.empty(2**60)  # more than there is
            self.most = max(self.most, len(things))
            return [Done((thing, "done")) for thing in things]
        finally:
            with self._lock:
                self.held -= sum(things)


def test_half_as_many_where_memory_runs_out() -> None:
    marbles, said = Marbles(3), list[tuple[int, int]]()

    def note(before: int, fits: int) -> None:
        said.append((before, fits))

    ones = (1 for _ in range(60))
    stage: Stage[int, Any] = Stage("test", marbles.work, Done, batch=8, room=8, on_fewer=note)
    assert list(run_stages(ones, [stage])) == [(1, "done")] * 60
    assert marbles.most <= 3
    assert len(said) <= 2  # a batch may have been smaller than 8 at first
    assert all(fits <= 3 < before for before, fits in said)


@pytest.mark.slow
def test_what_does_not_fit_beside_others_is_tried_by_itself() -> None:
    marbles = Marbles(10)
    stage: Stage[int, Any] = Stage("test", marbles.work, lambda thing: Done((thing, "alone")), threads=4, room=4)
    things = [1, 9, 1, 10, HUGE, 3, 10, 9, 1, HUGE, 2] * 3
    wanted = sorted((thing, "alone" if thing == HUGE else "done") for thing in things)
    assert sorted(run_stages(things, [stage])) == wanted


def test_what_does_not_fit_waits_for_what_went_on_before_it() -> None:
    """Pixels that later stages still hold are in the way as well."""
    held: set[int] = set()

    def take(number: int) -> int:
        if number == 5 and held:
            raise MemoryError
        held.add(number)
        return number

    def give_back(number: int) -> Done[int]:
        time.sleep(0.005)
        held.discard(number)
        return Done(number)

    assert sorted(run_stages(range(10), [make(take), make(give_back, room=4)])) == list(range(10))


@pytest.mark.parametrize("settings", [{"threads": 0}, {"batch": 0}, {"room": 0}])
def test_stage_without_anybody_or_any_room_is_refused(settings: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        make(Done, **settings)
