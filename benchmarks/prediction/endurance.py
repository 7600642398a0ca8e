"""Peak memory and time a photo for a folder of many photos and for one of twenty times as many."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from pipeline.memory import MB
from prediction.commands import predict
from prediction.drawn import SMALL, draw, link
from prediction.figures import steady_rate
from prediction.options import Figures, Options, Row, empty, keep
from prediction.pairs import Pair, pair_for_drawn

SMALLER = 20
FILES = 300
"""Photos that the folders hold links to."""

_FEW = 10
"""A run of a tenth of the smaller folder says what is not the photos' time."""


def show_memory(options: Options) -> list[Row]:
    """Runs over folders of links to a few hundred small photos."""
    many, less = options.links, options.links // SMALLER
    few = max(1, less // _FEW)
    pair, place = pair_for_drawn(options), options.work / "memory"
    keep(place / f"{pair.name}-warm.json", partial(measure, options, pair, place, few))  # exports, measures once
    made = {
        count: keep(place / f"{pair.name}-{count}.json", partial(measure, options, pair, place, count))
        for count in (few, less, many)
    }
    peaks = [made[count]["peak_bytes"] for count in (many, less)]
    seconds = [1 / steady_rate(count, made[count]["seconds"], few, made[few]["seconds"]) for count in (many, less)]
    width, height = SMALL
    on, names = (
        f"links to {min(FILES, many)} drawn photos of {width} x {height}, {pair.name}",
        f"{many} photos over {less}",
    )
    memory = f"{peaks[0] / peaks[1]:.3f} ({peaks[0] / MB:.0f} MB over {peaks[1] / MB:.0f} MB)"
    times = f"{seconds[0] / seconds[1]:.3f} ({1000 * seconds[0]:.1f} ms over {1000 * seconds[1]:.1f} ms)"
    return [(on, f"peak memory, {names}", memory, "<= 1.1"), (on, f"time a photo, {names}", times, "0.9 to 1.1")]


def measure(options: Options, pair: Pair, place: Path, count: int) -> Figures:
    """One run over so many."""
    files = draw(options.work / "small", range(min(FILES, count)), SMALL)
    made = predict(link(place / "photos", files, count), empty(place / "run") / "out", pair.folder, options)
    return {"seconds": made.seconds, "peak_bytes": made.peak_bytes}
