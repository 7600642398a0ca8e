"""Groups of photos that nobody labelled: by what features they come near the true classes, and how 20,000 are grouped.

    python benchmarks/cluster.py                                  # the sample's crops
    python benchmarks/cluster.py --data data --weights starts     # and real photos
    python benchmarks/cluster.py --data data --weights starts --only grocery --seeds 3

``--data`` is a folder with ``grocery`` (class folders below ``train`` and ``test``); the crops of the sample's labels
stand in for it. ``--weights`` is the file to start from, or the folder of ``yolo11n-cls-ft-catdog.pt``.

grocery: ``cropsort train`` learns every other class in the order of their names, val carved out of its photos; and in
another run the other half of them, so that each class is seen once and unseen once. Then the test photos of all classes
are put into as many groups as there are classes (Ward's, the default) by each kind of features, and compared with the
true classes: all of them, and apart those of classes that were learnt and of others. ``alone``: the photos of unseen
classes are grouped without the others, into as many groups as these are, as one would who sorts what the classifier
knows and groups the rest. Below it the same by another algorithm, SciPy's average linkage, which is none of cropsort's:
how far pixels get depends on the algorithm more than on anything else. Then what cropsort's rules make of the features
where nothing is given.
large: 20,000 subjects, by each algorithm and its rule, each in a process of its own: the embeddings of grocery's test
photos, again and again with noise, and vectors into all directions, which are no groups at all. Seconds are those after
features; peak memory is the process's, with Python and all that it imports.

What is done is not done again; ``--work`` is deleted to repeat it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import chdir
from functools import partial
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from prediction.options import Figures, empty, keep

from pipeline.cluster.agreement import agree
from pipeline.cluster.features import KINDS, FeatureKind, Features, from_embeddings
from pipeline.cluster.grouping import ALGORITHMS, NOISE, Algorithm, Settings, group
from pipeline.cluster.subjects import gather
from pipeline.console import make_console
from pipeline.errors import DataError
from pipeline.memory import GB
from pipeline.sources import find_sources

ROOT = Path(__file__).resolve().parent.parent
START = "yolo11n-cls-ft-catdog.pt"
CASES = ("grocery", "large")
PARTS = ("all", "seen", "unseen")
EPOCHS = 15
SUBJECTS = 20_000
SIGNALS = ("photos", "no groups")

Truth = NDArray[np.str_]


def main() -> None:
    """Run what is not done yet, and print all; or, in a process of its own, one of the groupings."""
    options = parse_options()
    if options.one:
        print(json.dumps(measure(options.one, options.features)))
        return
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    runs = [
        run_grocery(options, options.work.resolve() / f"half-{half}-seed-{seed}", half, seed)
        for seed, half in product(range(options.seeds), range(2))
    ]
    if "grocery" in options.only:
        print_grocery(runs)
    if "large" in options.only:
        print_large(run_large(options.work.resolve() / "large", options.work.resolve() / "half-0-seed-0"))


def parse_options() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with grocery; else the sample's crops")
    parser.add_argument("--weights", type=Path, help="file or folder to start from; else what is shipped")
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "cluster", help="where all is kept")
    parser.add_argument("--only", nargs="+", default=CASES, choices=CASES, metavar="CASE", help="one of the cases")
    parser.add_argument("--seeds", type=int, default=1, help="trainings")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of each training")
    parser.add_argument("--one", choices=ALGORITHMS, help=argparse.SUPPRESS)
    parser.add_argument("--features", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    start = given.weights or ROOT / "weights" / "start" / "yolo11n-cls-drawn.pt"
    given.weights = (start / START if start.is_dir() else start).resolve()
    for path in (given.weights, *([given.data] if given.data else [])):
        if not path.exists():
            parser.error(f"{path} - no such file or folder")
    return given


# grocery


def run_grocery(options: argparse.Namespace, folder: Path, half: int, seed: int) -> Figures:
    """Train on half of the classes, and group the test photos of all."""
    folder.mkdir(parents=True, exist_ok=True)
    photos = options.data.resolve() / "grocery" if options.data else cut_sample(options.work.resolve() / "sample")
    names = sorted(path.name for path in (photos / "train").iterdir())
    seen = names[half::2]
    weights = train_half(photos / "train", seen, options, folder, seed)
    for kind in KINDS:
        keep_features(photos / "test", weights, kind, folder)
    return keep(folder / "figures.json", partial(compare, folder, names, seen))


def cut_sample(folder: Path) -> Path:
    """The crops of the sample's labels, in folders of their classes; its val is what is grouped."""
    from pipeline.config import read_config
    from pipeline.crops import cut_subject
    from pipeline.dataset import load_dataset
    from pipeline.images import read_photo, write_jpeg

    if folder.is_dir():
        return folder
    with chdir(ROOT):
        dataset = load_dataset(Path("data.yaml"), read_config(Path("data.yaml")))
    made = empty(folder.with_name("sample.part"))
    for part, annotations in (("train", dataset.train), ("test", dataset.val)):
        cut = [(one.photo, number, subject) for one in annotations for number, subject in enumerate(one.subjects)]
        for photo, number, subject in cut:
            target = made / part / subject.class_name
            target.mkdir(parents=True, exist_ok=True)
            pixels = cut_subject(read_photo(ROOT / photo).pixels, subject.box)
            write_jpeg(target / f"{photo.stem}-{number}.jpg", pixels)
    return made.rename(folder)


def train_half(photos: Path, seen: Sequence[str], options: argparse.Namespace, folder: Path, seed: int) -> Path:
    """What ``cropsort train`` makes of the classes that are seen; goes on where it was stopped."""
    from pipeline.training import train

    record = {
        "train": [str(photos / name) for name in seen],
        "names": list(seen),
        "classes_from": "folders",
        "name": "half",
        "seed": seed,
        "device": "cpu",
        "classifier": {
            "model": "yolo11n-cls",
            "start": str(options.weights),
            "imgsz": 160,
            "batch": 32,
            "epochs": options.epochs,
        },
    }
    weights = folder / "weights" / "half"
    if not (weights / "classifier.json").exists():
        (folder / "data.yaml").write_text(yaml.safe_dump(record, allow_unicode=True), encoding="utf-8")
        with chdir(folder):
            train(Path("data.yaml"), make_console(errors=True))
    return weights


def keep_features(photos: Path, weights: Path, kind: FeatureKind, folder: Path) -> None:
    """Features and true classes of all test photos."""
    from pipeline.engine import pick_engine
    from pipeline.sorter import Sorter

    file = folder / f"{kind}.npz"
    if not file.exists():
        sorter = Sorter(weights, device="cpu", engine=pick_engine("cpu"))
        made = gather(find_sources(photos), sorter, kind, console=make_console(errors=True))
        truth = np.array([one.path.parent.name for one in made.subjects])
        np.savez(file.with_suffix(".part.npz"), features=made.features, truth=truth)
        file.with_suffix(".part.npz").rename(file)


def compare(folder: Path, names: Sequence[str], seen: Sequence[str]) -> Figures:
    """Agreement of each kind's groups with the classes, as many as these, and of those that the rules make."""
    figures: Figures = {"classes": len(names), "seen": list(seen), "given": {}, "alone": {}, "average": {}, "rules": {}}
    for kind in KINDS:
        features, truth = read_features(folder / f"{kind}.npz")
        figures["given"][kind] = score(features, truth, seen, Settings("agglomerative", groups=len(names)))
        unseen, few = ~np.isin(truth, seen), Settings("agglomerative", groups=len(names) - len(seen))
        figures["alone"][kind] = judge(group(features[unseen], few).labels, truth[unseen])
        figures["average"][kind] = score_average(features, truth, seen)
        figures["rules"][kind] = {one: score(features, truth, seen, Settings(one)) for one in ALGORITHMS}
    return figures


def read_features(file: Path) -> tuple[Features, Truth]:
    """What ``keep_features`` wrote."""
    with np.load(file) as kept:
        return kept["features"], kept["truth"]


def score(features: Features, truth: Truth, seen: Sequence[str], settings: Settings) -> Figures:
    """All photos are grouped together; the parts are judged apart."""
    try:
        made = group(features, settings)
    except DataError as error:
        return {"rule": error.found}
    shown = np.isin(truth, seen)
    parts = {"all": np.full(len(truth), True), "seen": shown, "unseen": ~shown}
    agreed = {part: judge(made.labels[here], truth[here]) for part, here in parts.items()}
    return {
        "rule": made.rule,
        "groups": len(made.centres),
        "noise": int((made.labels == NOISE).sum()),
        "ami": {part: one["ami"] for part, one in agreed.items()},
        "ari": {part: one["ari"] for part, one in agreed.items()},
        "photos": {part: int(here.sum()) for part, here in parts.items()},
    }


def score_average(features: Features, truth: Truth, seen: Sequence[str]) -> Figures:
    """Agreement by average linkage, in the same numbers of groups."""
    from scipy.cluster.hierarchy import fcluster, linkage

    def cut(rows: Features, count: int) -> NDArray[np.int64]:
        return np.asarray(fcluster(linkage(rows, "average"), count, "maxclust"), np.int64)

    shown, count = np.isin(truth, seen), len(np.unique(truth))
    labels = cut(features, count)
    parts = {"all": np.full(len(truth), True), "seen": shown, "unseen": ~shown}
    found = {part: judge(labels[here], truth[here])["ami"] for part, here in parts.items()}
    return found | {"alone": judge(cut(features[~shown], count - len(seen)), truth[~shown])["ami"]}


def judge(labels: NDArray[np.int64], truth: Truth) -> Figures:
    """Agreement of groups with true classes."""
    agreed = agree(labels, truth.tolist())
    return {"ami": agreed.adjusted_mutual_information, "ari": agreed.adjusted_rand}


def print_grocery(runs: Sequence[Figures]) -> None:
    """Each half by itself, and both; the mean of several trainings, with least and most."""
    first = runs[0]
    for half in runs[:2]:
        photos = half["given"]["pixels"]["photos"]
        print(f"\nseen: {', '.join(half['seen'])}: {photos['seen']} of {photos['all']} test photos")
    print(f"\nagglomerative, {first['classes']} groups; alone: {first['classes'] - len(first['seen'])}\n")
    columns = [*product(("ami", "ari"), (*PARTS, "alone"))]
    print(f"| half | features |{''.join(f' {score.upper()} {part} |' for score, part in columns)}")
    print(f"|{'---|' * (2 + len(columns))}")
    for name, some in (("first", runs[::2]), ("second", runs[1::2]), ("both", runs)):
        for kind in KINDS:
            cells = [spread([pick(run, kind, score, part) for run in some]) for score, part in columns]
            print(f"| {name} | {kind} | {' | '.join(cells)} |")
    print(f"\n| half | over pixels, AMI |{''.join(f' {part} |' for part in (*PARTS, 'alone'))} goal |\n|{'---|' * 7}")
    for name, some in (("first", runs[::2]), ("second", runs[1::2]), ("both", runs)):
        for kind in KINDS[:2]:
            told = [spread([gain(run, kind, part) for run in some], "+.3f") for part in (*PARTS, "alone")]
            print(f"| {name} | {kind} | {' | '.join(told)} | +0.15 |")
    print("\naverage linkage, AMI\n")
    print(f"| half | features |{''.join(f' {part} |' for part in (*PARTS, 'alone'))}\n|{'---|' * 6}")
    for name, some in (("first", runs[::2]), ("second", runs[1::2]), ("both", runs)):
        for kind in KINDS:
            told = [spread([run["average"][kind][part] for run in some]) for part in (*PARTS, "alone")]
            print(f"| {name} | {kind} | {' | '.join(told)} |")
    print("\nby the rules, of the first training\n")
    print("| features | algorithm | rule | groups | noise | AMI all | AMI seen | AMI unseen |")
    print(f"|{'---|' * 8}")
    for kind, algorithm in product(KINDS, ALGORITHMS):
        print_rule(kind, algorithm, first["rules"][kind][algorithm])


def pick(run: Figures, kind: str, score: str, part: str) -> float:
    """A score of one training."""
    return float(run["alone"][kind][score] if part == "alone" else run["given"][kind][score][part])


def gain(run: Figures, kind: str, part: str) -> float:
    """By how much the groups of a kind of features agree better than those of pixels."""
    return pick(run, kind, "ami", part) - pick(run, "pixels", "ami", part)


def print_rule(kind: str, algorithm: str, made: Figures) -> None:
    """What a rule made of the first training's features."""
    scores = [f"{made['ami'][part]:.3f}" for part in PARTS] if "ami" in made else [""] * 3
    print(f"| {kind} | {algorithm} | {made['rule']} | {made.get('groups', '')} | {made.get('noise', '')} | ", end="")
    print(" | ".join(scores) + " |")


def spread(values: Sequence[float], form: str = ".3f") -> str:
    """The mean, and between what the values lie."""
    if len(values) == 1:
        return f"{values[0]:{form}}"
    return f"{mean(values):{form}} ({min(values):{form}} to {max(values):{form}})"


# large


def run_large(folder: Path, trained: Path) -> dict[tuple[str, str], Figures]:
    """Each algorithm on each kind of vectors."""
    folder.mkdir(parents=True, exist_ok=True)
    made: dict[tuple[str, str], Figures] = {}
    for signal, algorithm in product(SIGNALS, ALGORITHMS):
        file = folder / f"{signal.replace(' ', '-')}.npy"
        if not file.exists():
            np.save(file, draw(signal, read_features(trained / "embedding.npz")[0]))
        done = folder / f"{file.stem}-{algorithm}.json"
        made[signal, algorithm] = keep(done, partial(measure_apart, algorithm, file))
    return made


def draw(signal: str, real: Features) -> Features:
    """As many vectors as are grouped, each of length 1 and with as many numbers as real ones have.

    Copies of real ones are moved by half of the way to their nearest neighbour, into any direction.
    """
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(0)
    away = rng.normal(size=(SUBJECTS, real.shape[1])).astype(np.float32)
    away /= np.linalg.norm(away, axis=1, keepdims=True)
    if signal != "photos":
        return away
    gaps, _ = NearestNeighbors(n_neighbors=1).fit(real).kneighbors()
    picked = np.arange(SUBJECTS) % len(real)
    return from_embeddings(real[picked] + away * (gaps[picked] / 2).astype(np.float32))


def measure_apart(algorithm: Algorithm, file: Path) -> Figures:
    """In a process of its own."""
    command = [sys.executable, __file__, "--one", algorithm, "--features", str(file)]
    figures: Figures = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return figures


def measure(algorithm: Algorithm, file: Path) -> Figures:
    """Seconds of the grouping, and peak memory of this process."""
    features = np.load(file)
    begin = time.perf_counter()
    figures: dict[str, Any] = {"groups": 0, "noise": len(features)}
    try:
        made = group(features, Settings(algorithm))
        figures = {"groups": len(made.centres), "noise": int((made.labels == NOISE).sum()), "rule": made.rule}
    except DataError as error:
        figures["rule"] = error.found
    return {**figures, "seconds": time.perf_counter() - begin, "peak_bytes": peak_bytes(), "shape": features.shape}


def peak_bytes() -> int:
    """Most memory that this process took; not ``ru_maxrss``, in which Linux counts that of who started it as well."""
    if sys.platform == "linux":
        told = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines())
        return int(told["VmHWM"].split()[0]) * 1024
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def print_large(made: dict[tuple[str, str], Figures]) -> None:
    """Every grouping in a row."""
    print("\n| vectors | algorithm | shape | seconds | peak memory | groups | noise | rule | goal |")
    print("|---|---|---|---|---|---|---|---|---|")
    for (signal, algorithm), one in made.items():
        size, peak = " x ".join(map(str, one["shape"])), one["peak_bytes"] / GB
        cells = (signal, algorithm, size, f"{one['seconds']:.1f}", f"{peak:.2f} GB", one["groups"], one["noise"])
        print(f"| {' | '.join(map(str, cells))} | {one['rule']} | <= 120 s, < 4 GB |")


if __name__ == "__main__":
    main()
