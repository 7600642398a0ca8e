"""The tenth that the epoch is chosen on."""

from __future__ import annotations

import pytest

from pipeline.jigsaw.holding_out import hold_out


@pytest.mark.parametrize(("count", "kept"), [(2, 1), (9, 1), (30, 3), (739, 74)])
def test_a_tenth_is_held_out_another_one_for_another_seed(count: int, kept: int) -> None:
    things = [f"photo-{number}" for number in range(count)]
    train, val = hold_out(things, 0)
    assert (len(train), len(val)) == (count - kept, kept)
    assert sorted((*train, *val), key=things.index) == things
    assert (list(train), list(val)) == (sorted(train, key=things.index), sorted(val, key=things.index))
    assert hold_out(things, 0) == (train, val)
    assert len({hold_out(things, seed)[1] for seed in range(10)}) > 1
