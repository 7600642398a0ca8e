"""As many at a time as memory holds: where it runs out, half as many, and one alone at the last."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from pipeline.apart import is_out_of_memory

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Batches(Generic[T, R]):
    """How things are worked on, several at a time.

    Args:
        work: gives a result for each thing that it is given, in the same order. Where memory runs out in it, it is
            called again with fewer of the same things.
        alone: the result for a thing that does not fit into memory even alone.
        weigh: how many of an ordinary thing this one counts for, at least 1.
        on_fewer: called with how many there were and how many there will be, where fewer fit; for one thing that does
            not fit alone, the others go on as before.
    """

    work: Callable[[Sequence[T]], Sequence[R]]
    alone: Callable[[T], R]
    on_fewer: Callable[[int, int], None]
    weigh: Callable[[T], float] = lambda _: 1.0

    def run(self, things: Iterable[T], size: int) -> Iterator[R]:
        """The results, in order; things that weigh ``size`` together, at least one, are taken from ``things``."""
        waiting, batch, weight = iter(things), list[T](), 0.0
        while True:
            thing = next(waiting, None)
            one = 0.0 if thing is None else self.weigh(thing)
            if batch and (thing is None or weight + one > size):
                results, fits = self.settle(batch)
                yield from results
                if fits < len(batch):
                    self.on_fewer(len(batch), fits)
                    size = fits
                batch, weight = [], 0.0
            if thing is None:
                return
            batch.append(thing)
            weight += one

    def settle(self, batch: list[T]) -> tuple[list[R], int]:
        """The results of one batch, in order, and how many of its things fit at a time."""
        size, results, outlier = len(batch), list[R](), False
        while left := batch[len(results) : len(results) + size]:
            made = self._try(left)
            if made is not None:
                results += made
            elif len(left) > 1:
                size = len(left) // 2
            else:
                results.append(self.alone(left[0]))
                outlier = True
        return results, len(batch) if outlier else size

    def _try(self, batch: list[T]) -> Sequence[R] | None:
        """The results; None where memory ran out."""
        try:
            return self.work(batch)
        except Exception as error:  # torch, OpenCV and Pillow have errors of their own for it
            if not lacks_memory(error):
                raise
        free_unused()  # here, when the error is gone, and with it the tensors of all the calls that it came through
        return None


def lacks_memory(error: BaseException | None) -> bool:
    """Whether memory ran out, or the error was made of one that says so."""
    while error is not None:
        if is_out_of_memory(error):
            return True
        error = error.__cause__
    return False


def free_unused() -> None:
    """Give back memory that nobody uses, so that what comes next finds it."""
    import torch

    gc.collect()
    torch.cuda.empty_cache()  # nothing where there is no CUDA
    if torch.backends.mps.is_available():
        torch.mps.empty_cache()
