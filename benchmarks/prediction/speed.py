"""Photos a second of the plain chain and of ourselves, round by round, each in processes of its own."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import fmean, median

from pipeline.memory import GB
from prediction.commands import environment, predict, read_answer, run
from prediction.drawn import PHONE, choose_crowded, count_cores, draw, link
from prediction.figures import ratios, spread, start_up, steady_rate
from prediction.options import Figures, Options, Row, empty, keep, not_measured
from prediction.pairs import Pair, copy_pair, make_int8, pairs_for_drawn, plain_copies

GOALS = {"ours": ">= 5 times", "int8": ">= 7 times"}
CAMERAS = 3
"""How often each photo of ``phone/cameras`` is there: 13 alone are soon done."""

_PART = 10
"""A run of few has a tenth of the photos."""


@dataclass(frozen=True, slots=True)
class Photos:
    """The photos that are timed.

    Args:
        name: what they are.
        few: a folder with the first of them.
        all: a folder with all.
        few_count: how many there are in the one.
        count: how many in the other.
    """

    name: str
    few: Path
    all: Path
    few_count: int
    count: int


Arm = Callable[[Path, Path], Figures]
"""Times a way of doing it on a folder of photos, in another folder that is made for it."""


def show_speed(options: Options) -> list[Row]:
    """Both ways on drawn photos, and on real ones where they are."""
    rows = []
    pairs = pairs_for_drawn(options)
    for pair in pairs:
        rows += race(options, pair, drawn_photos(options))
    cameras = options.real("phone")
    if cameras is None:
        return [*rows, ("phone/cameras", "photos/s", not_measured("speed", "--data DIR"), "")]
    return [*rows, *race(options, pairs[-1], camera_photos(options, cameras / "cameras"))]


def drawn_photos(options: Options) -> Photos:
    """Drawn photos of 12 megapixels with two books each."""
    files = draw(options.work / "phone", choose_crowded(options.photos), PHONE)
    weight = fmean(file.stat().st_size for file in files) / 1e6
    return _gather(options, f"{options.photos} drawn photos, 4032 x 3024, {weight:.1f} MB", "drawn", files, len(files))


def camera_photos(options: Options, folder: Path) -> Photos:
    """The photos of real phones, some times each."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    name = f"phone/cameras, {len(files)} photos {CAMERAS} times"
    return _gather(options, name, "cameras", files, CAMERAS * len(files), copies=True)


def _gather(
    options: Options, name: str, place: str, files: Sequence[Path], count: int, *, copies: bool = False
) -> Photos:
    few = max(2, count // _PART)
    folder = options.work / "speed" / place
    photos = Photos(name, folder / "few", folder / "all", few, count)
    link(photos.few, files, few, copies=copies)
    link(photos.all, files, count, copies=copies)
    return photos


def race(options: Options, pair: Pair, photos: Photos) -> list[Row]:
    """All ways in turns, round by round."""
    arms = make_arms(options, pair)
    if "ours" not in arms:
        return []
    place = options.work / "speed" / f"{photos.all.parent.name}-{pair.name}-{options.device}-{photos.count}"
    first = keep(place / "first.json", lambda: time_first(options, pair, photos))
    keep(place / "warm.json", partial(warm, arms, photos, place / "run"))
    times: dict[str, list[Figures]] = {name: [] for name in arms}
    for number in range(options.rounds):
        order = list(arms) if number % 2 == 0 else list(arms)[::-1]
        for name in order:
            done = place / f"{number}-{name}.json"
            times[name].append(keep(done, partial(time_both, arms[name], photos, place / "run")))
    return list(tell(f"{photos.name}, {pair.name}", photos, times, first))


def make_arms(options: Options, pair: Pair) -> dict[str, Arm]:
    """The ways there are for a pair: the plain chain as it comes, on all cores, and ourselves."""
    arms: dict[str, Arm] = {}
    copies = plain_copies(pair)
    if copies is None:
        print(f"  plain Ultralytics has no classifier like that of {pair.folder}", file=sys.stderr)
    else:
        arms["plain"] = lambda photos, out: time_plain(options, pair, copies, photos, out, 0)
        if options.device == "cpu":
            arms["plain, all cores"] = lambda photos, out: time_plain(options, pair, copies, photos, out, count_cores())
    arms["ours"] = lambda photos, out: time_ours(options, pair, photos, out)
    if options.device == "cpu" and make_int8(options, pair):
        arms["int8"] = lambda photos, out: time_ours(options, pair, photos, out, "--int8")
    return arms


def warm(arms: dict[str, Arm], photos: Photos, folder: Path) -> Figures:
    """A run of each that does not count, and every photo read once: nobody is the first to ask the disk."""
    for path in photos.all.iterdir():
        path.read_bytes()
    return {name: arm(photos.few, empty(folder) / "out") for name, arm in arms.items()}


def time_both(arm: Arm, photos: Photos, folder: Path) -> Figures:
    """A run of few and a run of all, right after each other."""
    return {"few": arm(photos.few, empty(folder) / "out"), "all": arm(photos.all, empty(folder) / "out")}


def time_first(options: Options, pair: Pair, photos: Photos) -> Figures:
    """The very first run of all with a pair: what is exported and measured once is made in it."""
    folder = empty(options.work / "speed" / "first")
    alone = replace(options, work=folder)  # caches are below it
    return time_ours(alone, copy_pair(alone, pair.name, pair.folder, pair.data), photos.few, folder / "out")


def time_ours(options: Options, pair: Pair, photos: Path, out: Path, *flags: str) -> Figures:
    """``cropsort predict``, the report included."""
    made = predict(photos, out, pair.folder, options, *flags)
    boxes = sum(len(result.predictions) for result in read_answer(out).values())
    return {"seconds": made.seconds, "peak_bytes": made.peak_bytes, "boxes": boxes, "cores": made.cores}


def time_plain(options: Options, pair: Pair, copies: Path, photos: Path, out: Path, threads: int) -> Figures:
    """The plain chain with the same weights, sizes and threshold.

    Raises:
        SystemExit: it failed.
    """
    cards = pair.cards
    assert cards.detector is not None  # or it would have no plain copies
    words: list[str | Path] = [
        sys.executable,
        Path(__file__).with_name("plain.py"),
        copies / "detector.pt",
        copies / "classifier.pt",
    ]
    sizes = ["--det-size", str(cards.detector.imgsz), "--cls-size", str(cards.classifier.imgsz)]
    limits = ["--conf", str(cards.detector.confidence), "--iou", str(cards.detector.iou)]
    more = ["--threads", str(threads), "--device", options.device]
    settings = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_CONFIG_DIR": str(options.work / "cache")}
    log = out.with_name(f"{out.name}.log")
    made = run([*words, photos, out, *sizes, *limits, *more], log=log, environment=environment(options) | settings)
    if made.code:
        sys.exit(f"{log} - the plain chain ended with exit code {made.code}:\n{made.output[-2000:]}")
    boxes = int(made.output.split()[-2])
    return {"seconds": made.seconds, "peak_bytes": made.peak_bytes, "boxes": boxes, "cores": made.cores}


def rates(photos: Photos, rounds: Sequence[Figures]) -> list[float]:
    """Photos a second, round by round."""
    return [steady_rate(photos.count, one["all"]["seconds"], photos.few_count, one["few"]["seconds"]) for one in rounds]


def tell(what: str, photos: Photos, times: dict[str, list[Figures]], first: Figures) -> list[Row]:
    """A row a way."""
    by_arm = {name: rates(photos, rounds) for name, rounds in times.items()}
    rows = []
    for name, rounds in times.items():
        starts = [
            start_up(photos.count, one["all"]["seconds"], photos.few_count, one["few"]["seconds"]) for one in rounds
        ]
        whole = median(one["all"]["seconds"] for one in rounds)
        told = [f"{spread(by_arm[name])} photos/s"]
        if name in GOALS and "plain" in by_arm:
            told += [
                f"{spread(ratios(by_arm[name], by_arm[other]))} times {other}"
                for other in ("plain", "plain, all cores")
                if other in by_arm
            ]
        told.append(f"whole run {whole:.1f} s, start-up {median(starts):.1f} s of it")
        told.append(f"{rounds[0]['all']['boxes'] / photos.count:.1f} crops a photo")
        told.append(f"peak memory {max(one['all']['peak_bytes'] for one in rounds) / GB:.1f} GB")
        if name == "ours":
            told.append(f"the very first run of {photos.few_count} photos {first['seconds']:.1f} s")
        rows.append((what, f"speed, {name}", "; ".join(told), GOALS.get(name, "")))
    return rows
