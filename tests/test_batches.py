"""Fewer at a time where memory runs out; memory here is a number of marbles, the errors are real."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pytest
import torch

from pipeline.batches import Batches, lacks_memory
from pipeline.errors import PhotoError

HUGE = 100
"""A thing that does not fit alone."""


class Desk:
    """Room for things up to a sum of ``room``; notes what was asked of it."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.asked: list[int] = []
        self.said: list[tuple[int, int]] = []

    def work(self, things: Sequence[int]) -> list[str]:
        self.asked.append(len(things))
        if sum(things) > self.room:
            torch.empty(2**60)  # more than there is
        return [f"{thing} done" for thing in things]

    def run(self, things: Sequence[int], size: int) -> list[str]:
        batches = Batches(self.work, lambda thing: f"{thing} too large", lambda *sizes: self.said.append(sizes))
        return list(batches.run(things, size))


def test_all_fit() -> None:
    desk = Desk(8)
    assert desk.run([1] * 19, 8) == ["1 done"] * 19
    assert (desk.asked, desk.said) == ([8, 8, 3], [])
    assert desk.run([], 8) == []


def test_half_as_many_from_then_on_and_said_once() -> None:
    desk = Desk(3)
    assert desk.run([1] * 20, 8) == ["1 done"] * 20
    assert desk.asked == [8, 4, 2, 2, 2, 2, *[2] * 6]
    assert desk.said == [(8, 2)]


@pytest.mark.slow
def test_thing_that_does_not_fit_alone_costs_the_others_nothing() -> None:
    desk = Desk(8)
    things = [1, 2, 1, HUGE, 1, 1, 1, 1]
    wanted = ["1 done", "2 done", "1 done", "100 too large", *["1 done"] * 4]
    assert desk.run(things, 4) == wanted
    assert (desk.asked[-1], desk.said) == (4, [])
    assert desk.run([HUGE], 1) == ["100 too large"]


@pytest.mark.slow
def test_order_stays_whatever_is_tried_again() -> None:
    desk = Desk(10)
    things = [4, 9, 1, HUGE, 8, 3, 2, 2, 7, HUGE, 5, 5]
    assert desk.run(things, 5) == [f"{one} too large" if one == HUGE else f"{one} done" for one in things]


def test_heavy_things_count_for_several() -> None:
    sizes: list[int] = []

    def work(things: Sequence[int]) -> list[str]:
        sizes.append(len(things))
        return [str(thing) for thing in things]

    batches = Batches(work, str, print, weigh=float)
    assert list(batches.run([1, 1, 1, 1, 1, 4, 2, 2, 9, 1], 4)) == ["1", "1", "1", "1", "1", "4", "2", "2", "9", "1"]
    assert sizes == [4, 1, 1, 2, 1, 1]


def test_other_errors_are_raised() -> None:
    def work(_: Sequence[int]) -> list[str]:
        raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        list(Batches(work, str, print).run([1, 2], 2))


def provoke(kind: str) -> Exception:
    """A real error of memory that ran out, or of something else."""
    try:
        if kind == "numpy":
            np.empty(2**59, np.uint8)
        elif kind == "torch":
            torch.empty(2**60)
        elif kind == "opencv":
            cv2.resize(np.zeros((2, 2, 3), np.uint8), (2**24, 2**24))
        else:
            torch.empty(2) + torch.empty(3)
    except Exception as error:  # any kind is wanted
        return error
    raise AssertionError("there is room for everything")


@pytest.mark.parametrize(("kind", "wanted"), [("numpy", True), ("torch", True), ("opencv", True), ("shapes", False)])
def test_libraries_say_in_their_own_ways_that_memory_ran_out(kind: str, wanted: bool) -> None:
    error = provoke(kind)
    assert lacks_memory(error) == wanted
    photo = PhotoError("cannot be decoded", where="a.png")
    photo.__cause__ = error
    assert lacks_memory(photo) == wanted


@pytest.mark.parametrize(
    ("error", "wanted"),
    [
        (RuntimeError("could not create a primitive"), True),
        (RuntimeError("could not create a primitive descriptor for the sum primitive."), False),
        (OSError("out of memory when reading image file"), True),
        (OSError("broken data stream when reading image file"), False),
        (PhotoError("cannot be decoded", where="a.png"), False),
    ],
)
def test_texts_that_say_so(error: Exception, wanted: bool) -> None:
    assert lacks_memory(error) == wanted
