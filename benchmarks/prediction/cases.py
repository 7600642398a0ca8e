"""The cases in turn, and the table of all."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence

from race.figures import print_table

from prediction.broken import show_broken
from prediction.endurance import show_memory
from prediction.gpu import show_gpu
from prediction.killing import show_kill
from prediction.limit import show_limit
from prediction.options import Options, Row, claim
from prediction.same import show_same
from prediction.speed import show_speed

CASES: dict[str, Callable[[Options], list[Row]]] = {
    "speed": show_speed,
    "limit": show_limit,
    "same": show_same,
    "memory": show_memory,
    "kill": show_kill,
    "broken": show_broken,
    "gpu": show_gpu,
}


def show(names: Sequence[str], options: Options) -> None:
    """Run the cases that are named, each telling its figures when it is done, and then all in one table."""
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    claim(options)
    rows: list[Row] = []
    for name in names:
        told = CASES[name](options)
        print(f"\n**{name}**\n")
        for what, figure, measured, goal in told:
            print(f"- {what}, {figure}: {measured}{f' (goal: {goal})' if goal else ''}", flush=True)
        rows += told
    print()
    print_table(("on", "what", "measured", "goal"), rows)
