"""What puzzles of unlabelled photos are worth to a classifier with few labels: from scratch against ``start: jigsaw``.

    python benchmarks/pretraining.py                      # the sample
    python benchmarks/pretraining.py --data ../shared/data # grocery: ten labels a class

``--data`` is a folder with ``grocery`` (class folders below ``train``, ``val`` and ``test``); the sample stands in for
it, its val for scoring. For each seed ten photos a class are drawn from train; the backbone has learnt puzzles of all
of train, whose labels nobody looks at: one pretraining serves all seeds, as labelled and unlabelled photos together are
the same whatever is drawn. Both ways then learn from the same labels with the same settings, choose their epoch on val
(the given one, else a fifth of what is labelled), and score test once. What is done is not done again; ``--work`` keeps
it.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

ARMS = ("scratch", "jigsaw")
NAME, MODEL = "few-labels", "yolo11n-cls"


@dataclass(frozen=True, slots=True)
class Options:
    """The command line; see ``parse_options``."""

    data: str
    work: str
    seeds: int
    labels: int
    imgsz: int
    batch: int
    epochs: int
    pretrain_epochs: int
    grid: int
    threads: int


def main() -> None:
    """Run what is not done yet, and print the figures."""
    options = parse_options()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # of the processes that train
    prepare_work(options)
    os.chdir(options.work)
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(
        f"{MODEL}, {options.imgsz} px, batch {options.batch}, {options.epochs} epochs, {options.labels} labels a class"
    )
    backbone = pretrain_once(options)
    pairs = [{arm: train_once(arm, seed, backbone, options) for arm in ARMS} for seed in range(options.seeds)]
    show({arm: [pair[arm] for pair in pairs] for arm in ARMS})


def pretrain_once(options: Options) -> Path:
    """The backbone that has learnt puzzles of all training photos."""
    from rich.console import Console

    from pipeline.jigsaw.kept import BACKBONE, jigsaw_weights, read_puzzle_card, weights_file
    from pipeline.jigsaw.pretraining import pretrain

    folder, clock = jigsaw_weights(NAME), Path("pretraining.json")
    if not clock.exists():
        begin = time.perf_counter()
        made = pretrain(
            write_data(0, options),
            find_photos(options).train,
            epochs=options.pretrain_epochs,
            grid=options.grid,
            start="scratch",
            console=Console(stderr=True, soft_wrap=True),
        )
        clock.write_text(json.dumps({"seconds": time.perf_counter() - begin, "pictures": made.pictures}))
    card, said = read_puzzle_card(folder, BACKBONE), json.loads(clock.read_text())
    print(
        f"pretraining: {said['pictures']} pictures, {card.grid} x {card.grid} tiles, {card.imgsz} px, gap {card.gap}, "
        f"colour {card.colour}, {options.pretrain_epochs} epochs at most, {said['seconds'] / 60:.1f} min; held out: "
        f"{card.metrics['tiles']:.3f} of the tiles right, {card.metrics['pictures']:.3f} of the pictures\n"
    )
    return weights_file(folder, BACKBONE).resolve()


def train_once(arm: str, seed: int, backbone: Path, options: Options) -> float:
    """Top-1 on test of a training, from disk where it is done."""
    from race.figures import read_kept, top1, write_kept
    from race.ours import train_ours

    from pipeline.apart import run_apart

    done = Path(f"{seed}-{arm}.npz")
    if not done.exists():
        folder = done.with_suffix("")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        material = open_material(seed, options)
        start = backbone if arm == "jigsaw" else Path("scratch")
        answer = run_apart(train_ours, material, start, folder, options.threads, name=f"seed {seed}, {arm}").result
        write_kept(done, answer, material)
        shutil.rmtree(folder)
        print(f"  seed {seed}, {arm}: {answer.seconds:.0f} s", file=sys.stderr, flush=True)
    kept = read_kept(done)
    return top1(kept.test, kept.test_targets)


def show(scores: dict[str, list[float]]) -> None:
    """Seed by seed, and the mean difference with its spread."""
    from race.figures import compare, print_table

    rows = [
        (str(seed), f"{scratch:.3f}", f"{jigsaw:.3f}", f"{100 * (jigsaw - scratch):+.1f}")
        for seed, (scratch, jigsaw) in enumerate(zip(scores["scratch"], scores["jigsaw"], strict=True))
    ]
    print_table(("seed", "top-1, scratch", "top-1, jigsaw", "difference, points"), rows)
    differences = [100 * (one - other) for one, other in zip(scores["jigsaw"], scores["scratch"], strict=True)]
    spread = f", standard deviation {stdev(differences):.1f}" if len(differences) > 1 else ""
    interval = compare(scores["jigsaw"], scores["scratch"]).say(1, factor=100)
    means = " and ".join(f"{fmean(scores[arm]):.3f}" for arm in ARMS)
    print(f"\nmeans {means}; difference {interval} points (95 %){spread}, ", end="")
    print(f"{min(differences):+.1f} to {max(differences):+.1f} (goal: +5)")


def open_material(seed: int, options: Options) -> Any:
    """What a classifier learns from, with the labels of a seed."""
    from race.material import Material

    from pipeline.config import read_config
    from pipeline.dataset import load_dataset

    file = write_data(seed, options)
    config = read_config(file)
    return Material(load_dataset(file, config), config, whole=find_photos(options).by == "folders")


def write_data(seed: int, options: Options) -> Path:
    """A data.yaml whose train is what is labelled with this seed."""
    from pipeline.config import read_config
    from pipeline.dataset import load_dataset

    folder = Path(f"data-{seed}")
    whole = write_yaml(folder / "whole.yaml", str(find_photos(options).train), seed, options)
    learnt = load_dataset(whole, read_config(whole)).train
    classes = {one.photo: [subject.class_name for subject in one.subjects] for one in learnt}
    chosen = draw_labelled(classes, options.labels, seed)
    (folder / "train.txt").write_text("".join(f"{photo}\n" for photo in chosen), encoding="utf-8")
    return write_yaml(folder / "data.yaml", "train.txt", seed, options)


def write_yaml(file: Path, train: str, seed: int, options: Options) -> Path:
    """A data.yaml."""
    import yaml

    photos = find_photos(options)
    record = {
        "name": NAME,
        "train": train,
        **({"val": str(photos.val)} if photos.val else {}),
        "test": str(photos.test),
        "names": list(photos.names),
        "classes_from": photos.by,
        "seed": seed,
        "device": "cpu",
        "classifier": {
            "model": MODEL,
            "imgsz": options.imgsz,
            "batch": options.batch,
            "epochs": options.epochs,
            "patience": options.epochs,
            **photos.settings,
        },
    }
    file.parent.mkdir(exist_ok=True)
    file.write_text(yaml.safe_dump(record, allow_unicode=True), encoding="utf-8")
    return file


def draw_labelled(classes: Mapping[Path, Sequence[str]], labels: int, seed: int) -> list[Path]:
    """Photos in an order drawn by the seed, each that shows a class which is not shown often enough yet."""
    order = sorted(classes)
    random.Random(seed).shuffle(order)
    shown: Counter[str] = Counter()
    chosen = []
    for photo in order:
        if any(shown[name] < labels for name in classes[photo]):
            chosen.append(photo)
            shown.update(classes[photo])
    return sorted(chosen)


@dataclass(frozen=True, slots=True)
class Photos:
    """Where photos are from; see ``race.material.Source``; without a val a fifth of what is labelled is kept back."""

    train: Path
    val: Path | None
    test: Path
    by: str
    names: tuple[str, ...]
    settings: dict[str, Any]


def find_photos(options: Options) -> Photos:
    """Grocery where it is given, else the sample."""
    from race.material import find_source

    from pipeline.dataset import list_photos
    from pipeline.init import find_class_names

    source = find_source("grocery", Path(options.data) if options.data else None)
    listed = list_photos(source.train)
    names = find_class_names(listed) if source.by == "labels" else sorted({photo.parent.name for photo in listed})
    val = source.train.parent / "val"
    return Photos(
        source.train,
        val if val.is_dir() and val != source.test else None,
        source.test,
        source.by,
        tuple(names),
        source.settings,
    )


def prepare_work(options: Options) -> None:
    """Refuse a folder with figures that were made with other options."""
    work = Path(options.work)
    work.mkdir(parents=True, exist_ok=True)
    note, said = work / "options.json", {**asdict(options), "seeds": None}
    if not note.exists():
        note.write_text(json.dumps(said, indent=2), encoding="utf-8")
    if json.loads(note.read_text(encoding="utf-8")) != said:
        sys.exit(f"{note} - made with other options - choose another --work, or delete that one")


def parse_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with grocery; else the sample")
    parser.add_argument("--work", type=Path, default=Path("runs") / "benchmarks" / "pretraining", help="where to train")
    parser.add_argument("--seeds", type=int, default=3, help="how many")
    parser.add_argument("--labels", type=int, default=10, help="a class")
    parser.add_argument("--imgsz", type=int, default=128, help="of the classifier")
    parser.add_argument("--batch", type=int, default=16, help="of the classifier")
    parser.add_argument("--epochs", type=int, default=25, help="of the classifier")
    parser.add_argument("--pretrain-epochs", type=int, default=35, help="of the puzzles, at most")
    parser.add_argument("--grid", type=int, default=2, choices=(2, 3), help="tiles in a row")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1, help="of torch")
    given = vars(parser.parse_args())
    data, work = given.pop("data"), given.pop("work")
    if data is not None and not data.is_dir():
        parser.error(f"{data} - no such folder")
    if min(value for value in given.values()) < 1:
        parser.error("numbers are at least 1")
    return Options(data=str(data.resolve()) if data else "", work=str(work.resolve()), **given)


if __name__ == "__main__":
    main()
