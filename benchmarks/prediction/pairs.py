"""The trained pairs: those that are given, those that are trained here, and copies that plain Ultralytics can open."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from pipeline import yolo
from pipeline.backbones import build_backbone
from pipeline.dataset import list_photos
from pipeline.files import replacing, write_text
from pipeline.init import find_class_names
from pipeline.members import read_members
from pipeline.naming import Taken
from pipeline.prepare import SUBJECT
from pipeline.sample import KINDS
from pipeline.weights import STAGES, Cards, has_pair, read_cards, weights_file
from prediction.commands import ROOT, environment, run
from prediction.options import Figures, Options, keep

Record = dict[str, Any]
"""A data.yaml."""

LARGE: Record = {"model": "yolov5n", "imgsz": 640, "batch": 8, "epochs": 6}
"""The detector of the pair that sees more of a photo; what the sample's own does is in data.yaml."""

CARDS: Record = {
    "detector": {"model": "yolov5n", "imgsz": 320, "batch": 16, "epochs": 15},
    "classifier": {"imgsz": 160, "batch": 32, "epochs": 40, "patience": 40, "degrees": 180},
}
"""As in ``main_job.py``."""


@dataclass(frozen=True, slots=True)
class Pair:
    """A trained pair in the work folder.

    Args:
        name: what it is called in the tables.
        folder: ``detector.pt``, ``classifier.pt`` and their cards; what cropsort keeps beside them is made here.
        data: the data.yaml of its classes, whose photos say the ranges of networks of 8 bits.
    """

    name: str
    folder: Path
    data: Path

    @property
    def cards(self) -> Cards:
        """What its cards say."""
        return read_cards(self.folder)


def pairs_for_drawn(options: Options) -> list[Pair]:
    """The pairs for drawn photos: those given that have the sample's classes, or two that are trained here."""
    return _given_for_drawn(options) or [_train(options, _sample(options)), _train(options, _sample(options, LARGE))]


def pair_for_drawn(options: Options) -> Pair:
    """The first of them, where one will do."""
    given = _given_for_drawn(options)
    return given[0] if given else _train(options, _sample(options))


def pair_for_cards(options: Options) -> Pair:
    """A pair that knows the cards: one given, or one that is trained here."""
    folder = options.real("cards")
    assert folder is not None  # whoever asks has looked
    names = list(find_class_names(list_photos(folder / "train")))
    record = {"train": str(folder / "train"), "names": names, "name": "cards", "device": options.device, **CARDS}
    given = _given(options, names, record)
    return given[0] if given else _train(options, record)


def copy_pair(options: Options, name: str, source: Path, data: Path) -> Pair:
    """A pair of its own in the work folder, made once."""
    target = options.work / "pairs" / name
    if not has_pair(target):
        target.mkdir(parents=True, exist_ok=True)
        for file in (source / f"{stage}{suffix}" for stage in STAGES for suffix in (".pt", ".json")):
            if file.exists():  # a classifier of whole photos has no detector
                shutil.copyfile(file, target / file.name)
    return Pair(name, target, data)


def make_int8(options: Options, pair: Pair) -> bool:
    """Have ``cropsort export`` make the networks of 8 bits, once; whether there are any."""

    def make() -> Figures:
        words: list[str | Path] = [
            sys.executable,
            "-m",
            "pipeline",
            "export",
            "--int8",
            "--weights",
            pair.folder,
            "--data",
            pair.data,
        ]
        made = run(words, log=options.work / "int8" / f"{pair.name}.log", environment=environment(options))
        return {"code": made.code, "seconds": made.seconds, "said": made.output.splitlines()[-2:]}

    made = keep(options.work / "int8" / f"{pair.name}.json", make)
    if made["code"]:
        print(f"  no networks of 8 bits for {pair.name}: {' '.join(made['said'])}", file=sys.stderr)
    return not made["code"]


def _given_for_drawn(options: Options) -> list[Pair]:
    return _given(options, KINDS, _sample(options))


def _given(options: Options, names: Collection[str], record: Record) -> list[Pair]:
    """Copies of the pairs that were given for some classes; nothing is written beside the originals."""
    chosen = {
        name: folder
        for name, folder in zip(name_given(options.weights), options.weights, strict=True)
        if set(read_cards(folder).classifier.class_names) == set(names)
    }
    data = _write_data(options, record) if chosen else Path()
    return [copy_pair(options, name, folder, data) for name, folder in chosen.items()]


def name_given(folders: Sequence[Path]) -> list[str]:
    """What given pairs are called, each by another name: the weights of two projects may both lie in ``sample``."""
    taken = Taken()
    return [taken.claim(f"given-{folder.name}") for folder in folders]


def _sample(options: Options, detector: Record | None = None) -> Record:
    """The sample's data.yaml with its folders spelled out, and another detector where one is said."""
    record: Record = yaml.safe_load((ROOT / "data.yaml").read_text(encoding="utf-8"))
    folders = {part: str(ROOT / record[part]) for part in ("train", "val")}
    name = f"sample-{detector['imgsz']}" if detector else "sample"
    return (
        record | folders | {"name": name, "device": options.device, "detector": record["detector"] | (detector or {})}
    )


def _write_data(options: Options, record: Record) -> Path:
    file = options.work / "training" / str(record["name"]) / "data.yaml"
    write_text(file, yaml.safe_dump(record, allow_unicode=True, sort_keys=False))
    return file


def _train(options: Options, record: Record) -> Pair:
    """Train with the command that a user has, which goes on where it was stopped."""
    name, data = record["name"], _write_data(options, record)
    trained = data.parent / "weights" / name
    if not has_pair(trained):
        print(f"  training {name}", file=sys.stderr, flush=True)
        with (data.parent / "train.log").open("a", encoding="utf-8") as log:
            words = [sys.executable, "-m", "pipeline", "train", "--data", "data.yaml"]
            added = environment(options) | {"PYTHONPATH": str(ROOT)}
            subprocess.run(words, cwd=data.parent, check=True, stdout=log, stderr=log, env={**os.environ, **added})
    return copy_pair(options, name, trained, data)


def build_detector(pair: Pair) -> nn.Module:
    """The pair's detector as a network of Ultralytics'.

    Raises:
        SystemExit: it is none.
    """
    names = pair.cards.classifier.class_names
    member = yolo.read_checkpoint(weights_file(pair.folder, "detector"))
    for classes in ((SUBJECT,), names):
        network = yolo.build_detector(member.model_name, class_count=len(classes))
        if yolo.transfer(network, member.tensors) == len(network.state_dict()):
            network.names = dict(enumerate(classes))  # type: ignore[assignment]  # nn.Module is typed as tensors alone
            return network.eval()
    sys.exit(f"{pair.folder} - the detector's tensors are not those of {member.model_name}")


def build_classifiers(pair: Pair) -> list[nn.Module]:
    """The networks of the pair's classifier, more than one where several decide together."""
    card = pair.cards.classifier
    networks = []
    for member in read_members(weights_file(pair.folder, "classifier")):
        network = build_backbone(member.model_name, class_count=len(card.class_names), imgsz=card.imgsz)
        yolo.transfer(network, member.tensors)
        network.names = dict(enumerate(card.class_names))  # type: ignore[assignment]  # as above
        networks.append(network.eval())
    return networks


def plain_copies(pair: Pair) -> Path | None:
    """A folder with the same tensors in files that plain Ultralytics opens; None where it has no such classifier."""
    folder = pair.folder / "plain"
    card = pair.cards.classifier
    if card.whole_photo or not card.model_name.startswith("yolo") or len(build_classifiers(pair)) > 1:
        return None
    folder.mkdir(exist_ok=True)
    networks = {"detector": build_detector(pair), "classifier": build_classifiers(pair)[0]}
    for stage, task in (("detector", "detect"), ("classifier", "classify")):
        if not (folder / f"{stage}.pt").exists():
            with replacing(folder / f"{stage}.pt") as temporary:
                torch.save({"model": networks[stage], "train_args": {"task": task}, "epoch": -1}, temporary)
    return folder
